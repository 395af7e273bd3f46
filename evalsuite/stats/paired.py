"""Two runs on the same samples: the difference and whether chance explains it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from evalsuite.errors import DataError
from evalsuite.stats.resampling import Clusters, acceleration, bca_interval, bootstrap_means


@dataclass(frozen=True, slots=True)
class Difference:
    """How much higher `b` scores than `a`.

    Args:
        value: mean of b - a over the shared samples, in natural units.
        low, high: interval at `level`; NaN where none can be had.
        p: two-sided p-value of the sign-flip test: the chance of so large a difference if a and b were
            exchangeable.
        n: shared samples.
        better, worse: samples on which b scores higher, lower.
        level: confidence.
    """

    value: float
    low: float
    high: float
    p: float
    n: int
    better: int
    worse: int
    level: float = 0.95


def paired_difference(
    a: Mapping[str, float],
    b: Mapping[str, float],
    *,
    clusters: Mapping[str, str] | None = None,
    resamples: int = 10_000,
    seed: int = 0,
    level: float = 0.95,
) -> Difference:
    """The mean of b - a over the samples that both have, with interval and p-value.

    The interval is the bootstrap of the differences over clusters. The p-value is that of a randomisation
    test: the sign of each cluster's summed difference is flipped at random; p = (1 + hits) / (1 + resamples),
    which keeps its level exactly (Phipson & Smyth 2010). For 0/1 scores this is McNemar's test by simulation.

    Args:
        a, b: score of each sample by its id.
        clusters: cluster of each sample by its id; samples that are not in it stand alone.

    Raises:
        DataError: no sample is in both, or a score is not a number.
    """
    shared = sorted(a.keys() & b.keys())
    if not shared:
        raise DataError("The two runs share no sample.", "Compare runs of the same task, version and split.")
    difference = np.array([b[i] - a[i] for i in shared], dtype=np.float64)
    if not np.isfinite(difference).all():
        bad = shared[int(np.flatnonzero(~np.isfinite(difference))[0])]
        raise DataError(f"Sample {bad!r} has a score that is not a number.", "Score the run again.")
    grouped = Clusters.of([(clusters or {}).get(i, "") for i in shared])
    sums = grouped.sums(difference)
    value = float(difference.mean())
    rng = np.random.default_rng([seed, len(shared)])
    low = high = np.nan
    if grouped.count > 1 and (difference != difference[0]).any():
        resampled = bootstrap_means(sums, grouped.sizes, resamples, rng)
        low, high = bca_interval(value, resampled, grouped.count, level, acceleration(sums, grouped.sizes))
    return Difference(
        value,
        low,
        high,
        _sign_flip(sums, resamples, rng),
        len(shared),
        int((difference > 0).sum()),
        int((difference < 0).sum()),
        level,
    )


def _sign_flip(sums: np.ndarray, resamples: int, rng: np.random.Generator) -> float:
    """Two-sided p-value of the summed differences under random signs; clusters without any play no part."""
    sizes, counts = np.unique(np.abs(sums[sums != 0]), return_counts=True)
    if len(sizes) == 0:
        return 1.0
    # The signed sum of `count` equal values v is v * (2 * Binomial(count, 1/2) - count).
    total = np.zeros(resamples)
    for size, count in zip(sizes, counts, strict=True):
        total += size * (2.0 * rng.binomial(count, 0.5, size=resamples) - count)
    observed = abs(float(sums.sum()))
    hits = int((np.abs(total) >= observed * (1 - 1e-12)).sum())
    return (1 + hits) / (1 + resamples)
