"""Table readers that all families share: open questions, and questions answered by yes or no."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import field as member
from typing import Any

from pydantic import Field

from evalsuite.content import Image
from evalsuite.data.vqav2 import Question
from evalsuite.errors import DataError
from evalsuite.request import ADDED
from evalsuite.task.mcq import ListedForm, open_answers
from evalsuite.task.reading import reader
from evalsuite.task.sources import Located
from evalsuite.task.table_rows import TableRow, TableSettings, required_text, table_rows, text_of_cell

_SAID = {"yes": True, "no": False, "true": True, "false": False, "1": True, "0": False, "y": True, "n": False}


@dataclass(frozen=True, slots=True)
class YesNoQuestion:
    """A question whose answer is yes or no.

    Args:
        image: one, several, or none (an empty tuple).
        image_name: groups the questions about one image.
        label: whether the right answer is yes; None where it is not public.
        labels: for breakdowns and groups (pairs).
        details: the right answer in words, as a judge sees it; empty where there are none.
        problem: why the question cannot be asked (a damaged image); empty where it can.
    """

    id: str
    question: str
    image: Image | tuple[Image, ...]
    image_name: str
    label: bool | None
    labels: dict[str, str] = member(default_factory=dict, metadata=ADDED)
    problem: str = member(default="", metadata=ADDED)
    details: str = member(default="", metadata=ADDED)


class OpenSettings(TableSettings):
    """What a source may say under `settings` for `open-table`."""

    count: int | None = Field(default=None, ge=1)
    """Answers that every question must have; null: one or more."""
    listed: ListedForm | None = None
    """What an answer is that is the text of a list: one answer, or several."""


@reader(
    "open-table",
    makes=Question,
    columns={
        "id": "unique; default: the row's place",
        "question": "its text",
        "answers": "the right answer, or a list of those that count; left out where they are not public",
        "image": "the image, or a list of images",
        "image_id": "names the image: questions of one image are resampled together",
        "question_type": "label of that name",
        "answer_type": "label of that name",
        "ocr": "list of texts that a reader of print found in the image",
    },
    settings=OpenSettings,
)
def read_open(source: Located, settings: OpenSettings) -> Iterator[Question]:
    """Open questions with one or more right answers, from one table.

    Raises:
        DataError: a column is missing, a row has no question or no answer, another number of answers.
    """
    for row in table_rows(source, settings):
        ocr = row.fields.get("ocr")
        yield Question(
            id=row.id,
            image=_image(row),
            image_id=row.cluster,
            question=required_text(row, "question"),
            answers=open_answers(row.fields["answers"], row.where, settings.count, settings.listed)
            if "answers" in row.fields
            else (),
            question_type=text_of_cell(row.fields.get("question_type")),
            answer_type=text_of_cell(row.fields.get("answer_type")),
            ocr=tuple(map(str, ocr)) if ocr is not None else None,
            labels=row.labels,
            problem=row.problem,
        )


class YesNoSettings(TableSettings):
    """What a source may say under `settings` for `yesno-table`."""


@reader(
    "yesno-table",
    makes=YesNoQuestion,
    columns={
        "id": "unique (or made so by `settings: {id: …}`); default: the row's place",
        "question": "its text",
        "answer": "yes or no, true or false, 1 or 0; left out where it is not public",
        "details": "the right answer in words, for a judge",
        "image": "the image, or a list of images",
        "image_id": "names the image: questions of one image are resampled together",
    },
    settings=YesNoSettings,
)
def read_yes_no(source: Located, settings: YesNoSettings) -> Iterator[YesNoQuestion]:
    """Questions answered by yes or no, with labels that name their pairs and groups, from one table.

    Raises:
        DataError: a column is missing, a row has no question, an answer is neither yes nor no.
    """
    for row in table_rows(source, settings):
        yield YesNoQuestion(
            id=row.id,
            question=required_text(row, "question"),
            image=_image(row),
            image_name=row.cluster,
            label=yes(row.fields["answer"], row.where) if "answer" in row.fields else None,
            labels=dict(row.labels),
            problem=row.problem,
            details=text_of_cell(row.fields.get("details")),
        )


def yes(value: Any, where: str) -> bool:
    """Whether a cell says yes. Raises DataError where it says neither yes nor no.

    >>> [yes(value, "row 1") for value in ("Yes", "0", True, " no. ")]
    [True, False, True, False]
    """
    text = text_of_cell(value).strip().rstrip(".").lower()
    if text not in _SAID:
        raise DataError(
            f"{where}: the answer is {value!r:.40}, neither yes nor no.", "Is it the right column?"
        )
    return _SAID[text]


def _image(row: TableRow) -> Image | tuple[Image, ...]:
    return row.images[0] if len(row.images) == 1 else row.images
