"""Cycles' samples: UniBench's file, tables with one question a row, and the miniature's scenes."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType

from pydantic import Field, field_validator

from evalsuite.errors import DataError
from evalsuite.task import Kind, Located
from evalsuite.task.miniature import PromptTruth
from evalsuite.task.readers import (
    McqSettings,
    TableRow,
    compiled,
    field,
    image_cell,
    read_json,
    read_lines,
    reader,
    table_rows,
    text_of_cell,
)

from .choices import Choices, is_number
from .judged_readers import read_judged
from .puzzle_readers import read_moves
from .records import CycleQuestion, CycleSample
from .unified import read_jigsaw, read_mme_unify, read_ueg, read_ueval

_LETTERS = "ABCDE"
_TAGS = ("L0", "L1", "L2")


def read_unibench(source: Located) -> Iterator[CycleSample]:
    """`questions` (`uni_bench.json`): prompts, each with its questions of five options in the second line.

    Raises:
        DataError: a field is missing or of another type, options or tags are of another form.
    """
    path = source.path("questions")
    rows = read_json(path)
    if not isinstance(rows, list):
        raise DataError(f"{path} must be a list of prompts.", "Is this UniBench's uni_bench.json?")
    for position, row in enumerate(rows):
        where = f"{path}, prompt {position}"
        asked = tuple(_unibench(one, where) for one in field(row, "QAs", list, where))
        name = str(row.get("prompt_id", position))
        yield CycleSample(name, {"prompt": field(row, "prompt", str, where)}, asked, labels={"prompt": name})


def _unibench(row: dict[str, object], where: str) -> CycleQuestion:
    where = f"{where}, question {row.get('QA_id')}"
    text = field(row, "question", str, where)
    lines = text.split("\n")
    options = [one.split(",")[0] for one in lines[1].split(") ")[1:]] if len(lines) > 1 else []
    if len(options) != len(_LETTERS):
        raise DataError(
            f"{where} has {len(options)} options instead of {len(_LETTERS)}.", "Is the file complete?"
        )
    right = field(row, "answer", str, where)
    if right not in _LETTERS:
        raise DataError(f"{where}: the answer is {right!r:.20}, none of A to E.")
    tags = field(row, "tag", str, where).split(", ")
    if len(tags) != len(_TAGS):
        raise DataError(f"{where}: the tag {row.get('tag')!r:.60} has not three parts.")
    labels = dict(zip(_TAGS, tags, strict=True))
    return CycleQuestion(text, (right,), dict(zip(_LETTERS, options, strict=True)), labels=labels)


class CycleSettings(McqSettings):
    """What a source may say under `settings` for `cycle-table`."""

    fields: tuple[str, ...] = ()
    """Columns that templates show as texts, besides the question."""
    letters: str = "ABCD"
    """The options of a question that stand in its text; empty: the question is open."""
    pictures: dict[str, str] = Field(default_factory=dict)
    """Field of templates -> its column of an image, besides `image`."""
    turned: dict[str, str] = Field(default_factory=dict)
    """Entry of an open answer -> what the answer is that is meant."""
    found: str = ""
    """Regular expression: an open answer is its first group in the cell (a part of a file's name)."""
    written: dict[str, str] = Field(default_factory=dict)
    """Character of an open answer -> what may stand in its place."""
    numbers: tuple[str, ...] = ()
    """Columns that together are the right answer of an open question, in this order."""
    strip: bool = False
    """The question is asked without its outer white space."""
    choices: Choices = Choices()
    """How the options of the column `options` are written behind the question."""
    fractions: bool = False
    """Of `fields`: a whole number of a column of fractions keeps its point (1.0), as Python writes it."""

    @field_validator("found")
    @classmethod
    def _compiles(cls, value: str) -> str:
        return compiled(value)


@reader(
    "cycle-table",
    makes=CycleSample,
    columns={
        "id": "unique; default: the row's place",
        "question": "the question, with its options; none where templates hold it",
        "answer": "the right letter; of an open question its answer, or a list (or the text of one). Without "
        "this column nothing is asked",
        "image": "the image that the cycle begins with",
        "options": "the texts of the options, to be written behind the question; null: they are in the image",
    },
    settings=CycleSettings,
)
def read_cycles(source: Located, settings: CycleSettings) -> Iterator[CycleSample]:
    """Cycles with at most one question each, from one table.

    Raises:
        DataError: a column is missing, the answer is none of the letters.
    """
    letters = dict.fromkeys(settings.letters, "")
    more = (*settings.fields, *settings.pictures.values(), *settings.numbers)
    for row in table_rows(source, settings, more):
        problem = row.problem
        images = {"image": row.images} if row.images else {}
        for name, column in settings.pictures.items():
            try:
                images[name] = (image_cell(row.cells[column], f"{row.where}, {column}"),)
            except DataError as error:
                problem = problem or str(error)
        asked: tuple[CycleQuestion, ...] = ()
        if "answer" in source.columns or settings.numbers:
            text = text_of_cell(row.fields.get("question"))
            text = text.strip() if settings.strip else text
            options = letters
            if "options" in row.fields:
                text, options = settings.choices.behind(text, row.fields["options"], letters, row.where)
            kind: Kind = "letters" if letters else "open"
            asked = (CycleQuestion(text, _answers(row, settings), options, kind, row.labels),)
        yield CycleSample(
            row.id,
            {name: _field_text(row.cells[name], settings) for name in settings.fields},
            asked,
            images,
            row.labels,
            row.cluster,
            problem=problem,
        )


def _field_text(cell: object, settings: CycleSettings) -> str:
    return str(cell) if settings.fractions and isinstance(cell, float) else text_of_cell(cell)


def _answers(row: TableRow, settings: CycleSettings) -> tuple[str, ...]:
    """The right letter, or the entries of an open answer. Raises DataError for what is none of the letters,
    and for no answer."""
    if settings.numbers:
        parts = {name: text_of_cell(row.cells[name]) for name in settings.numbers}
        for name, text in parts.items():
            if not is_number(text):
                raise DataError(f"{row.where}: {name} is {text!r:.40}, not a number.")
        return tuple(parts.values())
    cell = row.fields.get("answer")
    if settings.letters:
        right = text_of_cell(cell).strip().strip("()").upper()
        if right not in tuple(settings.letters):
            raise DataError(
                f"{row.where}: the answer {right!r:.20} is none of {', '.join(settings.letters)}."
            )
        return (right,)
    if settings.found:
        inside = re.search(settings.found, text_of_cell(cell))
        if inside is None:
            raise DataError(f"{row.where}: there is no answer in {cell!r:.60}.", "Is the right column named?")
        written = [inside[1]] + [inside[1].replace(*pair) for pair in settings.written.items()]
        cell = list(dict.fromkeys(written))
    if isinstance(cell, str) and cell.lstrip().startswith("["):
        try:
            cell = json.loads(cell)
        except ValueError:
            raise DataError(f"{row.where}: the answer {cell!r:.40} is not the text of a list.") from None
    found = [text_of_cell(one) for one in (cell if isinstance(cell, list) else [cell])]
    if not any(found):
        raise DataError(f"{row.where} has no answer.", "Is the table complete, and the right column named?")
    return tuple(settings.turned.get(one.lower(), one) for one in found)


def read_scenes(source: Located) -> Iterator[CycleSample]:
    """The miniature's scenes: a caption that states colour and shape, and the colour of each of its things.

    `truth` is `scenes.jsonl`, `prompts` is `prompts.jsonl`, `images` a path with the field `image_id`.
    Scenes with two things of one shape are left out: "the circle" would be either.
    """
    truth = PromptTruth.read(source)
    seen: set[int] = set()
    for _, row in read_lines(source.path("prompts")):
        image_id = int(row["image_id"])
        if image_id in seen or not {"colour", "shape"} <= set(row["states"]):
            continue
        image = source.image("images", image_id=image_id)
        scene = truth.scene(image.name)
        shapes = [thing.shape for thing in scene.things]
        if len(set(shapes)) < len(shapes):
            continue
        seen.add(image_id)
        questions = tuple(
            CycleQuestion(
                f"what color is the {thing.shape}?", (thing.colour,), kind="open", about=thing.shape
            )
            for thing in scene.things
        )
        text = field(row, "text", str, f"the prompts of image {image_id}")
        yield CycleSample(
            str(image_id),
            {"prompt": text},
            questions,
            {"true": (image,)},
            truth.labels(image.name),
            truth=(str(image_id), image.name, text),
        )


READERS: Mapping[str, Callable[..., Iterator[CycleSample]]] = MappingProxyType(
    {
        "unibench-json": read_unibench,
        read_cycles.name: read_cycles,
        "mini-scenes": read_scenes,
        read_judged.name: read_judged,
        read_ueval.name: read_ueval,
        "realunify-ueg": read_ueg,
        "uni-mmmu-jigsaw": read_jigsaw,
        read_mme_unify.name: read_mme_unify,
        read_moves.name: read_moves,
    }
)
