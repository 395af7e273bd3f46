"""Questions whose answers a judge compares with the right one (UniG2U)."""

from __future__ import annotations

import base64
import binascii
import string
from collections.abc import Iterator
from typing import Any

from pydantic import Field

from evalsuite.content import Image
from evalsuite.errors import DataError
from evalsuite.task import Located
from evalsuite.task.readers import TableRow, TableSettings, options_of, reader, table_rows, text_of_cell

from .choices import Choices
from .records import CycleSample, Rubric


class JudgedSettings(TableSettings):
    """What a source may say under `settings` for `cycle-judged`."""

    fields: tuple[str, ...] = ()
    """Columns that templates and the judge's wordings show as texts."""
    strip: bool = False
    """The model is asked without the question's outer white space; the judge sees the question with it."""
    choices: Choices = Choices()
    """How options are written behind the question."""
    lettered: dict[str, str] = Field(default_factory=dict)
    """Column -> its value in rows whose options are shown and whose right answer is a letter."""
    place: str = ""
    """Column of those rows: the place of the right option, from 0."""
    first_image: bool = False
    """Of several images only the first is shown."""
    encoded: str = ""
    """Column of the image as base64, instead of the column `image`."""


@reader(
    "cycle-judged",
    makes=CycleSample,
    columns={
        "id": "unique; default: the row's place",
        "question": "the question",
        "answer": "the right answer in words",
        "options": "the texts of the options, of rows that are lettered",
        "image": "the image that is asked about",
    },
    settings=JudgedSettings,
)
def read_judged(source: Located, settings: JudgedSettings) -> Iterator[CycleSample]:
    """Questions with one right answer, which is the rubric of the judge's wording `answer`, or, in rows that
    are lettered, `letter`. Templates show the question with its options as `asked`, alone as `question`.

    Raises:
        DataError: a column is missing, a row has no question, no answer, or options of which none is right.
    """
    encoded = (settings.encoded,) if settings.encoded else ()
    place = (settings.place,) if settings.place else ()
    for row in table_rows(source, settings, (*settings.fields, *settings.lettered, *place, *encoded)):
        question = _given(row, "question")
        lettered = any(text_of_cell(row.cells[name]) == value for name, value in settings.lettered.items())
        asked = question.strip() if settings.strip else question
        options = options_of(row.fields.get("options"), row.where) if lettered else []
        if len(options) > len(string.ascii_uppercase):
            raise DataError(f"{row.where} has {len(options)} options; there are 26 letters.")
        if options:
            letters = dict.fromkeys(string.ascii_uppercase[: len(options)], "")
            asked = settings.choices.behind(asked, options, letters, row.where)[0].rstrip()
        shown = row.images[:1] if settings.first_image else row.images
        images, problem = {"image": shown} if shown else {}, row.problem
        if encoded:
            try:
                images = {"image": (_decoded(row.cells[settings.encoded], row.where),)}
            except DataError as error:
                problem = problem or str(error)
        right = _letter(row.cells[settings.place], options, row.where) if lettered else _given(row, "answer")
        yield CycleSample(
            row.id,
            {
                **{name: str(row.cells[name]) for name in settings.fields},
                "question": question,
                "asked": asked,
            },
            (),
            images,
            row.labels,
            row.cluster,
            problem=problem,
            rubrics=(Rubric("letter" if lettered else "answer", right),),
        )


def _given(row: TableRow, name: str) -> str:
    """A field as Python writes it: the official prompts are Python's. Raises DataError where it is empty."""
    if not text_of_cell(row.fields.get(name)).strip():
        raise DataError(f"{row.where} has no {name}.", "Is the table complete, and the right column named?")
    return str(row.fields[name])


def _letter(cell: Any, options: list[str], where: str) -> str:
    text = text_of_cell(cell)
    if not text.isdecimal() or int(text) >= (len(options) or len(string.ascii_uppercase)):
        raise DataError(f"{where}: the right option is {text!r:.20}, none of {len(options)} from 0.")
    return string.ascii_uppercase[int(text)]


def _decoded(cell: Any, where: str) -> Image:
    try:
        return Image(data=base64.b64decode("".join(text_of_cell(cell).split()), validate=True), name=where)
    except (binascii.Error, ValueError) as error:
        raise DataError(
            f"{where}: the image is not complete base64 ({error}).", "Is the table complete?"
        ) from error
