"""From runs to curves with their best steps and last changes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from evalsuite.comparison.sides import Where, paths_of
from evalsuite.leaderboards.frame import open_runs
from evalsuite.registry import Registry
from evalsuite.stats import repeated_mean
from evalsuite.store import RunReader
from evalsuite.tracking.best import Draws, best_of_intervals, best_of_means
from evalsuite.tracking.changes import judged, last_change
from evalsuite.tracking.columns import Columns, Scored, on_shared
from evalsuite.tracking.gathering import Curve, Point, Training, gather


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
    columns, draws = Columns(), Draws()
    known = [_joint(curve, columns, draws, resamples, seed) for curve in curves]
    change: Callable[..., Any] = partial(
        last_change, exact=exact, resamples=resamples, seed=seed, registry=registry
    )
    return Training(tuple(judged([replace(c, change=change(c)) for c in known])), tuple(notes))


def _joint(curve: Curve, columns: Columns, draws: Draws, resamples: int, seed: int) -> Curve:
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
        shared, scores = on_shared([one for point in means for one in point])
        if len(shared) >= 0.5 * max(len(one) for point in means for one in point):
            clusters = columns.clusters(curve.points[0].measured[0], curve.metric.name, curve.group, shared)
            each = iter(scores)
            best = best_of_means(
                steps, [np.array([next(each) for _ in point]) for point in means], clusters,
                higher_is_better=better, level=curve.level, resamples=resamples, seed=seed, draws=draws,
            )  # fmt: skip
            return replace(curve, best=best)
    from scipy.special import ndtri

    width = 2 * float(ndtri((1 + curve.level) / 2))
    errors = [(point.high - point.low) / width for point in curve.points]
    best = best_of_intervals(
        steps, [point.value for point in curve.points], errors, higher_is_better=better, level=curve.level,
        resamples=resamples, seed=seed,
    )  # fmt: skip
    return replace(curve, best=best)


def _seeded(curve: Curve, at: int, found: Sequence[Scored], columns: Columns) -> Point:
    """A point of several runs, with the interval of `repeated_mean` over the samples that all have."""
    point = curve.points[at]
    if len(found) < 2:
        return point
    shared, scores = on_shared(found)
    if not shared:
        return point
    clusters = columns.clusters(point.measured[0], curve.metric.name, curve.group, shared)
    joint = repeated_mean(np.array(scores), clusters, level=curve.level)
    return replace(point, value=joint.value, low=joint.low, high=joint.high, n=len(shared))
