"""Two runs on the same samples: the difference and whether chance explains it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from evalsuite.errors import DataError
from evalsuite.stats.difference import Difference
from evalsuite.stats.proportion import tango
from evalsuite.stats.resampling import (
    Clusters,
    Floats,
    acceleration,
    all_alike,
    bca_interval,
    bootstrap_means,
)
from evalsuite.stats.significance import mcnemar, sign_flip


def paired_difference(
    a: Mapping[str, float],
    b: Mapping[str, float],
    *,
    clusters: Mapping[str, str] | None = None,
    resamples: int = 10_000,
    seed: int = 0,
    level: float = 0.95,
    null: float = 0.0,
    share: bool = True,
) -> Difference:
    """The mean of b - a over the samples that both have, with interval and p-value.

    Args:
        a, b: score of each sample by its id.
        clusters: cluster of each sample by its id; samples that are not in it stand alone.
        resamples, seed, level, null, share: as for `paired_means`.

    Raises:
        DataError: no sample is in both, or a score is not a number.
    """
    shared = sorted(a.keys() & b.keys())
    if not shared:
        raise DataError("The two runs share no sample.", "Compare runs of the same task, version and split.")
    first = np.array([a[i] for i in shared], dtype=np.float64)
    second = np.array([b[i] for i in shared], dtype=np.float64)
    bad = np.flatnonzero(~np.isfinite(first - second))
    if len(bad):
        raise DataError(
            f"Sample {shared[int(bad[0])]!r} has a score that is not a number.", "Score the run again."
        )
    grouped = Clusters.of([(clusters or {}).get(i, "") for i in shared])
    return paired_means(
        first, second, grouped, resamples=resamples, seed=seed, level=level, null=null, share=share
    )


def paired_means(
    a: Floats,
    b: Floats,
    clusters: Clusters,
    *,
    resamples: int = 10_000,
    seed: int = 0,
    level: float = 0.95,
    null: float = 0.0,
    share: bool = True,
) -> Difference:
    """The mean of b - a over the same rows, with interval and p-value.

    - Scores that are all 0 or 1, no clusters: Tango's score interval, McNemar's exact test.
    - Otherwise: the BCa bootstrap of the differences over clusters; the permutation test that flips the sign
      of each cluster's summed difference.
    - No row differs: the test has nothing to show (p = 1), and the interval is Tango's with clusters as
      pairs, for scores in [0, 1].

    Args:
        a, b: finite scores, shape (n,), n at least 1.
        clusters: of the rows.
        resamples: bootstrap samples and sign patterns.
        seed: equal seeds give equal results.
        level: confidence in (0, 1).
        null: `p_null` tests against this difference; for the permutation test the differences are shifted by
            it.
        share: scores are shares of something; False where they can exceed 1 (`Metric.exceeds_one`), whatever
            these rows happen to hold: no score interval then.
    """
    difference = b - a
    n = len(difference)
    better, worse = int((difference > 0).sum()), int((difference < 0).sum())
    sums = clusters.sums(difference)
    rng = np.random.default_rng([seed, n])
    unit = share and bool(((a >= 0) & (a <= 1) & (b >= 0) & (b <= 1)).all())
    binary = unit and bool(((a % 1 == 0) & (b % 1 == 0)).all())
    low = high = np.nan
    if binary and clusters.trivial:
        low, high = tango(better, worse, n, level)
        p, method = mcnemar(better, worse), "score interval (Tango), McNemar exact"
    elif not better and not worse:
        if unit:
            low, high = tango(0, 0, clusters.count, level)
        p, method = 1.0, "no sample differs"
    else:
        p, method = sign_flip(sums, resamples, rng), "no interval"
        if clusters.count > 1 and not all_alike(sums, clusters.sizes):
            value = float(difference.mean())
            resampled = bootstrap_means(sums, clusters.sizes, resamples, rng)
            low, high = bca_interval(
                value, resampled, clusters.count, level, acceleration(sums, clusters.sizes)
            )
            method = "paired bootstrap (BCa)"
        over = "" if clusters.trivial else f", {clusters.count} clusters"
        method = f"{method}, sign flips, {resamples} resamples{over}"
    p_null = p if null == 0 else sign_flip(sums - null * clusters.sizes, resamples, rng)
    return Difference(
        float(difference.mean()), low, high, p, n, better, worse, level, float(a.mean()), float(b.mean()),
        True, method, p_null,
    )  # fmt: skip
