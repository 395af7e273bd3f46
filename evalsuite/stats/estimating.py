"""From a task's scores to estimates."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from evalsuite.errors import DataError
from evalsuite.stats.proportion import clopper_pearson
from evalsuite.stats.resampling import (
    Clusters,
    Floats,
    Ints,
    acceleration,
    all_alike,
    bca_interval,
    bootstrap_at_once,
    bootstrap_function,
    bootstrap_means,
    half_samples,
)
from evalsuite.task import Metric, SampleScore, Scores, Statistic

_HALF_SAMPLES = 200
"""Distances are slow to compute; 200 half-samples give their spread within 5 % (1 / sqrt(2 * 200))."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number with its interval.

    Args:
        metric: the column.
        group: "" for the whole task, else e.g. "answer_type=number".
        value: in natural units; display multiplies by `metric.scale`.
        low, high: ends of the interval at `level`; NaN where none can be had.
        n: samples it is computed over.
        method: how the interval came about, e.g. "cluster bootstrap, 1000 resamples".
        level: confidence, 0.95 by default.
    """

    metric: Metric
    group: str
    value: float
    low: float
    high: float
    n: int
    method: str
    level: float = 0.95


def estimate(scores: Scores, *, resamples: int = 1000, seed: int = 0, level: float = 0.95) -> list[Estimate]:
    """Every statistic of `scores` with its interval, in their order.

    How the interval comes about is in `Estimate.method`:

    - means of scores that are all 0 or 1, no clusters: Clopper–Pearson, exact; not of a metric that says
      `exceeds_one`, or that has a score outside [0, 1] in any row: zeros only of CIDEr are no proportion;
    - other means: bootstrap over clusters (BCa; see `resampling.bca_interval`); CIDEr is one, the mean of
      per-image scores whose document frequencies are those of the whole set;
    - functions of the whole corpus (BLEU): bootstrap over clusters, widened percentile interval;
    - `subsample` (distances between distributions): half-samples, at most 200 of them. Their deviations from
      their own mean are put around the value, so the interval says how far sampling moves the number; the
      bias that such a distance has at this sample size is part of the number and stays in it;
    - `none`, no samples, one cluster, or scores or clusters that are all equal: no interval (NaN).

    Args:
        resamples: bootstrap samples; a statistic's own `most_resamples` may lower it.
        seed: equal seeds give equal intervals; each statistic draws from its own stream, so adding one leaves
            the others as they are.
        level: confidence in (0, 1).

    Raises:
        DataError: a score is NaN or infinite; names the column and the sample.
    """
    means = {each.metric.name: each.metric for each in scores.statistics if each.function is None}
    shares = {name: _is_share(metric, scores.rows) for name, metric in means.items()}
    return [
        _estimate(each, scores.rows, shares.get(each.metric.name, False), resamples, seed, level)
        for each in scores.statistics
    ]


def _is_share(metric: Metric, rows: Sequence[SampleScore]) -> bool:
    """Whether a column's mean is a share of something: all its scores are in [0, 1], and may be nothing
    else."""
    if metric.exceeds_one:
        return False
    scored = (row.values for row in rows if not row.failure and metric.name in row.values)
    return all(0 <= values[metric.name] <= 1 for values in scored)


def _estimate(
    statistic: Statistic,
    rows: Sequence[SampleScore],
    share: bool,
    resamples: int,
    seed: int,
    level: float,
) -> Estimate:
    metric, n = statistic.metric, len(statistic.rows)
    if statistic.most_resamples is not None:
        resamples = min(resamples, statistic.most_resamples)

    def told(value: float, low: float, high: float, method: str) -> Estimate:
        return Estimate(metric, statistic.group, value, low, high, n, method, level)

    if n == 0:
        return told(np.nan, np.nan, np.nan, "no samples")
    clusters = Clusters.of([rows[i].cluster for i in statistic.rows])
    rng = np.random.default_rng([seed, zlib.crc32(f"{metric.name}\0{statistic.group}".encode())])
    if statistic.function is not None:
        return told(*_of_function(statistic.function, statistic, clusters, resamples, level, rng))
    values = _column(metric.name, statistic, rows)
    if statistic.resampling == "none":
        return told(float(values.mean()), np.nan, np.nan, "no interval")
    return told(*_of_mean(values, clusters, share, resamples, level, rng))


def _column(name: str, statistic: Statistic, rows: Sequence[SampleScore]) -> Floats:
    """The scores of one column. Raises DataError for a missing, NaN or infinite one."""
    try:
        values = np.array([rows[i].values[name] for i in statistic.rows], dtype=np.float64)
    except KeyError:
        bare = next(rows[i].id for i in statistic.rows if name not in rows[i].values)
        raise DataError(
            f"Sample {bare!r} has no score {name!r}.",
            "The task's score() must give it or leave the row out of the statistic.",
        ) from None
    if not np.isfinite(values).all():
        worst = int(np.flatnonzero(~np.isfinite(values))[0])
        sample = rows[statistic.rows[worst]].id
        raise DataError(
            f"Score {name!r} of sample {sample!r} is {values[worst]}.",
            "A sample that cannot be scored must be recorded as failed, with its reason.",
        )
    return values


def _of_mean(
    values: Floats, clusters: Clusters, share: bool, resamples: int, level: float, rng: np.random.Generator
) -> tuple[float, float, float, str]:
    value = float(values.mean())
    constant = bool((values == values[0]).all())
    binary = share and bool(((values == 0) | (values == 1)).all())
    if binary and clusters.trivial:
        low, high = clopper_pearson(int(values.sum()), len(values), level)
        return value, low, high, "Clopper-Pearson"
    if binary and constant:
        # Nothing varies, so nothing can be resampled; the clusters are the independent trials.
        low, high = clopper_pearson(int(value) * clusters.count, clusters.count, level)
        return value, low, high, f"Clopper-Pearson over {clusters.count} clusters"
    if clusters.count == 1:
        what = "sample" if len(values) == 1 else "cluster"
        return value, np.nan, np.nan, f"no interval: one {what}"
    if constant:
        return value, np.nan, np.nan, "no interval: all scores are equal"
    sums = clusters.sums(values)
    if all_alike(sums, clusters.sizes):
        return value, np.nan, np.nan, f"no interval: all {clusters.count} clusters score alike"
    resampled = bootstrap_means(sums, clusters.sizes, resamples, rng)
    low, high = bca_interval(value, resampled, clusters.count, level, acceleration(sums, clusters.sizes))
    return value, low, high, _named(clusters, resamples, "BCa")


def _of_function(
    function: Callable[[Ints], float],
    statistic: Statistic,
    clusters: Clusters,
    resamples: int,
    level: float,
    rng: np.random.Generator,
) -> tuple[float, float, float, str]:
    n = len(statistic.rows)
    value = float(function(np.arange(n)))
    if not np.isfinite(value):
        where = f" ({statistic.group})" if statistic.group else ""
        raise DataError(
            f"{statistic.metric.name}{where} over {n} samples is {value}.",
            "Too few samples for this metric, or a score that is not a number.",
        )
    if statistic.resampling == "none":
        return value, np.nan, np.nan, "no interval"
    if clusters.count == 1:
        return value, np.nan, np.nan, f"no interval: one {'sample' if n == 1 else 'cluster'}"
    if statistic.resampling == "bootstrap":
        if statistic.resampled is not None:
            found = bootstrap_at_once(statistic.resampled, clusters, resamples, rng)
        else:
            found = bootstrap_function(function, clusters, resamples, rng)
        method = _named(clusters, resamples, "percentile")
    else:
        count = min(resamples, _HALF_SAMPLES)
        found, factor = half_samples(function, clusters, count, rng)
        method = f"half-samples, {count} of {clusters.count // 2} of {clusters.count}"
    undefined = int((~np.isfinite(found)).sum())
    if undefined:
        return value, np.nan, np.nan, f"no interval: undefined in {undefined} of {len(found)} resamples"
    if np.allclose(found, found[0], rtol=1e-12, atol=1e-12):
        return value, np.nan, np.nan, f"no interval: the same in all {len(found)} resamples"
    if statistic.resampling == "bootstrap":
        low, high = bca_interval(value, found, clusters.count, level, accelerated=None)
    else:
        deviation = factor * (found - found.mean())
        low, high = value - np.quantile(deviation, [(1 + level) / 2, (1 - level) / 2])
    return value, float(low), float(high), method


def _named(clusters: Clusters, resamples: int, kind: str) -> str:
    over = "" if clusters.trivial else f" over {clusters.count} clusters"
    return f"{'' if clusters.trivial else 'cluster '}bootstrap ({kind}), {resamples} resamples{over}"
