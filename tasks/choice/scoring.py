"""Scores of questions that are asked in several rotations, from the declared metrics.

The rotations of a question are its parts: each has a score in the column `accuracy`, and the label `rotation`
(from 1). MMBench's columns are aggregations within a question:

* `circular` (CircularEval): every rotation is answered right, `{all_of: accuracy, by: sample}`;
* `vanilla`: the first is, `{of: accuracy, where: {rotation: 1}}`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from evalsuite.task import Aggregate, MetricSpec, Sample, SampleScore, values_within

COLUMN = "accuracy"
ROTATION = "rotation"
_PARTS = frozenset({ROTATION, "sample"})
_USUAL = {
    "circular": Aggregate(all_of=COLUMN, by=("sample",)),
    "vanilla": Aggregate(of=(COLUMN,), where={ROTATION: ("1",)}),
}
"""What the names of MMBench's columns stand for where a file says no more."""


def declared(metrics: Iterable[MetricSpec]) -> tuple[list[MetricSpec], list[MetricSpec]]:
    """The metrics to be computed within each question, and all of them over questions."""
    within: list[MetricSpec] = []
    across: list[MetricSpec] = []
    for given in metrics:
        usual = _USUAL.get(given.name) if given.plain else None
        spec = given if usual is None else given.model_copy(update=dict(usual))
        if spec.plain or any(_PARTS & set(one.labels) for one in spec.nested()):
            within.append(spec)
            spec = MetricSpec(
                name=spec.name,
                scale=spec.scale,
                higher_is_better=spec.higher_is_better,
                headline=spec.headline,
                digits=spec.digits,
                exceeds_one=spec.exceeds_one,
            )
        across.append(spec)
    return within, across


def hits(
    metrics: Sequence[MetricSpec], sample: Sample, answers: Sequence[str], picks: Sequence[str | None]
) -> dict[str, float]:
    """The columns of one question.

    Args:
        metrics: those within a question.
        answers, picks: right and chosen letter of each rotation; None: unread, which is wrong.
    """
    parts = [
        SampleScore(
            sample.id,
            {COLUMN: float(pick == answer)},
            labels={**sample.labels, ROTATION: str(number)},
        )
        for number, (answer, pick) in enumerate(zip(answers, picks, strict=True), start=1)
    ]
    return values_within(metrics, parts)
