"""Shared by the tasks of all families: identity, samples, and the text of an answer."""

from __future__ import annotations

import copy
import pickle
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Self

from evalsuite.content import Image
from evalsuite.errors import EvalsuiteError, SampleError
from evalsuite.request import ChoiceResponse, ImageResponse, Response, TextResponse
from evalsuite.task import Answered, Breakdown, Sample, SampleScore, Scores, Statistic, TaskInfo
from evalsuite.task.aggregates import MetricSpec, leaves
from evalsuite.task.aggregating import aggregate
from evalsuite.task.benchmark import Plan
from evalsuite.task.families import family_module
from evalsuite.task.few_shot import Shot
from evalsuite.task.prompts import postprocess
from evalsuite.task.rules import GroundTruth, Kind, Rule, RuleSet


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

    @property
    def source_note(self) -> str:
        """How the data that are read differ from the official set; empty where nothing is known to."""
        source = self.plan.source
        return f"{', '.join(source.files.values())}: {source.note}" if source.note else ""

    def foreign_id(self, key: str) -> str:
        """The sample that another tool's files know by this id; empty where none does."""
        for how in self.plan.benchmark.foreign_ids:
            if how.pattern:
                if found := re.fullmatch(how.pattern, key):
                    return found.expand(how.id)
            elif key.isdecimal() and int(key) >= how.offset:
                return f"{how.prefix}{int(key) - how.offset}"
        return ""

    @abstractmethod
    def _samples(self) -> Iterator[Sample]:
        """All samples of the data, before any subset is drawn."""

    @property
    def scoring_rules(self) -> tuple[Rule, ...]:
        """The named rules that score its answers; none where the family has rules of its own."""
        found = getattr(self, "_rules", None)
        return found.rules if isinstance(found, RuleSet) else ()

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

    rule_kinds: tuple[tuple[Kind, ...], Mapping[Kind, str]] = ((), {})
    """The kinds of questions that its rules score, and the default rules of kinds; see `Plan.rule_set`."""

    def scored(self, one: Answered, answer: str | None = None, rules: RuleSet | None = None) -> SampleScore:
        """The row of one answered sample under named rules; families that a judge may help define it.

        Args:
            answer: scored instead of the model's own (what a judge read in it).
            rules: taken instead of the task's own.
        """
        raise NotImplementedError

    def shown_to_judge(self, sample: Sample) -> Mapping[str, str]:
        """`question`, `options` and `reference` as a judge sees them."""
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
            "postprocessing": ", ".join(protocol.postprocess),
            "settings": ", ".join(f"{name} = {value}" for name, value in protocol.settings.items()),
            "options": ", ".join(f"{name} = {value}" for name, value in self.plan.options.items()),
            "note": protocol.note,
            "licence of the data": benchmark.licence,
        }
        return {heading: text for heading, text in told.items() if text}

    def answer(self, one: Answered) -> str:
        """The answer after the protocol's postprocessing. Raises SampleError where it is not text."""
        return postprocess(text_of(one.response), self.plan.protocol.postprocess)

    def scores(
        self,
        rows: Sequence[SampleScore],
        metrics: Sequence[MetricSpec] | None = None,
        *,
        by: Sequence[Breakdown] | None = None,
        more: Sequence[Statistic] = (),
        missing: Mapping[str, str] | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> Scores:
        """The declared metrics over these rows; see `evalsuite.task.aggregates`.

        Args:
            metrics: taken instead of all that the benchmark declares.
            by: breakdowns, taken instead of those that the benchmark declares.
            more: statistics of the family's own, behind them.
            missing, details: see `Scores`.

        Raises:
            SpecError: a metric aggregates a column or label that no row has.
        """
        made = self.plan.benchmark
        found = aggregate(
            made.metrics if metrics is None else metrics,
            rows,
            by=made.by if by is None else by,
            population=lambda: ((sample.id, sample.labels) for sample in self._samples()),
            total=made.count,
        )
        return Scores(
            found.rows,
            [*found.statistics, *more],
            {**found.missing, **(missing or {})},
            details or {},
            found.notes,
        )

    def with_aggregates(self, scores: Scores) -> Scores:
        """A family's own statistics with the declared aggregations of its columns.

        An aggregation of a column that could not be computed is missing, too. Raises SpecError like `scores`.
        """
        declared = {spec.name: spec for spec in self.plan.benchmark.metrics}
        shown = {metric.name for metric in self.info.metrics}
        missing: dict[str, str] = {}
        wanted: list[MetricSpec] = []
        for name, spec in declared.items():
            if spec.plain or name not in shown:
                continue
            lacking = sorted(leaves(name, declared) & scores.missing.keys())
            if lacking:
                missing[name] = f"it needs {', '.join(lacking)}: {scores.missing[lacking[0]]}"
            else:
                wanted.append(spec)
        if not wanted:
            return replace(scores, missing={**scores.missing, **missing})
        found = self.scores(scores.rows, wanted)
        order = {name: place for place, name in enumerate(declared)}
        return Scores(
            found.rows,
            sorted(
                [*scores.statistics, *found.statistics],
                key=lambda one: order.get(one.metric.name, len(order)),
            ),
            {**scores.missing, **missing, **found.missing},
            scores.details,
            {**scores.notes, **found.notes},
        )

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

    def __reduce__(self) -> tuple[Callable[..., FamilyTask], tuple[str, Path | None, bytes]]:
        """Sent to another process, a task brings all that it has read; its family's Python is imported there
        as it was here, from beside the benchmark's file if need be."""
        made = self.plan.benchmark
        return _arrived, (made.family, made.folder, pickle.dumps((type(self), self.__dict__)))

    def __copy__(self) -> Self:
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__)
        return other

    def _with_postprocessing(self, names: tuple[str, ...]) -> FamilyTask:
        other = copy.copy(self)
        other.plan = replace(self.plan, protocol=self.plan.protocol.model_copy(update={"postprocess": names}))
        return other


def _arrived(family: str, folder: Path | None, content: bytes) -> FamilyTask:
    family_module(family, folder)  # the classes in `content` may be of a file that nothing else imports
    kind, state = pickle.loads(content)
    made: FamilyTask = object.__new__(kind)
    made.__dict__.update(state)
    return made


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
        raise SampleError(f"expected {count} images, got {len(response.images)}")
    return response.images


def row_of(one: Answered) -> Callable[..., SampleScore]:
    """Makes the score row of a sample: give `values` and `parsed`, or `failure`."""
    return partial(SampleScore, one.sample.id, cluster=one.sample.cluster, labels=one.sample.labels)


def rule_row(
    one: Answered,
    rules: RuleSet,
    kind: Kind,
    answer: Callable[[], str],
    references: Sequence[str],
    options: Mapping[str, str] | None = None,
    details: Mapping[str, Any] | None = None,
) -> SampleScore:
    """The score row of a sample whose answer a named rule scores.

    Whatever goes wrong with this sample alone (no text, no public references, a rule that fails or leaves its
    range) is recorded as its failure.

    Args:
        kind: what the question asks for.
        answer: gives the postprocessed answer; may raise EvalsuiteError.
        references: right answers; empty where they are not public.
        options: of a lettered question.
        details: what else the rule needs; see `GroundTruth`.
    """
    row = row_of(one)
    try:
        said = answer()
        if not references:
            raise SampleError("the right answers of this split are not public")
        truth = GroundTruth(tuple(references), options or {}, one.sample.labels, details or {})
        verdict = rules.verdict(said, truth, kind)
    except EvalsuiteError as error:
        return row(failure=str(error))
    column = rules.rule(kind, one.sample.labels).column
    values = {} if verdict.value is None else {column: float(verdict.value)}
    return row(
        values=values | {name: float(value) for name, value in verdict.more.items()},
        parsed=verdict.parsed,
        unread=verdict.unread,
    )
