"""Questions with options in every layout of the hub, and the table reader that understands them all.

Options stand in columns of their own, in a list, in the text of a list, or inside a text; the right answer is
a letter, a letter in parentheses, an index, or the text of an option. Whatever it is, it must be one of the
options: a table in which it is not would give every model 0.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from dataclasses import field as member
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from evalsuite.content import Document, Image, Part, Text
from evalsuite.data.literals import read_literal
from evalsuite.data.table import image_cell
from evalsuite.data.vqav2 import human_answers
from evalsuite.errors import DataError
from evalsuite.request import ADDED
from evalsuite.task.reading import reader
from evalsuite.task.sources import Located
from evalsuite.task.table_rows import (
    TableRow,
    TableSettings,
    compiled,
    expand,
    required_text,
    table_rows,
    text_of_cell,
)

LETTERS = string.ascii_uppercase
_MARK = re.compile(r"<image ?([1-9][0-9]?)>")
AnswerForm = Literal["letter", "(letter)", "index", "index-from-1", "text"]
"""How a table gives the right answer: `A`, `(A)`, a position from 0 or from 1, or the text of an option."""


@dataclass(frozen=True, slots=True)
class McqQuestion:
    """One question; without options it is open.

    Args:
        images: those that no mark in the text stands for; they are shown where the template says.
        question, options: text, with images where the benchmark's marks stood; options by letter.
        answers: the right letter, or what is accepted of an open answer; empty where it is not public.
        written: the options as the file writes them, with its marks for images, where it has any.
        cluster: questions of one cluster (one image, one pair) are resampled together; empty: alone.
        problem: why the question cannot be asked (a damaged image); empty where it can.
    """

    id: str
    question: Document
    options: Mapping[str, Document]
    answers: tuple[str, ...]
    images: tuple[Image, ...] = ()
    hint: str = ""
    labels: Mapping[str, str] = member(default_factory=dict)
    written: Mapping[str, str] = member(default_factory=dict)
    cluster: str = member(default="", metadata=ADDED)
    problem: str = member(default="", metadata=ADDED)

    def texts(self) -> Mapping[str, str]:
        """The options' text by letter, as an answer is compared with it."""
        return self.written or {
            letter: "".join(part.text for part in parts if isinstance(part, Text))
            for letter, parts in self.options.items()
        }


class InText(BaseModel):
    """Options that stand inside a text."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    column: str = Field(alias="in")
    """The column whose text holds them."""
    pattern: str
    """Regular expression of one option: its groups are the letter and the text. Rows without a match are open
    questions."""
    after: str = ""
    """They stand behind the last occurrence of these words."""

    @field_validator("pattern")
    @classmethod
    def _groups(cls, value: str) -> str:
        if re.compile(compiled(value)).groups != 2:
            raise ValueError(f"{value!r} needs two groups: the letter and the text of an option")
        return value

    def options(self, text: str, where: str) -> dict[str, str]:
        """Letter -> text, in their order; none where nothing matches.

        Raises:
            DataError: a letter occurs twice, letters are not A, B, C … in that order.
        """
        place = text.rfind(self.after) if self.after else 0
        found = re.findall(self.pattern, text[place:]) if place >= 0 else []
        letters = [letter.upper() for letter, _ in found]
        if letters != [*LETTERS[: len(letters)]]:
            raise DataError(
                f"{where}: the options in {self.column} are lettered {', '.join(letters)}.",
                "They must be A, B, C …, each once: correct the pattern (or the row).",
            )
        return dict(zip(letters, (text.strip() for _, text in found), strict=True))


class Lettered(BaseModel):
    """Options that stand in the question and are not read: only their letters are known."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    letters: str = Field(min_length=2, pattern="^[A-Z]+$")
    """`ABCD`. Rules that read an option's text find none."""
    otherwise: Literal["error", "open"] = "error"
    """What a row is whose answer is none of the letters: a mistake, or an open question."""


class McqSettings(TableSettings):
    """What a source may say under `settings` for `mcq-table`."""

    options: str | tuple[str, ...] | InText | Lettered | None = None
    """`[A, B, C, D]`: columns (`choice_*` stands for several; those that are empty at the end are no option);
    `choices`: a column with a list, or the text of one; `{in: question, pattern: …}`: inside a text;
    `{letters: ABCD, otherwise: open}`: inside the question, unread. Default: the column of `columns:
    {options: …}`. Without it, and in rows without options, questions are open."""
    answer: AnswerForm = "letter"
    """How the table gives the right answer of a question with options."""
    listed: Literal["one", "list"] | None = None
    """What an open answer is that is the text of a list: one answer, or several."""
    doubled: Literal["error", "any"] = "error"
    """Of `answer: text`: what an answer is that is the text of two options: a mistake, or either of them."""
    one_option: Literal["error", "keep"] = "error"
    """What a row with one option is: a mistake, or a question whose answer may be none of it (MMMU-Pro's)."""
    marks: str = ""
    """Column of the image that `<image 1>` in a text stands for: `image_{}`; or `@images`: the first of the
    row's images."""
    unreadable: Literal["error", "fail"] = "error"
    """What a row is whose answer is none of its options, or whose options have a gap: a mistake of the table,
    or the failure of that row."""


@reader(
    "mcq-table",
    makes=McqQuestion,
    columns={
        "id": "unique; default: the row's place",
        "question": "its text; may be left out where images say it all",
        "options": "a list of options, or the text of one",
        "answer": "the right answer; left out where it is not public",
        "image": "the image, or a list of images",
        "hint": "context that some questions have",
        "image_id": "names the image: questions of one image are resampled together",
    },
    settings=McqSettings,
)
def read_mcq(source: Located, settings: McqSettings) -> Iterator[McqQuestion]:
    """Questions with options (multiple choice) from one table, in all layouts of the hub.

    Raises:
        DataError: a column is missing, a row has no question or one option, the answer is none of them.
    """
    columns = _option_columns(settings)
    marked = [settings.marks.replace("{}", "*")] if "{}" in settings.marks else []
    for row in table_rows(source, settings, (*columns, *marked)):
        question = required_text(row, "question") if "question" in row.fields else ""
        try:
            texts = _texts(row, settings)
            answers = _answers(row, texts, settings)
        except DataError as error:
            if settings.unreadable == "error":
                raise
            texts, answers, row = {}, (), replace(row, problem=row.problem or str(error))
        yield _question(row, question, texts, answers, settings)


_NOTHING = ("", "None", "nan")
"""A cell without a list, as a table of text writes it."""


def options_of(value: Any, where: str) -> list[str]:
    """The options of a cell: a list, or the text of one as Python or JSON writes it; none where it is empty.

    Raises:
        DataError: it is neither, or one of several options is empty.

    >>> options_of("['a', 'b']", "row 1")
    ['a', 'b']
    """
    if value is None or (isinstance(value, str) and value.strip() in _NOTHING):
        return []
    if isinstance(value, str):
        value = _parsed(value, where)
    if not isinstance(value, list | tuple):
        raise DataError(f"{where}: the options are {type(value).__name__} {value!r:.40}, not a list.")
    texts = [text_of_cell(option) for option in value]
    for place, text in enumerate(texts):
        if not text.strip():
            raise DataError(f"{where}: option {place + 1} of {len(texts)} is empty.", "Correct the row.")
    return texts


def right_letter(value: Any, options: Mapping[str, str], form: AnswerForm, where: str) -> str:
    """The letter of the right option.

    Args:
        value: the table's cell.
        options: letter -> text.

    Raises:
        DataError: it is none of the options, or the text of two.

    >>> right_letter("(b)", {"A": "cat", "B": "dog"}, "(letter)", "row 1")
    'B'
    """
    found = _letters_meant(value, options, form)
    if len(found) == 1:
        return found[0]
    if found:
        raise DataError(f"{where}: the answer {value!r:.40} is the text of options {' and '.join(found)}.")
    others = [other for other in _FORMS if len(_letters_meant(value, options, other)) == 1]
    raise DataError(
        f"{where}: the answer {value!r:.40} is none of the options {', '.join(options)} ({form}).",
        f"Would `answer: {' or '.join(others)}` read it?" if others else "Is the right column named?",
    )


_FORMS: tuple[AnswerForm, ...] = ("letter", "(letter)", "index", "index-from-1", "text")


def _letters_meant(value: Any, options: Mapping[str, str], form: AnswerForm) -> list[str]:
    text = text_of_cell(value)
    if form == "text":
        return [letter for letter, option in options.items() if option.strip() == text.strip() != ""]
    text = text.strip()
    if form in ("index", "index-from-1"):
        if not re.fullmatch(r"[0-9]+", text) or isinstance(value, bool):
            return []
        place = int(text) - (form == "index-from-1")
        return [*options][place : place + 1] if place >= 0 else []
    if form == "(letter)":
        inner = re.fullmatch(r"\(([A-Za-z])\)", text)
        text = inner[1] if inner else ""
    return [text.upper()] if len(text) == 1 and text.upper() in options else []


def _parsed(text: str, where: str) -> Any:
    try:
        return read_literal(text)
    except ValueError as error:
        raise DataError(f"{where}: the options {text!r:.60} are not the text of a list.") from error


def _option_columns(settings: McqSettings) -> tuple[str, ...]:
    match settings.options:
        case str() as column:
            return (column,)
        case tuple() as columns:
            return columns
        case InText() as inside:
            return (inside.column,)
    return ()


def _texts(row: TableRow, settings: McqSettings) -> dict[str, str]:
    """Letter -> option of a row; none where the question is open."""
    match settings.options:
        case InText() as inside:
            return _enough(inside.options(text_of_cell(row.cells[inside.column]), row.where), row.where)
        case Lettered() as unread:
            options = dict.fromkeys(unread.letters, "")
            known = _letters_meant(row.fields.get("answer"), options, settings.answer)
            return options if known or unread.otherwise == "error" else {}
        case tuple() as columns:
            cells = [text_of_cell(row.cells[name]) for name in expand(columns, row.cells)]
            while cells and not cells[-1].strip():
                cells.pop()
            texts = options_of(cells, row.where)
        case str() as column:
            texts = options_of(row.cells[column], row.where)
        case _:
            texts = options_of(row.fields.get("options"), row.where)
    if len(texts) > len(LETTERS):
        raise DataError(f"{row.where} has {len(texts)} options; there are {len(LETTERS)} letters.")
    lettered = dict(zip(LETTERS, texts, strict=False))
    return lettered if settings.one_option == "keep" else _enough(lettered, row.where)


def _enough(options: dict[str, str], where: str) -> dict[str, str]:
    if len(options) == 1:
        raise DataError(f"{where} has one option.", "Is the table complete?")
    return options


def _answers(row: TableRow, options: Mapping[str, str], settings: McqSettings) -> tuple[str, ...]:
    if "answer" not in row.fields:
        return ()
    value = row.fields["answer"]
    if options and settings.doubled == "any" and settings.answer == "text":
        found = _letters_meant(value, options, "text")
        if found:
            return tuple(found)
    if len(options) == 1 and text_of_cell(value) not in options:
        return (text_of_cell(value),)
    if options:
        return (right_letter(value, options, settings.answer, row.where),)
    return open_answers(value, row.where, listed=settings.listed)


ListedForm = Literal["one", "list"]
"""What the text of a list (`"['a', 'b']"`) is as an open answer: one answer that looks so, or several."""


def open_answers(
    value: Any, where: str, count: int | None = None, listed: ListedForm | None = None
) -> tuple[str, ...]:
    """What is accepted of an open answer: a string or number is one answer, a list is several.

    Args:
        count: answers that there must be; None: one or more.
        listed: what the text of a list is; None: it is an error, because as one answer nobody would give it.

    Raises:
        DataError: there is none, or another number than `count`.

    >>> open_answers("['a', 'b']", "row 1", listed="list")
    ('a', 'b')
    """
    if isinstance(value, str) and value.lstrip().startswith("[") and listed != "one":
        found = _listed_answers(value)
        if found is not None and listed is None:
            raise DataError(
                f"{where}: the answer {value!r:.40} is the text of a list.",
                "Say `settings: {listed: list}` (several answers) or `{listed: one}` (one that looks so).",
            )
        value = value if found is None else found
    if not isinstance(value, list | tuple):
        value = text_of_cell(value)
        if not value.strip():
            raise DataError(f"{where} has no answer.", "Is the right column named?")
    else:
        value = [text_of_cell(one) if isinstance(one, int | float) else one for one in value]
    return human_answers(value, where, count)


def _listed_answers(text: str) -> list[Any] | None:
    with suppress(DataError):
        return found if isinstance(found := _parsed(text, ""), list) else None
    return None


def _question(
    row: TableRow,
    question: str,
    texts: Mapping[str, str],
    answers: tuple[str, ...],
    settings: McqSettings,
) -> McqQuestion:
    images, problem = row.images, row.problem
    parts: Document = (Text(question),) if question else ()
    options: dict[str, Document] = {letter: (Text(text),) if text else () for letter, text in texts.items()}
    if settings.marks and not problem:
        try:
            parts = _placed(question, row, settings.marks)
            options = {letter: _placed(text, row, settings.marks) for letter, text in texts.items()}
        except DataError as error:
            problem = str(error)
        if any(isinstance(part, Image) for each in (parts, *options.values()) for part in each):
            images = ()
    return McqQuestion(
        id=row.id,
        question=parts,
        options=options,
        answers=answers,
        images=images,
        hint=text_of_cell(row.fields.get("hint")),
        labels=row.labels,
        written=dict(texts) if settings.marks else {},
        cluster=row.cluster,
        problem=problem,
    )


def _placed(text: str, row: TableRow, marks: str) -> Document:
    """A text with images where its marks stand; a mark that has no column stays text."""
    parts: list[Part] = []
    rest = ""
    for place, piece in enumerate(_MARK.split(text)):
        if place % 2 and marks == "@images" and int(piece) <= len(row.images):
            parts += [*([Text(rest)] if rest else []), row.images[int(piece) - 1]]
            rest = ""
            continue
        column = marks.replace("{}", piece)
        if place % 2 == 0 or column not in row.cells:
            rest += piece if place % 2 == 0 else f"<image {piece}>"
            continue
        if rest:
            parts.append(Text(rest))
            rest = ""
        if row.cells[column] is None:
            raise DataError(f"{row.where} shows <image {piece}>, but {column} is empty.")
        parts.append(image_cell(row.cells[column], f"{row.where}, {column}"))
    return (*parts, Text(rest)) if rest else tuple(parts)


__all__: Sequence[str] = (
    "InText", "Lettered", "McqQuestion", "McqSettings", "open_answers", "options_of", "read_mcq",
    "right_letter",
)  # fmt: skip
