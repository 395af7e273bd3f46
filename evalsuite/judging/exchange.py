"""The questions about one answer, in turn; and stored answers with the judgements that were made of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace

from evalsuite.endpoint.types import Chat
from evalsuite.errors import DataError, EvalsuiteError, SampleError, is_interruption, reason_of
from evalsuite.judging.protocol import Judged
from evalsuite.request import fingerprint
from evalsuite.task import Answered, Judgement

Place = tuple[str, int, int]
"""Where a judgement is found: digest of the question, attempt, run of the judge."""


@dataclass(frozen=True, slots=True)
class Question:
    """A question to the judge.

    Args:
        digest: of everything that decides it, the task's version included.
        attempt: how many equal ones went before it; protocols retry where a reply cannot be read.
    """

    chat: Chat
    digest: str
    attempt: int


class Exchange:
    """One run of a judge over one answer: gives the next question, takes what was said to it."""

    def __init__(self, task: Judged, answered: Answered) -> None:
        self.said: list[Judgement] = []
        self._task = task
        self._answered = answered
        self._asked: Counter[str] = Counter()

    def next(self) -> Question | None:
        """The next question; None when there is none, or the last one failed.

        Raises SampleError for an answer that cannot be judged, whatever the task's code raises on it.
        """
        if self.said and self.said[-1].failure:
            return None
        try:
            chat = self._task.question(self._answered, tuple(self.said))
        except EvalsuiteError:
            raise
        except BaseException as error:  # a reply that the task's code did not foresee costs this sample only
            if is_interruption(error):
                raise
            raise SampleError(f"No question could be made ({reason_of(error)}).") from error
        if chat is None:
            return None
        try:
            asked = chat.describe()
        except DataError as error:  # an image of the question cannot be read
            raise SampleError(error.what, error.remedy) from error
        digest = fingerprint({"version": self._task.info.version, "chat": asked})
        return Question(chat, digest, self._asked[digest])

    def add(self, question: Question, judgement: Judgement) -> None:
        """Takes what was said to the question that `next` gave."""
        self._asked[question.digest] += 1
        self.said.append(judgement)

    def recall(self, known: Mapping[Place, Judgement], run: int) -> Question | None:
        """Goes through what was said before; gives the first question that nobody answered yet."""
        while (question := self.next()) is not None:
            found = known.get((question.digest, question.attempt, run))
            if found is None:
                return question
            self.add(question, found)
        return None


def with_judgements(
    task: Judged, answered: Answered, known: Mapping[Place, Judgement], runs: int
) -> Answered:
    """The answer with what a judge said about it in each of its runs, as far as it got."""
    found = []
    for run in range(runs):
        exchange = Exchange(task, answered)
        with suppress(SampleError):  # cannot be judged: the scorer meets the same and says so
            exchange.recall(known, run)
        found.append(tuple(exchange.said))
    return replace(answered, judgements=tuple(found))
