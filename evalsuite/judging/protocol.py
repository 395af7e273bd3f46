"""What a task offers that is judged."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from evalsuite.endpoint.types import Chat
from evalsuite.errors import SampleError
from evalsuite.task import Answered, Judgement, Task


class NotAskedError(SampleError):
    """The judge has not been asked about this answer to the end: the sample has no score yet, and has not
    failed."""


@runtime_checkable
class Judged(Task, Protocol):
    """A task whose score is made of what a judge says about each answer; `score` finds it in
    `Answered.judgements`. All of it is pure."""

    @property
    def judge(self) -> str:
        """The judge that the benchmark's authors use, for messages."""
        ...

    def question(self, answered: Answered, said: Sequence[Judgement]) -> Chat | None:
        """What to ask about an answer, given what the judge said to the questions before (in this run of the
        judge); None when there is nothing (more) to ask.

        Raises SampleError for an answer that cannot be judged; `score` then gives its failure.
        """
        ...

    def prepared(self, answered: Answered, chat: Chat) -> Chat:
        """A question about an answer as it is sent, its images resized and encoded as the protocol has
        them.

        Separate from `question` because it costs time, and because an encoder's next version must not make
        stored judgements unfindable.
        """
        ...


def unjudged(task: Judged) -> str:
    """Why the headline is missing where nobody has judged, and what would judge."""
    return (
        f"no judge has been asked about the answers: `evalsuite judge RUN --task {task.info.name} "
        f"--judge {task.judge} --base-url URL`, or with `--judge-model MODEL` alone for one that runs here"
    )
