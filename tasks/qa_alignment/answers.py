"""Answers to questions about generated images: from a judge's replies, or from a file made elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from evalsuite.errors import DataError, SampleError
from evalsuite.task import Judgement
from evalsuite.task.metrics import REPLIES
from evalsuite.task.readers import field, read_lines

from .records import AlignmentQuestion
from .settings import Asking

Values = list[list[float]]
"""[image][question], each in [0, 1]."""


class Replies:
    """What a judge's replies come to so far, and where it goes on.

    Args:
        units: the questions of one chat each: image -> its chats -> places of their questions.
    """

    def __init__(self, asking: Asking, questions: Sequence[AlignmentQuestion], images: int) -> None:
        self._asking = asking
        self._questions = questions
        every = tuple(range(len(questions)))
        chats = [every] if asking.each == "image" else [(place,) for place in every]
        self.units = [(image, places) for image in range(images) for places in chats]

    def next_unit(self, said: Sequence[Judgement]) -> tuple[int, tuple[int, ...]] | None:
        """Image and questions of the next chat; None when all is said."""
        place, tried = 0, 0
        for judgement in said:
            if place < len(self.units) and self._read(judgement, self.units[place][1]) is None:
                tried += 1
                if tried < self._asking.tries:
                    continue
            place, tried = place + 1, 0
        return self.units[place] if place < len(self.units) else None

    def values(self, said: Sequence[Judgement], images: int) -> Values:
        """The value of every answer.

        Raises SampleError where the judge gave nothing, has not answered to the end, or cannot be read.
        """
        found: Values = [[] for _ in range(images)]
        place, tried = 0, 0
        for judgement in said:
            if judgement.failure:
                raise SampleError(f"the judge gave nothing: {judgement.failure}")
            image, places = self.units[place]
            value = self._read(judgement, places)
            if value is None:
                tried += 1
                if tried < self._asking.tries:
                    continue
                if self._asking.unread == "failure":
                    raise SampleError(
                        f"the judge's answer about image {image + 1} cannot be read: {judgement.text!r:.200}"
                    )
                value = [0.0] * len(places)
            found[image] += value
            place, tried = place + 1, 0
        if place < len(self.units):
            raise SampleError(f"the judge has answered {place} of {len(self.units)} questions")
        return found

    def _read(self, judgement: Judgement, places: tuple[int, ...]) -> list[float] | None:
        expected = [self._questions[place].expected for place in places]
        try:
            return REPLIES[self._asking.read](judgement.text, expected)
        except SampleError:
            return None


FileAnswers = Mapping[tuple[str, int, str], str]
"""(prompt's id, image from 0, question's id or "" for all of an image) -> the answer."""


def read_answers(path: Path) -> FileAnswers:
    """JSON lines `{id, image, question, answer}`; without `question`, the answer is about all of an image's.

    `answer` is a text, or a number: a probability.

    Raises DataError for a line of another form, an answer that occurs twice, an empty file.
    """
    found: dict[tuple[str, int, str], str] = {}
    for line, row in read_lines(path):
        where = f"{path}, line {line}"
        answer = field(row, "answer", (str, int, float), where)
        question = "" if row.get("question") is None else str(row["question"])
        key = str(field(row, "id", (str, int), where)), field(row, "image", int, where), question
        if key in found:
            raise DataError(
                f"{where}: this answer occurs twice.", "Give the answers about one model's images."
            )
        found[key] = str(answer)
    if not found:
        raise DataError(f"{path} holds no answers.", "Give JSON lines of {id, image, question, answer}.")
    return found


def answered_by(path: Path) -> str:
    """The `model` that the first line of a file of answers names. Raises DataError where it names none."""
    for line, row in read_lines(path):
        return str(field(row, "model", str, f"{path}, line {line} (which model gave the answers)"))
    raise DataError(f"{path} holds no answers.", "Give JSON lines of {id, image, question, answer}.")


def values_of(
    answers: FileAnswers,
    name: str,
    asking: Asking,
    questions: Sequence[AlignmentQuestion],
    images: Sequence[int],
) -> Values:
    """The value of every answer of a prompt. Raises SampleError for one that is missing or unreadable."""
    read = REPLIES[asking.read]
    found: Values = []
    for image in images:
        if asking.each == "image" and (name, image, "") in answers:
            try:
                found.append(read(answers[name, image, ""], [one.expected for one in questions]))
            except SampleError:
                if asking.unread == "failure":
                    raise
                found.append([0.0] * len(questions))
            continue
        row = []
        for one in questions:
            if (name, image, one.id) not in answers:
                raise SampleError(
                    f"the file of answers has none to question {one.id} about image {image + 1}"
                )
            said = answers[name, image, one.id]
            row.append(read(said, [one.expected])[0])
        found.append(row)
    return found
