"""Columns over several groups or several grades, as statistics that resampling can repeat."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from evalsuite.task import Metric, SampleScore, Statistic

from .settings import Combined, Pooled, Settings, Weighted


def own_statistics(
    metrics: Sequence[Metric], settings: Settings, rows: Sequence[SampleScore]
) -> tuple[list[Statistic], dict[str, str]]:
    """The columns that the settings define, and why those are missing that cannot be computed."""
    found: list[Statistic] = []
    missing: dict[str, str] = {}
    for metric in metrics:
        if metric.name in settings.weighted:
            how = settings.weighted[metric.name]
            members = _members(rows, (how.of,))
            lacking = [
                name for name in how.weights if not any(rows[i].labels.get(how.by) == name for i in members)
            ]
            if lacking:
                missing[metric.name] = f"no image of {how.by} {', '.join(lacking)} is graded"
            else:
                found.append(_weighted(metric, how, rows, members))
        elif metric.name in settings.pooled:
            found += _pooled(metric, settings.pooled[metric.name], rows)
        elif metric.name in settings.combined:
            found += _combined(metric, settings.combined[metric.name], rows)
    return found, missing


def _members(rows: Sequence[SampleScore], columns: Sequence[str]) -> list[int]:
    """The rows that have a value in any of these columns."""
    return [
        i for i, row in enumerate(rows) if not row.failure and any(name in row.values for name in columns)
    ]


def _weighted(
    metric: Metric, how: Weighted, rows: Sequence[SampleScore], members: Sequence[int]
) -> Statistic:
    import numpy as np

    names = list(how.weights)
    kept = [i for i in members if rows[i].labels.get(how.by) in how.weights]
    values = np.asarray([rows[i].values[how.of] for i in kept], dtype=np.float64)
    codes = np.asarray([names.index(rows[i].labels[how.by]) for i in kept], dtype=np.int64)
    weights = np.asarray([how.weights[name] for name in names], dtype=np.float64)

    def mean(places: Any) -> float:
        counts = np.bincount(codes[places], minlength=len(names))
        sums = np.bincount(codes[places], values[places], minlength=len(names))
        present = counts > 0  # a resample may lack a group: the weights of the others then share its own
        return float((weights[present] * sums[present] / counts[present]).sum() / weights[present].sum())

    return Statistic(metric, kept, mean)


def _pooled(metric: Metric, how: Pooled, rows: Sequence[SampleScore]) -> list[Statistic]:
    members = _members(rows, how.of)
    groups: dict[str, list[int]] = {"": members}
    for label in how.by:
        for value in sorted({rows[i].labels[label] for i in members if label in rows[i].labels}):
            groups[f"{label}={value}"] = [i for i in members if rows[i].labels.get(label) == value]
    return [
        Statistic(metric, kept, _mean_of([_sum(rows[i], how.of) for i in kept]), group=name)
        for name, kept in groups.items()
        if kept
    ]


def _sum(row: SampleScore, columns: Sequence[str]) -> tuple[float, int]:
    given = [row.values[name] for name in columns if name in row.values]
    return sum(given), len(given)


def _mean_of(parts: Sequence[tuple[float, int]]) -> Callable[[Any], float]:
    import numpy as np

    sums, counts = (np.asarray(column, dtype=np.float64) for column in zip(*parts, strict=True))

    def mean(places: Any) -> float:
        return float(sums[places].sum() / counts[places].sum())

    return mean


def _combined(metric: Metric, how: Combined, rows: Sequence[SampleScore]) -> list[Statistic]:
    """Over the columns that any row has: none of them, and there is no statistic."""
    import numpy as np

    members = _members(rows, how.of)
    present = [name for name in how.of if any(name in rows[i].values for i in members)]
    if not present or (how.how == "product" and len(present) < len(how.of)):
        return []
    table = np.asarray([[rows[i].values.get(name, np.nan) for name in present] for i in members])

    def value(places: Any) -> float:
        chosen = table[places]
        counts = (~np.isnan(chosen)).sum(axis=0)
        means = [
            float(np.nansum(chosen[:, place]) / count) for place, count in enumerate(counts) if count
        ]  # a resample may lack a column
        means = means if how.digits is None else [round(mean, how.digits) for mean in means]
        if not means:
            return float("nan")
        return float(np.prod(means)) if how.how == "product" else sum(means) / len(means)

    return [Statistic(metric, members, value)]
