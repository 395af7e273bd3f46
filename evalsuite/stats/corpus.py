"""Differences of numbers that are no means: corpus scores (BLEU, F1) and distances between distributions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np

from evalsuite.errors import DataError
from evalsuite.stats.difference import Difference
from evalsuite.stats.resampling import Clusters, Floats, Ints, bca_interval

Function = Callable[[Ints], float]
Resampling = Literal["bootstrap", "subsample", "none"]

_ENOUGH = 500
"""With fewer resamples the tails are taken from the normal distribution of the same spread."""
_HALF_SAMPLES = 200


def paired_functions(
    a: Function,
    b: Function,
    clusters: Clusters,
    *,
    resampling: Resampling = "bootstrap",
    resamples: int = 2000,
    seed: int = 0,
    level: float = 0.95,
    null: float = 0.0,
) -> Difference:
    """b - a of two statistics over the same rows; every resample takes the same rows for both.

    - `bootstrap`: of clusters; widened percentile interval, and the p-value that belongs to it (the level at
      which the interval would end at the null).
    - `subsample`: halves of the clusters without replacement (see `resampling.half_samples`), at most 200;
      normal interval with their spread. What both distances owe to the sample's size cancels.
    - `none`: no interval, no p-value.

    Args:
        a, b: value over row positions, repeats allowed, e.g. `statistic.function`.
        clusters: of the rows both are over.
        resamples, seed, level: as for `paired_means`.
        null: `p_null` tests against this difference.

    Raises:
        DataError: one of the values is not a number.
    """
    everything = np.arange(len(clusters.members))
    value_a, value_b = _finite(a(everything)), _finite(b(everything))
    value, n = value_b - value_a, len(everything)

    def told(
        method: str, ends: tuple[float, float] = (np.nan, np.nan), p: float = np.nan, p_null: float = np.nan
    ) -> Difference:
        low, high = ends
        return Difference(
            value, low, high, p, n, level=level, a=value_a, b=value_b, method=method, p_null=p_null
        )

    if resampling == "none" or clusters.count < 3:
        return told("no interval")
    rng = np.random.default_rng([seed, n])
    if resampling == "subsample":
        resamples = min(resamples, _HALF_SAMPLES)
    drawn = np.empty(resamples)
    half = clusters.count // 2
    for i in range(resamples):
        if resampling == "subsample":
            chosen = np.sort(rng.permutation(clusters.count)[:half])
        else:
            chosen = rng.integers(0, clusters.count, size=clusters.count)
        rows = clusters.rows(chosen)
        drawn[i] = b(rows) - a(rows)
    undefined = int((~np.isfinite(drawn)).sum())
    over = "" if clusters.trivial else f" over {clusters.count} clusters"
    if undefined:
        return told(f"no interval: undefined in {undefined} of {resamples} resamples")
    if value == 0 and not drawn.any():
        return told("no sample differs", p=1.0, p_null=1.0 if null == 0 else np.nan)
    if resampling == "subsample":
        spread = float(drawn.std(ddof=1)) * (half / (clusters.count - half)) ** 0.5
        return told(f"paired half-samples, {resamples}{over}", *_normal(value, spread, level, null))
    if resamples < _ENOUGH:
        spread = float(drawn.std(ddof=1)) * (clusters.count / (clusters.count - 1)) ** 0.5
        method = f"paired bootstrap (normal), {resamples} resamples{over}"
        return told(method, *_normal(value, spread, level, null))
    ends = bca_interval(value, drawn, clusters.count, level, accelerated=None)
    p, p_null = (_percentile_p(drawn, shift, clusters.count) for shift in (0.0, null))
    return told(f"paired bootstrap (percentile), {resamples} resamples{over}", ends, p, p_null)


def independent_functions(
    a: tuple[Function, Clusters],
    b: tuple[Function, Clusters],
    *,
    resampling: Resampling = "bootstrap",
    resamples: int = 1000,
    seed: int = 0,
    level: float = 0.95,
    null: float = 0.0,
) -> Difference:
    """b - a of two statistics over different samples, each resampled for itself.

    Interval and p-value are normal, with the root of the summed variances.

    Args:
        a, b: value over row positions, and the clusters of its rows.
        resampling, resamples, seed, level, null: as for `paired_functions`.

    Raises:
        DataError: one of the values is not a number.
    """
    rng = np.random.default_rng([seed, a[1].count, b[1].count])
    values, spread = [], 0.0
    for function, clusters in (a, b):
        values.append(_finite(function(np.arange(len(clusters.members)))))
        if resampling == "none" or clusters.count < 3:
            spread = np.nan
            continue
        count = min(resamples, _HALF_SAMPLES if resampling == "subsample" else resamples)
        half = clusters.count // 2
        drawn = np.empty(count)
        for i in range(count):
            chosen = (
                rng.permutation(clusters.count)[:half]
                if resampling == "subsample"
                else rng.integers(0, clusters.count, size=clusters.count)
            )
            drawn[i] = function(clusters.rows(chosen))
        factor = half / (clusters.count - half) if resampling == "subsample" else 1.0
        spread = float(np.hypot(spread, drawn.std(ddof=1) * factor**0.5))
    value = values[1] - values[0]
    ends, p, p_null = _normal(value, spread, level, null)
    return Difference(
        value, *ends, p, min(len(a[1].members), len(b[1].members)), level=level, a=values[0], b=values[1],
        paired=False, method=f"unpaired resampling of both (normal), {resampling}", p_null=p_null,
    )  # fmt: skip


def _finite(value: float) -> float:
    if not np.isfinite(value):
        raise DataError(
            f"A metric over the samples of both runs is {value}.",
            "Too few samples for it, or a score that is not a number.",
        )
    return float(value)


def _normal(
    value: float, spread: float, level: float, null: float
) -> tuple[tuple[float, float], float, float]:
    from scipy.special import ndtr, ndtri

    half = float(ndtri((1 + level) / 2)) * spread
    p, p_null = (
        (2 * float(ndtr(-abs(value - shift) / spread)) if spread > 0 else np.nan) for shift in (0.0, null)
    )
    return (value - half, value + half), p, p_null


def _percentile_p(drawn: Floats, null: float, clusters: int) -> float:
    """Two-sided p-value that is below 1 - level just where `bca_interval` without acceleration excludes
    `null`."""
    from scipy.special import ndtri, stdtr

    below = ((drawn < null).sum() + (drawn <= null).sum()) / 2
    share = (below + 0.5) / (len(drawn) + 1)
    z = abs(float(ndtri(share))) / (clusters / (clusters - 1)) ** 0.5
    return float(min(1.0, 2 * stdtr(clusters - 1, -z)))
