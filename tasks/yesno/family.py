"""Yes-or-no questions about an image (POPE, MME)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from types import MappingProxyType
from typing import Any

from evalsuite.content import Image
from evalsuite.errors import SampleError
from evalsuite.request import Request, Response, TextResponse
from evalsuite.task import (
    Answered,
    FamilyTask,
    Located,
    Plan,
    RuleSet,
    Sample,
    SampleScore,
    Scores,
    Shot,
    Value,
    rule_row,
)
from evalsuite.task.judge_reading import JudgeReads, asks_judge
from evalsuite.task.readers import YesNoQuestion

from .readers import READERS
from .scoring import counting, parted, report

SHOTS = True
RECORD = YesNoQuestion
"""What its readers make; it takes every table reader that makes it, too."""
EXAMPLE = YesNoQuestion("example", "Is there a bowl in the image?", Image(data=b"", name="example"), "", True)
"""A question that shows how a protocol asks (`evalsuite show task`)."""
_SAID = {True: "yes", False: "no", None: "?"}


def build(plan: Plan) -> YesNoTask:
    """The task of a yes-or-no benchmark. Raises SpecError for an unknown rule, metric or reader."""
    plan.source.paths(next(iter(plan.source.files)))
    kind = JudgedYesNoTask if asks_judge(plan) else YesNoTask
    return kind(plan, plan.reader(READERS, RECORD))


class YesNoTask(FamilyTask):
    """A yes-or-no benchmark in one protocol; template fields: `image`, `question`."""

    def __init__(self, plan: Plan, read: Callable[[Located], Iterator[YesNoQuestion]]) -> None:
        super().__init__(plan)
        self._read = read
        self._rules = plan.rule_set("yes-no")
        self._metrics, self._counted = parted(plan.benchmark.metrics)
        plan.check_metrics(self._rules.columns, self._metrics)
        self._counting = counting(plan.benchmark.name, self._rules, self._counted)

    def _samples(self) -> Iterator[Sample]:
        return self._of(self.plan.source)

    def _examples(self) -> Iterator[Sample]:
        return self._of(self.plan.source.of_examples())

    def _shot(self, example: Sample) -> Shot:
        return Shot(_fields(example.record), _SAID[example.record.label])

    def _of(self, source: Located) -> Iterator[Sample]:
        for question in self._read(source):
            labels = {"label": _SAID[question.label], **question.labels}
            yield Sample(question.id, question, cluster=question.image_name, labels=labels)

    def request(self, sample: Sample, earlier: Sequence[Response] = ()) -> Request | None:
        if earlier:
            return None
        if sample.record.problem:
            raise SampleError(sample.record.problem)
        return self.plan.request(_fields(sample.record), self.shots(sample))

    def reference_answer(self, sample: Sample, earlier: Sequence[Response] = ()) -> Response | None:
        return None if sample.record.label is None else TextResponse(_SAID[sample.record.label])

    def target(self, sample: Sample) -> Any:
        return _SAID[sample.record.label]

    def score(self, answered: Sequence[Answered]) -> Scores:
        rows = [
            rule_row(one, self._rules, "yes-no", partial(self.answer, one), _references(one.sample))
            for one in answered
        ]
        found = self.scores(rows, self._metrics)
        counted, undefined = report(self._counted, found.rows, answered, self._counting)
        order = {spec.name: place for place, spec in enumerate(self.plan.benchmark.metrics)}
        ordered = sorted([*found.statistics, *counted], key=lambda one: order[one.metric.name])
        return replace(found, statistics=ordered, missing={**found.missing, **undefined})

    rule_kinds = (("yes-no",), MappingProxyType({}))

    def scored(self, one: Answered, answer: str | None = None, rules: RuleSet | None = None) -> SampleScore:
        said = partial(self.answer, one) if answer is None else (lambda: answer)
        return rule_row(one, rules or self._rules, "yes-no", said, _references(one.sample))

    def shown_to_judge(self, sample: Sample) -> Mapping[str, str]:
        right = self.target(sample)
        details = sample.record.details or right
        return {"question": sample.record.question, "reference": right, "reference_details": details}


class JudgedYesNoTask(JudgeReads, YesNoTask):
    """A yes-or-no benchmark whose answers a judge reads."""


def _references(sample: Sample) -> tuple[str, ...]:
    return () if sample.record.label is None else (_SAID[sample.record.label],)


def _fields(question: YesNoQuestion) -> dict[str, Value]:
    return {"image": question.image, "question": question.question}
