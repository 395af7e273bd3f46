"""VQAv2's official questions and annotations JSON (also OK-VQA's, which has the same form)."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from dataclasses import field as member
from pathlib import Path
from typing import Any

from evalsuite.content import Image
from evalsuite.data.jsonfile import field, read_json
from evalsuite.errors import DataError
from evalsuite.request import ADDED


@dataclass(frozen=True, slots=True)
class Question:
    """An open question about an image with its human answers.

    Args:
        id: the question's id, unique in the data set.
        image_id: groups the questions about one image.
        answers: the human answers as they stand in the file, usually ten; empty where they are not public.
        question_type, answer_type: the official labels; empty where the file has none.
        answerable: VizWiz's label; None where the file has none.
        ocr: texts that a reader of print found in the image; None where the file has none.
        labels: further labels for breakdowns.
        problem: why the question cannot be asked (a damaged image); empty where it can.
    """

    id: str
    image: Image | tuple[Image, ...]
    image_id: str
    question: str
    answers: tuple[str, ...] = ()
    question_type: str = ""
    answer_type: str = ""
    answerable: bool | None = None
    ocr: tuple[str, ...] | None = None
    labels: Mapping[str, str] = member(default_factory=dict, metadata=ADDED)
    problem: str = member(default="", metadata=ADDED)


@dataclass(frozen=True, slots=True)
class _Annotation:
    image_id: object
    answers: tuple[str, ...]
    question_type: str
    answer_type: str


def read_questions(
    questions: Path,
    annotations: Path | None,
    image: Callable[[int], Image],
    *,
    answers: int | None = 10,
) -> Iterator[Question]:
    """The questions in the order of the questions file.

    Args:
        questions: `v2_OpenEnded_mscoco_*_questions.json`.
        annotations: `v2_mscoco_*_annotations.json`; None for test splits, whose answers are not public.
        image: the encoded image of an image id.
        answers: how many human answers each question must have; None: at least one.

    Raises:
        DataError: a field is missing or of another type, an id occurs twice, a question has no annotation or
            an annotation no question, the number of answers is another, an annotation names another image.
    """
    rows = field(read_json(questions), "questions", list, str(questions))
    if not rows:
        raise DataError(f"{questions} holds no questions.", "Fetch it again.")
    known = _annotations(annotations, answers) if annotations is not None else None
    seen: set[int] = set()
    for position, row in enumerate(rows):
        where = f"{questions}, question {position}"
        question_id = field(row, "question_id", int, where)
        where = f"{questions}, question_id {question_id}"
        if question_id in seen:
            raise DataError(f"{where} occurs twice.", "Remove one of the two.")
        seen.add(question_id)
        image_id = field(row, "image_id", int, where)
        found = _Annotation(None, (), "", "")
        if known is not None:
            if question_id not in known:
                raise DataError(
                    f"{where} has no annotation in {annotations}.", "Do the two files belong together?"
                )
            found = known[question_id]
            if found.image_id not in (None, image_id):
                raise DataError(
                    f"{where} is about image {image_id}, but its annotation about {found.image_id}."
                )
        yield Question(
            id=str(question_id),
            image=image(image_id),
            image_id=str(image_id),
            question=field(row, "question", str, where),
            answers=found.answers,
            question_type=found.question_type,
            answer_type=found.answer_type,
        )
    if known is not None and len(known) > len(seen):
        extra = next(key for key in known if key not in seen)
        raise DataError(
            f"{annotations}, question_id {extra} has no question in {questions}"
            f" ({len(known) - len(seen)} such).",
            "Do the two files belong together?",
        )


def _annotations(path: Path, count: int | None) -> dict[int, _Annotation]:
    rows = field(read_json(path, object_hook=_answer_only), "annotations", list, str(path))
    known: dict[int, _Annotation] = {}
    for position, row in enumerate(rows):
        question_id = field(row, "question_id", int, f"{path}, annotation {position}")
        where = f"{path}, question_id {question_id}"
        if question_id in known:
            raise DataError(f"{where} occurs twice.", "Remove one of the two.")
        known[question_id] = _Annotation(
            row.get("image_id"),
            human_answers(field(row, "answers", list, where), where, count),
            sys.intern(str(row.get("question_type", ""))),
            sys.intern(str(row.get("answer_type", ""))),
        )
    return known


def human_answers(values: Any, where: str, count: int | None = 10) -> tuple[str, ...]:
    """The answers of one question: a list of strings or of objects with a field `answer`, or one string.

    Raises:
        DataError: neither, another number than `count`, or one that is not a string.
    """
    if isinstance(values, str):
        values = [values]
    if not isinstance(values, list | tuple):
        raise DataError(f"{where}: answers must be a list, not {type(values).__name__}.")
    texts = [value.get("answer") if isinstance(value, dict) else value for value in values]
    if not texts or (count is not None and len(texts) != count):
        raise DataError(
            f"{where} has {len(texts)} answers instead of {count or 'one or more'}.", "Is the file complete?"
        )
    kept: list[str] = []
    for text in texts:
        if not isinstance(text, str):
            raise DataError(f"{where}: an answer is {type(text).__name__} {text!r:.60}, not a string.")
        kept.append(sys.intern(text))
    return tuple(kept)


def _answer_only(row: dict[str, Any]) -> Any:
    """Keeps of each of the two million answer objects only its text: a fifth of the memory."""
    answer = row.get("answer")
    if isinstance(answer, str) and "answer_id" in row:
        return sys.intern(answer)
    return row
