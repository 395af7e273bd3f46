"""Columns that pool questions over prompts, as statistics that resampling can repeat."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from evalsuite.task import Metric, SampleScore, Statistic
from evalsuite.task.metrics import Pool, group_means

from .settings import Dimensions

SCORE, UNGATED, QUESTIONS = "score", "ungated", "questions"
COLUMNS = (SCORE, UNGATED)
"""`score`: a prompt's value by the rule; `ungated`: the share of its questions, whatever they depend on."""
TRUTH, AGREEMENT = "truth", "agreement"
"""Where images can be read exactly: what the right answers come to, and how often an answer is right."""
EVERY = ""
"""The group of all questions."""


def group_of(label: str, value: str) -> str:
    return f"{label}={value}"


def pooled_statistics(metric: Metric, pools: Mapping[int, Pool], labels: Sequence[str]) -> list[Statistic]:
    """The mean over all questions, and over those of each value of each label.

    Args:
        pools: position of a row -> its questions, by group.
    """
    rows = list(pools)
    names = sorted({name for pool in pools.values() for name in pool if name.partition("=")[0] in labels})
    return [
        Statistic(metric, members, _pooled([pools[row][name] for row in members]), group=name)
        for name in (EVERY, *names)
        if (members := [row for row in rows if name in pools[row]])
    ]


def _pooled(parts: Sequence[tuple[float, int]]) -> Callable[[Any], float]:
    import numpy as np

    sums, counts = (np.asarray(column, dtype=np.float64) for column in zip(*parts, strict=True))

    def mean(places: Any) -> float:
        return float(sums[places].sum() / counts[places].sum())

    return mean


def dimension_statistics(
    metric: Metric, how: Dimensions, rows: Sequence[SampleScore], pools: Mapping[int, Pool]
) -> list[Statistic]:
    """The mean over dimensions of the mean over their members' pooled questions; and each dimension."""
    import numpy as np

    start = group_of(how.by, "")
    wanted = [
        row
        for row, pool in pools.items()
        if all(rows[row].labels.get(label) == value for label, value in how.where.items())
        and any(name.startswith(start) for name in pool)
    ]
    members = sorted({name for row in wanted for name in pools[row] if name.startswith(start)})
    if not members:
        return []
    parts = np.zeros((2, len(wanted), len(members)))
    column = {name: place for place, name in enumerate(members)}
    for place, row in enumerate(wanted):
        for name, (total, count) in pools[row].items():
            if name in column:
                parts[:, place, column[name]] = total, count
    bare = [name.removeprefix(start) for name in members]
    groups = how.groups or {name: (name,) for name in bare}

    def means(places: Any) -> dict[str, float]:
        sums, counts = parts[:, places].sum(axis=1)
        values = {name: sums[i] / counts[i] for i, name in enumerate(bare) if counts[i]}
        return group_means(values, groups, how.digits)

    def overall(places: Any) -> float:
        found = means(places)  # a resample may lack a dimension
        return float(sum(found.values()) / len(found)) if found else float("nan")

    def of(name: str) -> Callable[[Any], float]:
        return lambda places: float(means(places).get(name, float("nan")))

    present = means(np.arange(len(wanted)))
    if not present:
        return []
    more = [Statistic(metric, wanted, of(name), group=f"dimension={name}") for name in present]
    return [Statistic(metric, wanted, overall), *(more if len(present) > 1 else [])]
