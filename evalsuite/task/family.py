"""What the tasks of all families have alike: identity, samples, and the text of an answer."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cached_property, partial

from evalsuite.content import Image
from evalsuite.errors import SampleError
from evalsuite.request import ChoiceResponse, ImageResponse, Response, TextResponse
from evalsuite.task import Answered, Sample, SampleScore, TaskInfo
from evalsuite.task.benchmark import Plan
from evalsuite.task.few_shot import Shot
from evalsuite.task.prompts import postprocess


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

    def foreign_id(self, number: int) -> str:
        """The sample that another tool's files know by this number; empty where none does."""
        for how in self.plan.benchmark.foreign_ids:
            if number >= how.offset:
                return f"{how.prefix}{number - how.offset}"
        return ""

    @abstractmethod
    def _samples(self) -> Iterator[Sample]:
        """All samples of the data, before any subset is drawn."""

    @property
    def gated(self) -> bool:
        """Whether a first question decides what becomes of the second."""
        return False

    def _examples(self) -> Iterator[Sample]:
        """The samples that in-context examples are drawn from; families with `SHOTS` define it."""
        raise NotImplementedError

    def _shot(self, example: Sample) -> Shot:
        """An example as the protocol's template shows it; families with `SHOTS` define it."""
        raise NotImplementedError

    @cached_property
    def _pool(self) -> tuple[Sample, ...]:
        assert self.plan.shots is not None
        return self.plan.shots.pool(self._examples())

    def shots(self, sample: Sample) -> tuple[Shot, ...]:
        """The in-context examples of a sample; none unless they are asked for. Raises DataError."""
        if self.plan.shots is None:
            return ()
        return tuple(map(self._shot, self.plan.shots.draw(sample, self._pool)))

    def explain(self) -> dict[str, str]:
        """The protocol in words, for reports."""
        protocol, benchmark = self.plan.protocol, self.plan.benchmark
        told = {
            "template": protocol.template,
            "system prompt": protocol.system,
            "prefill": protocol.prefill,
            "decoding": ", ".join(f"{name} = {value}" for name, value in protocol.decoding.items()),
            "clean-up": ", ".join(protocol.postprocess),
            "settings": ", ".join(f"{name} = {value}" for name, value in protocol.settings.items()),
            "options": ", ".join(f"{name} = {value}" for name, value in self.plan.options.items()),
            "note": protocol.note,
            "licence of the data": benchmark.licence,
        }
        return {heading: text for heading, text in told.items() if text}

    def answer(self, one: Answered) -> str:
        """The answer after the protocol's postprocessing. Raises SampleError where it is no text."""
        return postprocess(text_of(one.response), self.plan.protocol.postprocess)

    def postprocessors(self) -> dict[str, FamilyTask]:
        """This task with the answer left as it is, and with the postprocessing steps of the benchmark's other
        protocols.

        Only those that differ from its own; see `evalsuite.task.HasPostprocessors`.
        """
        named = {"none": (), **{name: p.postprocess for name, p in self.plan.benchmark.protocols.items()}}
        found: dict[tuple[str, ...], str] = {self.plan.protocol.postprocess: ""}
        for name, clean_up in named.items():
            found.setdefault(clean_up, name if not clean_up else f"{name}'s ({', '.join(clean_up)})")
        return {name: self._with_postprocessing(clean_up) for clean_up, name in found.items() if name}

    def _with_postprocessing(self, names: tuple[str, ...]) -> FamilyTask:
        other = copy.copy(self)
        other.plan = replace(self.plan, protocol=self.plan.protocol.model_copy(update={"postprocess": names}))
        return other


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


def generated_images(response: Response, count: int) -> tuple[Image, ...]:
    """The images of a response. Raises SampleError for another kind, and for another number of them."""
    if not isinstance(response, ImageResponse):
        raise SampleError(f"the answer is a {type(response).__name__}, not images")
    if len(response.images) != count:
        raise SampleError(f"{len(response.images)} images came back, {count} were asked for")
    return response.images


def row_of(one: Answered) -> Callable[..., SampleScore]:
    """Makes the score row of a sample: give `values` and `parsed`, or `failure`."""
    return partial(SampleScore, one.sample.id, cluster=one.sample.cluster, labels=one.sample.labels)
