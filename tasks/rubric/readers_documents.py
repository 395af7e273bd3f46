"""Items of MMIE and OpenING from their official files."""

from __future__ import annotations

from collections.abc import Iterator
from types import MappingProxyType
from typing import Any

from evalsuite.content import Document, Image, Part, Text
from evalsuite.errors import DataError
from evalsuite.task import Located
from evalsuite.task.readers import field, find_image, read_json, read_lines

from .records import RubricItem, RubricQuestion

_WRONG_FILE = "Is this the benchmark's file?"


def read_mmie(source: Located) -> Iterator[RubricItem]:
    """MMIE's `items`: a list of {id, question, gt_answer}, each a list of {text, image}; image paths are
    relative to `images`.

    Raises DataError for an id of no category, and for a question without content.
    """
    path = source.path("items")
    rows = read_json(path)
    if not isinstance(rows, list):
        raise DataError(f"{path} must be a list of items, not {type(rows).__name__}.", _WRONG_FILE)
    for place, row in enumerate(rows):
        where = f"{path}, item {place}"
        key = field(row, "id", str, where)
        category = next((name for name in ("SA", "PBL", "MSR") if name in key), None)
        if category is None:
            raise DataError(f"{where}: the id {key!r} names none of SA, PBL and MSR.", _WRONG_FILE)
        truth = field(row, "gt_answer", list, where)
        first = truth[0].get("text") if truth and isinstance(truth[0], dict) else None
        yield RubricItem(
            key,
            "",
            (RubricQuestion("score", category),),
            fields={"gt_answer": "" if first is None else str(first)},
            labels={"category": category},
            document=_document(source, field(row, "question", list, where), where),
        )


def read_opening(source: Located) -> Iterator[RubricItem]:
    """OpenING's `items`: JSON lines {total_uid, conversations: [{input: [{text, image}]}, …]}.

    Raises DataError for an instance without an input.
    """
    path = source.path("items")
    for line, row in read_lines(path):
        where = f"{path}, line {line}"
        conversations = field(row, "conversations", list, where)
        if not conversations:
            raise DataError(f"{where}: there is no conversation.", _WRONG_FILE)
        given = field(conversations[0], "input", list, where)
        yield RubricItem(
            str(field(row, "total_uid", (str, int), where)),
            "",
            (RubricQuestion("scores", "scores"),),
            document=_document(source, given, where),
        )


def _document(source: Located, entries: list[Any], where: str) -> Document:
    parts: list[Part] = []
    for number, entry in enumerate(entries, start=1):
        place = f"{where}, entry {number}"
        text = field({"text": None, **_object(entry, place)}, "text", (str, type(None)), place)
        name = field({"image": None, **entry}, "image", (str, type(None)), place)
        if text:
            parts.append(Text(text.replace("<BEGIN>", "").replace("<image>", "")))
        if name:
            parts.append(_image(source, name))
    if not parts:
        raise DataError(f"{where}: the question has neither text nor image.", _WRONG_FILE)
    return tuple(parts)


def _object(entry: Any, where: str) -> dict[str, Any]:
    if not isinstance(entry, dict):
        raise DataError(f"{where} must be an object of text and image.", _WRONG_FILE)
    return entry


def _image(source: Located, name: str) -> Image:
    return find_image((source.folder_of("images"),), name.removeprefix("./"))


READERS = MappingProxyType({"mmie-json": read_mmie, "opening-jsonl": read_opening})
