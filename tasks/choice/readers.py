"""Multiple-choice questions with their rotated copies, from MMBench's TSV and from hub columns."""

from __future__ import annotations

import string
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from evalsuite.content import Image
from evalsuite.errors import DataError
from evalsuite.task import Located
from evalsuite.task.readers import ImageTable, image_cell, read_table

_DIGITS = 18
"""Of an index at most; Python itself refuses numbers of more than 4,300."""
ROTATION = 1_000_000
"""Row `i + k * ROTATION` is the k-th rotated copy of row `i`."""
LETTERS = string.ascii_uppercase
_ABSENT = frozenset({"", "nan", "NaN", "None", "none"})
"""How an empty hint or answer reads after a data frame has been through it."""


@dataclass(frozen=True, slots=True)
class Rotation:
    """One order of the options.

    Args:
        options: letter -> text of the options that are there.
        answer: the right letter; empty where it is not public.
    """

    options: Mapping[str, str]
    answer: str


@dataclass(frozen=True, slots=True)
class ChoiceQuestion:
    """A multiple-choice question with all rotations of its options; the first is the original order.

    Args:
        image: None where the file's image is damaged; `problem` then says how.
        l2, l3: MMBench's abilities (columns `l2-category` and `category`); empty where there are none.
    """

    id: str
    question: str
    hint: str
    rotations: tuple[Rotation, ...]
    image: Image | None
    problem: str = ""
    l2: str = ""
    l3: str = ""
    split: str = ""


def read_tsv(source: Located) -> Iterator[ChoiceQuestion]:
    """MMBench's TSV (`table`), in the order of the original rows; images are read one at a time.

    Rotated copies show the image of the original row, as in the official files, where they refer to it. With
    the setting `answers: hidden` the file needs no column `answer`, as the test splits have none.

    Raises:
        DataError: as `evalsuite.data.tsv.ImageTable`; a rotation without its original, an answer that is no
            option, a rotated copy with another question.
    """
    path = source.path("table")
    hidden = source.settings.get("answers") == "hidden"
    table = ImageTable(path, required=("question", "A", "B", *(() if hidden else ("answer",))))
    for rows in _groups((f"{path}, index {row['index']}", row) for row in table.rows()):
        where, first = rows[0]
        image, problem = None, ""
        try:
            image = table.image(first["index"])
        except DataError as error:
            problem = str(error)
        for place, row in rows[1:]:
            own = table.holder(row["index"])
            if own not in (first["index"], table.holder(first["index"])) and image is not None:
                try:
                    copied = table.image(own)
                except DataError as error:
                    image, problem = None, str(error)
                    break
                _same_image(image, copied, place)
        yield _question(where, rows, image, problem)


def read_columns(source: Located) -> Iterator[ChoiceQuestion]:
    """The same from a table (`table`) with the columns index, question, hint, A to D, answer, image …

    The texts are read first and the images afterwards, so that only one batch of images is in memory. The
    hub's copies went through a data frame, which wrote "nan" into empty cells: such cells are empty here.
    """
    paths = source.paths("table")
    columns = dict(source.columns)
    image_column = columns.pop("image")
    texts = (
        (where, {name: "" if value == "nan" else _text(value) for name, value in row.items()})
        for where, row in read_table(paths, columns)
    )
    groups = {rows[0][1]["index"]: rows for rows in _groups(texts)}
    image_columns = {"index": columns["index"], "image": image_column}
    for where, row in read_table(paths, image_columns):
        rows = groups.get(_text(row["index"]))
        if rows is None:
            continue  # a rotated copy: it shows the image of its original
        image, problem = None, ""
        try:
            found = image_cell(row["image"], f"{where} (index {row['index']})")
            image, problem = (None, found.problem) if found.problem else (found, "")
        except DataError as error:
            problem = str(error)
        yield _question(where, rows, image, problem)


READERS = MappingProxyType({"mmbench-tsv": read_tsv, "mmbench-table": read_columns})


_Row = tuple[str, dict[str, str]]


def _groups(rows: Iterator[_Row]) -> Iterator[list[_Row]]:
    """The rows of each question: the original first, then its rotations in the order of their index."""
    groups: dict[int, list[tuple[int, _Row]]] = {}
    for where, row in rows:
        index = row["index"]
        if not index.removesuffix(".0").isdecimal() or len(index) > _DIGITS:
            raise DataError(f"{where}: the index is {index!r}, not a number.", "Is this MMBench's file?")
        turn, number = divmod(int(index.removesuffix(".0")), ROTATION)
        groups.setdefault(number, []).append((turn, (where, row)))
    if not groups:
        raise DataError("The table has no rows.", "Fetch it again.")
    for members in groups.values():
        members.sort(key=lambda member: member[0])
        turns = [turn for turn, _ in members]
        where = members[0][1][0]
        if turns[0] != 0:
            raise DataError(
                f"{where} is a rotated copy whose original row is missing.", "Is the file complete?"
            )
        if len(set(turns)) != len(turns):
            raise DataError(f"{where}: an index occurs twice.", "Remove one of the two.")
        yield [row for _, row in members]


def _question(where: str, rows: list[_Row], image: Image | None, problem: str) -> ChoiceQuestion:
    first = rows[0][1]
    for place, row in rows[1:]:
        if row["question"] != first["question"]:
            raise DataError(f"{place} is a rotated copy, but its question is another than that of {where}.")
    return ChoiceQuestion(
        id=first["index"],
        question=first["question"],
        hint="" if first.get("hint", "") in _ABSENT else first["hint"],
        rotations=tuple(_rotation(place, row) for place, row in rows),
        image=image,
        problem=problem,
        l2=first.get("l2-category", ""),
        l3=first.get("category", ""),
        split=first.get("split", ""),
    )


def _rotation(where: str, row: dict[str, str]) -> Rotation:
    # An option may well say "None" or "nan" (a data frame would drop it): only an empty cell is no option.
    options = {letter: row[letter] for letter in LETTERS if row.get(letter, "")}
    answer = row.get("answer", "").strip()
    answer = "" if answer in _ABSENT else answer
    if len(options) < 2:
        raise DataError(f"{where} has {len(options)} options.", "Is the file complete?")
    if answer and answer not in options:
        raise DataError(f"{where}: the answer {answer!r} is none of the options {', '.join(options)}.")
    return Rotation(options, answer)


def _same_image(one: Image, other: Image, where: str) -> None:
    if one.data != other.data:
        raise DataError(f"{where} is a rotated copy, but its image is another than the original row's.")


def _text(value: Any) -> str:
    """A table's cell as the TSV has it: whole numbers without fraction, nothing for null."""
    if value is None or (isinstance(value, float) and value != value):
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
