"""Official files of VQAv2, TextVQA, VizWiz, GQA and document benchmarks, and tables of questions."""

from __future__ import annotations

from collections.abc import Iterator
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from evalsuite.content import Image
from evalsuite.errors import DataError
from evalsuite.task import Located
from evalsuite.task.readers import (
    Question,
    field,
    human_answers,
    image_cell,
    read_json,
    read_questions,
    read_table,
)

if TYPE_CHECKING:
    from .settings import Settings

TABLE = "vqa-table"


def read_official(source: Located, settings: Settings) -> Iterator[Question]:
    """`questions` and `annotations` JSON of VQAv2; `images` is a path with the field `image_id`."""
    return read_questions(
        source.path("questions"),
        source.path("annotations") if source.has("annotations") else None,
        lambda image_id: source.image("images", image_id=image_id),
        answers=settings.answers,
    )


def read_columns(source: Located, settings: Settings) -> Iterator[Question]:
    """A table: id, image, question and, where named, answers, image_id, question_type, answer_type, ocr.

    The setting `id_ending` is added to ids that lack it.
    """
    for where, row in read_table(source.paths("table"), source.columns):
        question_id, text = row["id"], row["question"]
        if question_id is None or not isinstance(text, str):
            raise DataError(f"{where} has no question (id {question_id!r}, question {text!r}).")
        name = f"question {question_id}"
        yield Question(
            id=table_id(source, question_id),
            image=image_cell(row["image"], f"{where} ({name})"),
            image_id=str(row.get("image_id") or ""),
            question=text,
            # Sources of test splits name no column of answers.
            answers=human_answers(row["answers"], f"{where} ({name})", settings.answers)
            if "answers" in row
            else (),
            question_type=str(row.get("question_type") or ""),
            answer_type=str(row.get("answer_type") or ""),
            ocr=tuple(map(str, row["ocr"])) if row.get("ocr") is not None else None,
        )


def read_triples(source: Located, settings: Settings) -> Iterator[Question]:
    """easy-VQA's `questions.json`: a list of [question, answer, image id]; ids are positions in the file."""
    path = source.path("questions")
    rows = read_json(path)
    if not isinstance(rows, list):
        raise DataError(f"{path} must be a list of [question, answer, image id].", "Is this the right file?")
    for position, row in enumerate(rows):
        match row:
            case [str(question), str(answer), int(image_id)]:
                yield Question(
                    id=str(position),
                    image=source.image("images", image_id=image_id),
                    image_id=str(image_id),
                    question=question,
                    answers=(answer,),
                    answer_type="yes/no" if answer in ("yes", "no") else "other",
                )
            case _:
                raise DataError(f"{path}, row {position} is {row!r:.80}, not [question, answer, image id].")


def read_textvqa(source: Located, settings: Settings) -> Iterator[Question]:
    """`questions`: `TextVQA_0.5.1_*.json`; `images` is a path with the field `image_id`.

    Raises:
        DataError: no list `data`, a field missing or of another type, another number of answers.
    """
    path = source.path("questions")
    rows = field(read_json(path), "data", list, str(path))
    for position, row in enumerate(rows):
        question_id = field(row, "question_id", int, f"{path}, row {position}")
        where = f"{path}, question_id {question_id}"
        image_id = field(row, "image_id", str, where)
        yield Question(
            id=str(question_id),
            image=source.image("images", image_id=image_id),
            image_id=image_id,
            question=field(row, "question", str, where),
            answers=_answers(row, where, settings.answers),
        )


def read_vizwiz(source: Located, settings: Settings) -> Iterator[Question]:
    """`annotations`: VizWiz's list of `{image, question, answers, answer_type, answerable}`.

    The official files number nothing: an image has one question, and its file name is the id.
    `images` is a path with the field `image`.

    Raises:
        DataError: not a list, a field missing or of another type, another number of answers, `answerable`
            neither 0 nor 1.
    """
    path = source.path("annotations")
    rows = read_json(path)
    if not isinstance(rows, list):
        raise DataError(
            f"{path} must be a list of questions, not {type(rows).__name__}.", "Is this VizWiz's file?"
        )
    for position, row in enumerate(rows):
        name = field(row, "image", str, f"{path}, row {position}")
        where = f"{path}, image {name}"
        answerable = row.get("answerable")
        if answerable not in (None, 0, 1):
            raise DataError(f"{where}: answerable is {answerable!r:.40}, neither 0 nor 1.")
        yield Question(
            id=name,
            image=source.image("images", image=name),
            image_id=name,
            question=field(row, "question", str, where),
            answers=_answers(row, where, settings.answers),
            answer_type=str(row.get("answer_type") or ""),
            answerable=None if answerable is None else bool(answerable),
        )


def read_gqa(source: Located, settings: Settings) -> Iterator[Question]:
    """`questions`: GQA's object, id -> `{question, imageId, answer, types}`; `images` has `image_id`.

    Raises:
        DataError: not an object, or a field is missing or of another type.
    """
    path = source.path("questions")
    rows = read_json(path)
    if not isinstance(rows, dict):
        raise DataError(
            f"{path} must be an object of questions, not {type(rows).__name__}.", "Is this GQA's file?"
        )
    for question_id, row in rows.items():
        where = f"{path}, question {question_id}"
        image_id = field(row, "imageId", str, where)
        yield Question(
            id=question_id,
            image=source.image("images", image_id=image_id),
            image_id=image_id,
            question=field(row, "question", str, where),
            answers=(field(row, "answer", str, where),) if "answer" in row else (),
            question_type=_structure(row.get("types")),
            answer_type=_openness(_structure(row.get("types"))),
        )


def read_gqa_tables(source: Located, settings: Settings) -> Iterator[Question]:
    """GQA's hub layout: tables `questions` (id, image_id, question, answer) and `images` (id, image).

    The images are held in memory while the questions are read; the test-dev split has about 400.

    Raises:
        DataError: a question about an image that is not there.
    """
    images: dict[str, Image] = {}
    columns = {"id": "id", "image": "image"}
    for where, row in read_table(source.paths("pictures"), columns):
        images[str(row["id"])] = image_cell(row["image"], f"{where} (image {row['id']})")
    for where, row in read_table(source.paths("questions"), source.columns):
        image_id = str(row["image_id"])
        if image_id not in images:
            raise DataError(
                f"{where} is about image {image_id!r}, which is not in the table of images.",
                "Is the data set complete?",
            )
        yield Question(
            id=str(row["id"]),
            image=images[image_id],
            image_id=image_id,
            question=field(row, "question", str, where),
            answers=(field(row, "answer", str, where),),
            question_type=_structure(row.get("types")),
            answer_type=_openness(_structure(row.get("types"))),
        )


def read_documents(source: Located, settings: Settings) -> Iterator[Question]:
    """`questions`: DocVQA's and InfographicVQA's `{data: [{questionId, question, answers}]}`; `images` is
    a path with the field `image`, which the file gives under the source's setting `image` (default
    `image`).

    Raises:
        DataError: no list `data`, a field missing or of another type.
    """
    path = source.path("questions")
    named = source.settings.get("image", "image")
    for position, row in enumerate(field(read_json(path), "data", list, str(path))):
        question_id = field(row, "questionId", (int, str), f"{path}, row {position}")
        where = f"{path}, questionId {question_id}"
        image = field(row, named, str, where)
        yield Question(
            id=str(question_id),
            image=source.image("images", image=image),
            image_id=image,
            question=field(row, "question", str, where),
            answers=_answers(row, where, settings.answers),
        )


READERS = MappingProxyType(
    {
        "vqav2-json": read_official,
        TABLE: read_columns,
        "question-triples": read_triples,
        "documents-json": read_documents,
        "textvqa-json": read_textvqa,
        "vizwiz-json": read_vizwiz,
        "gqa-json": read_gqa,
        "gqa-tables": read_gqa_tables,
    }
)


def table_id(source: Located, value: Any) -> str:
    """The id of a table's row; the setting `id_ending` is added where it is missing."""
    ending: str = source.settings.get("id_ending", "")
    return str(value).removesuffix(ending) + ending


def _answers(row: dict[str, Any], where: str, count: int | None) -> tuple[str, ...]:
    """The human answers; none where the file has none, as in test splits."""
    return human_answers(row["answers"], where, count) if row.get("answers") else ()


def _openness(structure: str) -> str:
    """GQA's kind of answer ("open" or "binary"), as its evaluation defines it; empty where unknown."""
    return structure and ("open" if structure == "query" else "binary")


def _structure(types: Any) -> str:
    """GQA's structural type of a question (verify, query, choose, logical, compare)."""
    return str(types.get("structural") or "") if isinstance(types, dict) else ""
