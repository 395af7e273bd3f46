"""Rows of single answers and images inside the samples of a cycle, and numbers over them by sample."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from evalsuite.task import SampleScore, Statistic


def over_samples(statistic: Statistic, inner: Sequence[SampleScore], owner: Sequence[int]) -> Statistic:
    """A number over answers as a number over samples, whose answers are resampled together.

    Args:
        statistic: of the rows `inner`.
        owner: position of the sample that each inner row belongs to.
    """
    import numpy as np

    inside: dict[int, list[int]] = {}
    for place, position in enumerate(statistic.rows):
        inside.setdefault(owner[position], []).append(place)
    samples = sorted(inside)
    members = np.array([place for one in samples for place in inside[one]], dtype=np.int64)
    sizes = np.array([len(inside[one]) for one in samples], dtype=np.int64)
    starts = np.cumsum(sizes) - sizes
    name = statistic.metric.name
    values = np.array([inner[i].values.get(name, 0.0) for i in statistic.rows], dtype=np.float64)
    sums = np.add.reduceat(values[members], starts)

    def mean(chosen: Any) -> float:
        return float(sums[chosen].sum() / sizes[chosen].sum())

    def value(chosen: Any) -> float:
        assert statistic.function is not None
        lengths = sizes[chosen]
        ends = np.cumsum(lengths)
        within = np.arange(ends[-1]) - np.repeat(ends - lengths, lengths)
        return float(statistic.function(members[np.repeat(starts[chosen], lengths) + within]))

    def resampled(clusters: Any, counts: Any) -> Any:
        assert statistic.resampled is not None
        inside = np.empty(len(statistic.rows), dtype=np.int64)
        inside[members] = np.repeat(clusters, sizes)
        return statistic.resampled(inside, counts)

    return Statistic(
        statistic.metric,
        samples,
        mean if statistic.function is None else value,
        group=statistic.group,
        resampled=resampled if statistic.resampled else None,
    )
