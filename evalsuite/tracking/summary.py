"""From runs to curves with their best steps and last changes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from evalsuite.comparison.sides import Measurement, Where, paths_of
from evalsuite.leaderboards.frame import open_runs
from evalsuite.registry import Registry
from evalsuite.stats import Clusters, repeated_mean
from evalsuite.store import RunReader
from evalsuite.store.results import score_columns
from evalsuite.tracking.best import Best, best_of_intervals, best_of_means
from evalsuite.tracking.changes import judged, last_change
from evalsuite.tracking.gathering import Curve, Training, gather


def track(
    runs: Where | Iterable[Where],
    *,
    tasks: Sequence[str] = (),
    all_metrics: bool = False,
    groups: bool = False,
    exact: bool = False,
    resamples: int = 2000,
    seed: int = 0,
    registry: Registry | None = None,
) -> Training:
    """Curves over the checkpoints of trainings: per task and series, with intervals, the best step and how
    sure that is, and whether the last change is more than chance.

    Args:
        runs: runs of checkpoints, or folders of runs. Each run knows its step: `--step`, the checkpoint's
            folder (`checkpoint-1000`, `trainer_state.json`), or the run's own folder.
        tasks: only these; all when empty.
        all_metrics: every metric instead of each task's headline.
        groups: breakdowns too.
        exact: numbers that are no means (BLEU, FID) are computed again from responses and data to test their
            last change; by default their stored intervals are compared, which is fast and tells less.
        resamples, seed: of bootstrap and permutation tests.
        registry: where tasks are found whose metrics need their data; None loads installed plugins.

    Raises:
        StoreError: there is no run, or none that is scored.
        SpecError: no run knows its step, a step was measured twice with the same seed, or no run has a task
            of `tasks`.
    """
    with ExitStack() as stack:
        readers = open_runs(paths_of(runs))
        for reader in readers:
            stack.enter_context(reader)
        return track_open(
            readers, tasks=tasks, all_metrics=all_metrics, groups=groups, exact=exact,
            resamples=resamples, seed=seed, registry=registry,
        )  # fmt: skip


def track_open(
    readers: Sequence[RunReader],
    *,
    tasks: Sequence[str] = (),
    all_metrics: bool = False,
    groups: bool = False,
    exact: bool = False,
    resamples: int = 2000,
    seed: int = 0,
    registry: Registry | None = None,
) -> Training:
    """`track` of runs that are open."""
    curves, notes = gather(readers, tasks=tasks, all_metrics=all_metrics, groups=groups)
    columns = _Columns()
    known = [_joint(curve, columns, resamples, seed) for curve in curves]
    change: Callable[..., Any] = partial(
        last_change, exact=exact, resamples=resamples, seed=seed, registry=registry
    )
    return Training(tuple(judged([replace(c, change=change(c)) for c in known])), tuple(notes))


class _Columns:
    """Scores of samples by run, task and metric, each file read once."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, str, str, str], Any] = {}

    def of(self, one: Measurement, metric: str, group: str) -> dict[str, float] | None:
        """Score by sample; None where the number is not the mean of a column."""
        result = one.result
        table = self._table(one, metric, group.partition("=")[0])
        if table is None:
            return None
        ids, values, labels, _ = table
        keep = np.isfinite(values)
        if group:
            wanted = group.partition("=")[2]
            keep &= np.array([label == wanted for label in labels], dtype=bool)
        stored = next((e for e in result.estimates if e.metric.name == metric and e.group == group), None)
        if stored is None or int(keep.sum()) != stored.n or not stored.n:
            return None
        if not math.isclose(float(values[keep].mean()), stored.value, rel_tol=1e-9, abs_tol=1e-12):
            return None
        return dict(zip(ids[keep], values[keep], strict=True))

    def clusters(self, one: Measurement, metric: str, group: str) -> dict[str, str]:
        table = self._table(one, metric, group.partition("=")[0])
        assert table is not None
        return dict(zip(table[0], table[3], strict=True))

    def _table(self, one: Measurement, metric: str, label: str) -> Any:
        key = (id(one), one.key, metric, label)
        if key not in self._known:
            result = one.result
            self._known[key] = score_columns(one.run.path, one.key, result.rules, result.judge, metric, label)
        return self._known[key]


def _joint(curve: Curve, columns: _Columns, resamples: int, seed: int) -> Curve:
    """The curve with its best step; of means over several seeds also with intervals from their samples."""
    read = [[columns.of(one, curve.metric.name, curve.group) for one in p.measured] for p in curve.points]
    means = [[one for one in point if one is not None] for point in read]
    complete = all(len(a) == len(b) for a, b in zip(means, read, strict=True))
    if complete and any(len(point) > 1 for point in means):
        curve = replace(curve, points=tuple(_seeded(curve, i, means[i], columns) for i in range(len(means))))
    if len(curve.points) < 2:
        return curve
    steps = curve.steps
    better = curve.metric.higher_is_better
    if complete:
        shared = set.intersection(*(set(one) for point in means for one in point))
        if len(shared) >= 0.5 * max(len(one) for point in means for one in point):
            return replace(curve, best=_paired(curve, means, sorted(shared), columns, resamples, seed))
    from scipy.special import ndtri

    width = 2 * float(ndtri((1 + curve.level) / 2))
    errors = [(point.high - point.low) / width for point in curve.points]
    best = best_of_intervals(
        steps, [point.value for point in curve.points], errors, higher_is_better=better, level=curve.level,
        resamples=resamples, seed=seed,
    )  # fmt: skip
    return replace(curve, best=best)


def _paired(
    curve: Curve,
    means: Sequence[Sequence[dict[str, float]]],
    shared: Sequence[str],
    columns: _Columns,
    resamples: int,
    seed: int,
) -> Best:
    of = columns.clusters(curve.points[0].measured[0], curve.metric.name, curve.group)
    clusters = Clusters.of([of.get(i, "") for i in shared])
    scores = [np.array([[one[i] for i in shared] for one in point]) for point in means]
    return best_of_means(
        curve.steps, scores, clusters, higher_is_better=curve.metric.higher_is_better, level=curve.level,
        resamples=resamples, seed=seed,
    )  # fmt: skip


def _seeded(curve: Curve, at: int, found: Sequence[dict[str, float]], columns: _Columns) -> Any:
    """A point of several runs, with the interval of `repeated_mean` over the samples that all have."""
    point = curve.points[at]
    shared = sorted(set.intersection(*(set(one) for one in found)))
    if len(found) < 2 or not shared:
        return point
    of = columns.clusters(point.measured[0], curve.metric.name, curve.group)
    scores = np.array([[one[i] for i in shared] for one in found])
    joint = repeated_mean(scores, Clusters.of([of.get(i, "") for i in shared]), level=curve.level)
    return replace(point, value=joint.value, low=joint.low, high=joint.high, n=len(shared))
