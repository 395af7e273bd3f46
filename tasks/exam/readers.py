"""Questions with options: ScienceQA's, SEED-Bench's and MMMU's, from official files and hub columns."""

from __future__ import annotations

import ast
import csv
import re
import string
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from evalsuite.content import Document, Image, Part, Text
from evalsuite.errors import DataError
from evalsuite.task import Located
from evalsuite.task.readers import McqQuestion as Question
from evalsuite.task.readers import field, image_cell, read_json, read_table, right_letter

LETTERS = string.ascii_uppercase
_MARK = re.compile(r"<image ([1-7])>")
"""The table has columns for seven images; the options of one question (validation_Math_7) were written with
marks up to 30: those stay text."""
DISCIPLINES = MappingProxyType(
    {
        subject: discipline
        for discipline, subjects in {
            "Art and Design": "Art Art_Theory Design Music",
            "Business": "Accounting Economics Finance Manage Marketing",
            "Science": "Biology Chemistry Geography Math Physics",
            "Health and Medicine": "Basic_Medical_Science Clinical_Medicine Pharmacy Public_Health "
            "Diagnostics_and_Laboratory_Medicine",
            "Humanities and Social Science": "History Literature Sociology Psychology",
            "Tech and Engineering": "Agriculture Architecture_and_Engineering Computer_Science Electronics "
            "Energy_and_Power Materials Mechanical_Engineering",
        }.items()
        for subject in subjects.split()
    }
)
"""MMMU's subject -> discipline, as its tables have them (`mmmu/utils/data_utils.py`)."""


def read_scienceqa(source: Located) -> Iterator[Question]:
    """`problems` (`problems.json`) that `splits` (`pid_splits.json`) lists under the setting `split`,
    those with an image; `images` is a path with the fields `pid` and `image`.

    Raises:
        DataError: a field is missing or of another type, a problem of the split is not in the file.
    """
    path, splits = source.path("problems"), source.path("splits")
    problems = read_json(path)
    for pid in field(read_json(splits), source.settings.get("split", "test"), list, str(splits)):
        row = field(problems, str(pid), dict, str(path))
        where = f"{path}, problem {pid}"
        if not row.get("image"):
            continue
        image = source.image("images", pid=pid, image=row["image"])
        yield _scienceqa(str(pid), row, image, where)


def read_scienceqa_table(source: Located) -> Iterator[Question]:
    """The same from a table: image, question, choices, answer, hint, subject, topic; ids are positions."""
    for position, (where, row) in enumerate(read_table(source.paths("table"), source.columns)):
        yield _scienceqa(str(position), row, image_cell(row["image"], where), where)


def _scienceqa(name: str, row: Mapping[str, Any], image: Image, where: str) -> Question:
    choices = field(row, "choices", list, where)
    options = {letter: (Text(str(choice)),) for letter, choice in zip(LETTERS, choices, strict=False)}
    right = field(row, "answer", int, where)
    if not 0 <= right < len(options):
        raise DataError(f"{where}: the answer is {right}, and there are {len(options)} choices.")
    question = (Text(field(row, "question", str, where)),)
    labels = {key: str(row[key]) for key in ("subject", "topic") if row.get(key)}
    return Question(name, question, options, (LETTERS[right],), (image,), str(row.get("hint") or ""), labels)


def read_seed(source: Located) -> Iterator[Question]:
    """`questions` (`SEED-Bench.json`): those about images; `images` is a path with the field `data_id`.

    Raises:
        DataError: a field is missing or of another type.
    """
    path = source.path("questions")
    data = read_json(path)
    names = {number: name for name, number in field(data, "question_type", dict, str(path)).items()}
    for position, row in enumerate(field(data, "questions", list, str(path))):
        where = f"{path}, question {row.get('question_id', position)}"
        if row.get("data_type") == "image":
            image = source.image("images", data_id=field(row, "data_id", str, where))
            yield _seed(row, (image,), names, where)


def read_seed_table(source: Located) -> Iterator[Question]:
    """The same from a table; the column `image` holds a list of images."""
    for where, row in read_table(source.paths("table"), source.columns):
        if row["data_type"] == "image":
            cells = row["image"] if isinstance(row["image"], list) else [row["image"]]
            yield _seed(row, tuple(image_cell(cell, where) for cell in cells), {}, where)


def _seed(
    row: Mapping[str, Any], images: tuple[Image, ...], names: Mapping[Any, str], where: str
) -> Question:
    options = {letter: (Text(field(row, f"choice_{letter.lower()}", str, where)),) for letter in "ABCD"}
    right = field(row, "answer", str, where)
    if right not in options:
        raise DataError(f"{where}: the answer is {right!r:.20}, none of A to D.")
    kind = row.get("question_type_id")
    labels = {"question_type": names.get(kind, str(kind))} if kind is not None else {}
    question = (Text(field(row, "question", str, where)),)
    return Question(str(row["question_id"]), question, options, (right,), images, labels=labels)


def read_mmmu(source: Located) -> Iterator[Question]:
    """A table with MMMU's columns: id, question, options (a list as text), answer, question_type, image_1
    to image_7.

    Images stand where the question and its options say `<image n>`; where they say it nowhere, `image_1`
    is shown where the template says.

    Raises:
        DataError: options or answers that are no list, an answer that is none of the options, a mark without
            its image.
    """
    for where, row in read_table(source.paths("table"), source.columns):
        name = field(row, "id", str, where)
        where = f"{where} ({name})"
        texts = _listed(row.get("options"), where)
        question = _marked(field(row, "question", str, where), row, where)
        options = {letter: _marked(text, row, where) for letter, text in zip(LETTERS, texts, strict=False)}
        answer = field(row, "answer", str, where)
        if row.get("question_type") == "open":
            options = {}
        if answer in ("", "?"):
            answers: tuple[str, ...] = ()
        elif options:
            answers = (right_letter(answer, dict(zip(LETTERS, texts, strict=False)), "letter", where),)
        else:
            answers = tuple(_listed(answer, where)) if answer.startswith("[") else (answer,)
        inline = any(isinstance(part, Image) for parts in (question, *options.values()) for part in parts)
        first = row.get("image_1")
        images = () if inline or first is None else (image_cell(first, f"{where}, image_1"),)
        # "validation_Art_Theory_12": the subject stands between split and number.
        subject = "_".join(name.split("_")[1:-1])
        labels = {"discipline": DISCIPLINES.get(subject, ""), "subject": subject}
        yield Question(
            name,
            question,
            options,
            answers,
            images,
            labels={label: value for label, value in labels.items() if value},
            written=dict(zip(LETTERS, texts, strict=False)),
        )


_MMVP_INDEX = ("Index", "lndex")
"""The first column's name, and how the published file misspells it."""
_MMVP_OPTION = re.compile(r"\(([a-z])\)\s*([^(]+?)(?=\s*\([a-z]\)|$)")


def read_mmvp(source: Located) -> Iterator[Question]:
    """`table` (`Questions.csv`): Index, Question, Options (`(a) … (b) …`), Correct Answer; `images` is a path
    with the field `index`. Questions 1 and 2 are a pair, 3 and 4 the next.

    Raises:
        DataError: a column is missing, options or answer are of another form.
    """
    path = source.path("table")
    with path.open(encoding="utf-8-sig", newline="") as stream:
        for number, row in enumerate(csv.DictReader(stream), start=2):
            where = f"{path}, line {number}"
            index = next((row[name] for name in _MMVP_INDEX if row.get(name)), "")
            if not index.isdecimal() or int(index) < 1:
                raise DataError(f"{where}: the index is {index!r:.20}, not a number from 1.")
            texts = field(row, "Options", str, where)
            options = {letter.upper(): text.strip() for letter, text in _MMVP_OPTION.findall(texts)}
            if [*options] != ["A", "B"]:
                raise DataError(f"{where}: the options {texts!r:.60} are not two, (a) and (b).")
            yield Question(
                id=index,
                question=(Text(field(row, "Question", str, where)),),
                options={letter: (Text(text),) for letter, text in options.items()},
                answers=(right_letter(field(row, "Correct Answer", str, where), options, "(letter)", where),),
                images=(source.image("images", index=index),),
                labels={"pair": str((int(index) - 1) // 2)},
                cluster=str((int(index) - 1) // 2),
            )


READERS = MappingProxyType(
    {
        "scienceqa-json": read_scienceqa,
        "scienceqa-table": read_scienceqa_table,
        "seed-json": read_seed,
        "seed-table": read_seed_table,
        "mmmu-table": read_mmmu,
        "mmvp-csv": read_mmvp,
    }
)


def _listed(value: Any, where: str) -> list[str]:
    """MMMU writes lists as Python text."""
    try:
        found = ast.literal_eval(value) if isinstance(value, str) and value else value or []
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        found = None
    if not isinstance(found, list):
        raise DataError(f"{where}: {value!r:.60} is not a list.", "Is this MMMU's table?")
    return [str(text) for text in found]


def _marked(text: str, row: Mapping[str, Any], where: str) -> Document:
    parts: list[Part] = []
    for place, piece in enumerate(_MARK.split(text)):
        if place % 2:
            name = f"image_{piece}"
            if row.get(name) is None:
                raise DataError(
                    f"{where} shows <image {piece}>, but {name} is empty.", "Is the table complete?"
                )
            parts.append(image_cell(row[name], f"{where}, {name}"))
        elif piece:
            parts.append(Text(piece))
    return tuple(parts)
