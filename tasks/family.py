"""What the tasks of all families have alike: identity, samples, and the text of an answer."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from functools import partial

from evalsuite.errors import SampleError
from evalsuite.request import ChoiceResponse, Response, TextResponse
from evalsuite.task import Answered, Sample, SampleScore, TaskInfo

from .benchmark import Plan
from .prompts import clean


class FamilyTask(ABC):
    """Base of a family's task: a benchmark in one protocol. A family adds `request`, `target` and `score`."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan

    @property
    def info(self) -> TaskInfo:
        return self.plan.info

    def fingerprint(self) -> str:
        return self.plan.fingerprint()

    def samples(self) -> Iterator[Sample]:
        return self.plan.select(self._samples)

    @abstractmethod
    def _samples(self) -> Iterator[Sample]:
        """All samples of the data, before any subset is drawn."""

    def answer(self, one: Answered) -> str:
        """The answer after the protocol's clean-up. Raises SampleError where it is no text."""
        return clean(text_of(one.response), self.plan.protocol.clean)


IMPOSSIBLE = -100.0
"""Log-likelihood that an upper bound gives to a wrong choice."""


def certain(right: int, count: int) -> ChoiceResponse:
    """Certainty that the choice at `right` of `count` is meant."""
    return ChoiceResponse(tuple(0.0 if i == right else IMPOSSIBLE for i in range(count)), (1,) * count)


def text_of(response: Response) -> str:
    """The text of a response. Raises SampleError for one of another kind."""
    if not isinstance(response, TextResponse):
        raise SampleError(f"the answer is a {type(response).__name__}, not text")
    return response.text


def row_of(one: Answered) -> Callable[..., SampleScore]:
    """Makes the score row of a sample: give `values` and `parsed`, or `failure`."""
    return partial(SampleScore, one.sample.id, cluster=one.sample.cluster, labels=one.sample.labels)
