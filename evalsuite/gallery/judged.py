"""Contact sheets of judged images: each with the questions that were asked about it, the replies, and the
sample's grades."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from evalsuite.content import Image, Text
from evalsuite.errors import SpecError, StoreError
from evalsuite.gallery.choosing import chosen_samples
from evalsuite.gallery.sheets import FAINT, GAP, INK, PAPER, fit, font_for, thumbnail, wrapped
from evalsuite.judging import Judged
from evalsuite.judging.shown import Asked, asked_about
from evalsuite.judging.stored import Verdicts, verdicts
from evalsuite.registry import Registry
from evalsuite.request import ImageResponse
from evalsuite.store import RunReader
from evalsuite.task import Answered, Sample

if TYPE_CHECKING:
    from PIL.Image import Image as PilImage

    from evalsuite.gallery.drawing import Shown

_TEXT = 2
"""Width of the text beside an image, in images."""
_LINES = 4
"""Lines of one question with its reply; longer ones are cut."""


def judged_samples(
    readers: Sequence[RunReader], key: str, count: int, by: str, registry: Registry
) -> Iterator[Shown]:
    """Samples with every image that was generated, and what the first judge of each run said about it.

    Raises SpecError for a task that is not judged, or a run that no judge was asked about.
    """
    from evalsuite.gallery.drawing import Shown

    task, chosen = chosen_samples(readers, key, count, by, registry)
    if not isinstance(task, Judged):
        raise SpecError(f"Task {key!r} is not judged.", "Leave out --judged.")
    judges = [_first(reader, key) for reader in readers]
    grades = [grades_of(reader, key) for reader in readers]
    for sample in chosen:
        images: list[tuple[str, Image]] = []
        notes: list[tuple[str, ...]] = []
        prompt = ""
        for reader, said, grade in zip(readers, judges, grades, strict=True):
            responses = [record.response for record in reader.steps(key, sample.id)]
            found = responses[-1] if responses else None
            if not isinstance(found, ImageResponse):
                continue
            answered = Answered(sample, tuple(one for one in responses if one is not None))
            prompt = prompt or _prompt(task, sample)
            pairs = asked_about(task, answered, said.known, 0)
            for place, image in enumerate(found.images):
                head = (grade.get(sample.id, "no score"),) if place == 0 else ()
                images.append((reader.model_name if place == 0 else "", image))
                notes.append((*head, *(_line(one) for one in pairs if place in one.images)))
        if images:
            heading = f"{by}: {sample.labels[by]}" if by else ""
            yield Shown(prompt, tuple(images), notes=tuple(notes), heading=heading)


def _first(reader: RunReader, key: str) -> Verdicts:
    judges = reader.judges(key)
    if not judges:
        raise SpecError(f"{reader.path}: no judge was asked about {key}.", "Run `evalsuite judge` first.")
    return verdicts(reader, judges[0], key)


def grades_of(reader: RunReader, key: str, only: str = "") -> dict[str, str]:
    """Sample -> its scores in words; empty where the run is not scored.

    Args:
        only: the one column to show.
    """
    try:
        frame = reader.scores(key)
    except StoreError:
        return {}
    columns = [name for name in frame.columns if name.startswith("value.")]
    columns = [name for name in columns if not only or name == f"value.{only}"]
    return {str(row["id"]): _words(row, columns) for _, row in frame.iterrows()}


def _words(row: Any, columns: Sequence[str]) -> str:
    if row["failure"]:
        return f"no score: {row['failure']}"
    shown = [f"{name.removeprefix('value.')} {row[name]:.3g}" for name in columns if row[name] == row[name]]
    return ", ".join(shown)


def _prompt(task: Judged, sample: Sample) -> str:
    request = task.request(sample)
    parts = () if request is None else request.messages[-1].parts
    return " ".join(" ".join(part.text for part in parts if isinstance(part, Text)).split())


def _line(asked: Asked) -> str:
    reply = f"no judgement: {asked.said.failure}" if asked.said.failure else asked.said.text
    return f"{asked.question} | {' '.join(reply.split())}"


def judged_sheet(shown: Sequence[Shown], columns: int, size: int) -> PilImage:
    """Samples one below the other, images side by side, each with its questions and replies to the right.

    Args:
        columns: images per line that there would be without text; a third of them fit.
        size: edge of an image in pixels.
    """
    from PIL import Image as pil
    from PIL import ImageDraw

    font, line = font_for(size)
    across = max(1, columns // (1 + _TEXT))
    room = _TEXT * size
    cell = size + room + 2 * GAP
    width = across * cell + GAP
    blocks: list[tuple[list[str], list[list[tuple[str, Image, list[str]]]]]] = []
    for one in shown:
        head = [*([one.heading] if one.heading else []), *wrapped(one.prompt, font, width - 2 * GAP, 3)]
        cells = [
            (label, image, [text for note in notes for text in wrapped(note, font, room, _LINES)])
            for (label, image), notes in zip(one.images, one.notes, strict=True)
        ]
        blocks.append((head, [cells[i : i + across] for i in range(0, len(cells), across)]))
    heights = [
        len(head) * line + sum(_height(row, line, size) for row in rows) + 2 * GAP for head, rows in blocks
    ]
    sheet = pil.new("RGB", (width, sum(heights) + GAP), PAPER)
    pen = ImageDraw.Draw(sheet)
    top = GAP
    for (head, rows), height in zip(blocks, heights, strict=True):
        y = top
        for text in head:
            pen.text((GAP, y), fit(text, font, width - 2 * GAP), fill=INK, font=font)
            y += line
        for row in rows:
            for place, (label, image, lines) in enumerate(row):
                left = GAP + place * cell
                pen.text((left, y), fit(label, font, size), fill=FAINT, font=font)
                sheet.paste(thumbnail(image, size), (left, y + line))
                for number, text in enumerate(lines):
                    pen.text((left + size + GAP, y + (number + 1) * line), text, fill=INK, font=font)
            y += _height(row, line, size)
        top += height
    return sheet


def _height(row: Sequence[tuple[str, Image, list[str]]], line: int, size: int) -> int:
    return line + max(size, max(len(lines) for _, _, lines in row) * line) + GAP
