"""Yes-or-no questions about objects in an image (POPE)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from evalsuite.errors import SampleError, SpecError, suggest
from evalsuite.request import Request, Response, TextResponse
from evalsuite.task import (
    Answered,
    FamilyTask,
    Located,
    Plan,
    Sample,
    SampleScore,
    Scores,
    Shot,
    Statistic,
    Value,
    row_of,
)
from evalsuite.task.metrics import POPE_RULES, PopeReport, pope_report, yes_or_no

from .readers import READERS, YesNoQuestion

SHOTS = True
_OF_REPORT = {
    "F1": "f1",
    "accuracy": "accuracy",
    "precision": "precision",
    "recall": "recall",
    "yes ratio": "yes_ratio",
}
"""Metric -> field of the report."""
_SAID = {True: "yes", False: "no", None: "?"}


def build(plan: Plan) -> YesNoTask:
    """The task of a yes-or-no benchmark. Raises SpecError for an unknown rule, metric or reader."""
    if plan.rule not in POPE_RULES:
        raise SpecError(
            f"{plan.benchmark.name}: there is no POPE rule {plan.rule!r}.", suggest(plan.rule, POPE_RULES)
        )
    for metric in plan.benchmark.metrics:
        if metric.name not in _OF_REPORT:
            raise SpecError(
                f"{plan.benchmark.name}: there is no POPE metric {metric.name!r}.",
                suggest(metric.name, _OF_REPORT),
            )
    plan.source.paths(next(iter(plan.source.files)))
    return YesNoTask(plan, plan.reader(READERS))


class YesNoTask(FamilyTask):
    """A yes-or-no benchmark in one protocol; template fields: `image`, `question`."""

    def __init__(self, plan: Plan, read: Callable[[Located], Iterator[YesNoQuestion]]) -> None:
        super().__init__(plan)
        self._read = read

    def _samples(self) -> Iterator[Sample]:
        return self._of(self.plan.source)

    def _examples(self) -> Iterator[Sample]:
        return self._of(self.plan.source.of_examples())

    def _shot(self, example: Sample) -> Shot:
        return Shot(_fields(example.record), _SAID[example.record.label])

    def _of(self, source: Located) -> Iterator[Sample]:
        for question in self._read(source):
            yield Sample(
                question.id, question, cluster=question.image_name, labels={"label": _SAID[question.label]}
            )

    def request(self, sample: Sample, earlier: Sequence[Response] = ()) -> Request | None:
        if earlier:
            return None
        return self.plan.request(_fields(sample.record), self.shots(sample))

    def reference_answer(self, sample: Sample, earlier: Sequence[Response] = ()) -> Response | None:
        return None if sample.record.label is None else TextResponse(_SAID[sample.record.label])

    def target(self, sample: Sample) -> Any:
        return _SAID[sample.record.label]

    def score(self, answered: Sequence[Answered]) -> Scores:
        rows = [self._row(one) for one in answered]
        scored = [i for i, row in enumerate(rows) if not row.failure]
        labels = [answered[i].sample.record.label for i in scored]
        said = [{"yes": 1, "no": 0, "?": -1}[rows[i].parsed] for i in scored]
        statistics = []
        for spec in self.plan.benchmark.metrics:
            # Accuracy is a plain mean; the others are ratios of counts over the whole set.
            function = (
                None if spec.name == "accuracy" else _statistic(spec.name, labels, said, self.plan.rule)
            )
            statistics.append(Statistic(spec.metric(), scored, function))
        return Scores(rows, statistics)

    def _row(self, one: Answered) -> SampleScore:
        row = row_of(one)
        try:
            pick = yes_or_no(self.answer(one), self.plan.rule)
        except SampleError as error:
            return row(failure=str(error))
        return row(values={"accuracy": float(pick is one.sample.record.label)}, parsed=_SAID[pick])


def _fields(question: YesNoQuestion) -> dict[str, Value]:
    return {"image": question.image, "question": question.question}


def _statistic(name: str, labels: Sequence[bool], said: Sequence[int], rule: str) -> Callable[[Any], float]:
    import numpy as np

    truth, picks = np.array(labels, dtype=bool), np.array(said, dtype=np.int8)

    def value(positions: Any) -> float:
        report: PopeReport = pope_report(truth[positions], picks[positions], rule)
        return float(getattr(report, _OF_REPORT[name]))

    return value
