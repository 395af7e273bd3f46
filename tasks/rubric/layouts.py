"""How judges of interleaved benchmarks are shown what a model was given and what it wrote: MMIE, OpenING."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from evalsuite.content import Document, Image, Part, Text
from evalsuite.errors import SampleError
from evalsuite.task.metrics import marked_steps, mmie_entries

from .records import RubricItem
from .rivals import SHOWN

_MMIE_MOST = 4
"""MMIE's script leaves out what has more images than this."""

Entry = tuple[str | None, Image | None]


def _singly(parts: Document) -> list[Entry]:
    """An entry for each part, as MMIE's files have them."""
    return [(part.text, None) if isinstance(part, Text) else (None, part) for part in parts]


def _in_steps(parts: Document) -> list[Entry]:
    """An entry for each text with the image behind it, as OpenING's files have them."""
    entries: list[Entry] = []
    for part in parts:
        if isinstance(part, Text):
            entries.append((part.text, None))
        elif entries and entries[-1][1] is None:
            entries[-1] = entries[-1][0], part
        else:
            entries.append((None, part))
    return entries


def _parts(found: Sequence[str | Image]) -> list[Part]:
    return [Text(one) if isinstance(one, str) else one for one in found]


def _mmie(item: RubricItem, written: Document, text: str) -> Document:
    asked, said = mmie_entries(_singly(item.document), _singly(written))
    images = sum(not isinstance(part, str) for part in (*asked, *said))
    if images > _MMIE_MOST:
        raise SampleError(f"MMIE's judge is shown at most {_MMIE_MOST} images, and the question has {images}")
    return _filled(text, {"question": _parts(asked), "answer": _parts(said)}, item.fields)


def _opening(item: RubricItem, written: Document, text: str) -> Document:
    asked = marked_steps(_in_steps(item.document), "INPUT: ", 0)
    shown = sum(not isinstance(part, str) for part in asked)
    said = marked_steps(_in_steps(written), "\nOUTPUT: ", shown)
    return (*_parts(asked), *_parts(said), Text(text))


def _opening_pair(item: RubricItem, written: Document, text: str) -> Document:
    """GPT_judge_AB.py: the question, then both documents, images numbered through all three."""
    both = (written, item.rival)
    first, second = both if item.labels[SHOWN] == "A" else both[::-1]
    parts: list[str | Image] = []
    for document, mark in ((item.document, "<INPUT>: "), (first, "<OUTPUT_A>: "), (second, "\n<OUTPUT_B>: ")):
        entries = [(said or "", image) for said, image in _in_steps(document)]
        if document is not item.document:
            entries = [(said.strip(), image) for said, image in entries]
        shown = sum(not isinstance(part, str) for part in parts)
        if entries and entries[0] != ("", None):
            parts += marked_steps(entries, mark, shown)
        else:
            parts += [f"\n{mark.strip()}", *marked_steps(entries, "", shown)[1:]]
    return (*_parts([part for part in parts if part != ""]), Text(text))


def _filled(text: str, documents: Mapping[str, Sequence[Part]], fields: Mapping[str, str]) -> Document:
    """The text with documents and texts in place of its fields in braces; what they hold stays as it is."""
    given = {**{name: [Text(value)] for name, value in fields.items()}, **documents}
    pieces = re.split(rf"\{{({'|'.join(map(re.escape, given))})\}}", text)
    parts: list[Part] = [
        part
        for place, piece in enumerate(pieces)
        for part in (given[piece] if place % 2 else [Text(piece)])
        if not isinstance(part, Text) or part.text
    ]
    return tuple(parts)


LAYOUTS: Mapping[str, Callable[[RubricItem, Document, str], Document]] = MappingProxyType(
    {"mmie": _mmie, "opening": _opening, "opening-pair": _opening_pair}
)
"""Layout -> the user's turn, made of the item, what the model wrote, and the wording."""
