"""Two runs on different samples."""

from __future__ import annotations

import numpy as np

from evalsuite.stats.difference import Difference
from evalsuite.stats.resampling import Clusters, Floats, bootstrap_means
from evalsuite.stats.significance import permutation


def unpaired_means(
    a: tuple[Floats, Clusters],
    b: tuple[Floats, Clusters],
    *,
    resamples: int = 10_000,
    seed: int = 0,
    level: float = 0.95,
    null: float = 0.0,
) -> Difference:
    """Mean of b minus mean of a, each over its own samples, with interval and p-value.

    The interval is Student's with the spread of the two cluster bootstraps and Welch's degrees of freedom;
    the p-value that of the permutation test that reassigns the clusters at random. Much wider than a
    paired comparison: what is hard about a sample does not cancel.

    Args:
        a, b: scores, shape (n,), and the clusters of their rows; at least one row each.
        resamples, seed, level: as for `paired_means`.
        null: `p_null` tests against this difference.
    """
    from scipy.special import stdtrit

    rng = np.random.default_rng([seed, len(a[0]), len(b[0])])
    sums = [clusters.sums(values) for values, clusters in (a, b)]
    sizes = [clusters.sizes for _, clusters in (a, b)]
    value = float(b[0].mean() - a[0].mean())
    p = permutation((sums[0], sizes[0]), (sums[1], sizes[1]), resamples, rng)
    p_null = p
    if null:
        shifted = sums[1] - null * sizes[1]
        p_null = permutation((sums[0], sizes[0]), (shifted, sizes[1]), resamples, rng)
    low = high = np.nan
    counts = [clusters.count for _, clusters in (a, b)]
    if min(counts) > 1:
        # n / (n - 1): a bootstrap sees the sample's variance, which falls short of the population's.
        variances = [
            float(bootstrap_means(s, z, resamples, rng).var()) * c / (c - 1)
            for s, z, c in zip(sums, sizes, counts, strict=True)
        ]
        total = sum(variances)
        if total > 0:
            freedom = total**2 / sum(v**2 / (c - 1) for v, c in zip(variances, counts, strict=True))
            half = float(stdtrit(freedom, (1 + level) / 2)) * total**0.5
            low, high = value - half, value + half
    return Difference(
        value, low, high, p, min(len(a[0]), len(b[0])), level=level, a=float(a[0].mean()),
        b=float(b[0].mean()), paired=False,
        method=f"unpaired bootstrap, permutation test, {resamples} resamples", p_null=p_null,
    )  # fmt: skip


def stored_difference(
    a: tuple[float, float, float],
    b: tuple[float, float, float],
    n: int,
    *,
    level: float = 0.95,
    null: float = 0.0,
) -> Difference:
    """The difference of two numbers of which only the intervals are known, as if they were independent.

    For metrics that need the benchmark's data to be computed again, where these are not here. Ends of
    intervals are taken as normal quantiles, so interval and p-value are rough; of runs on the same samples
    they are too wide and too large.

    Args:
        a, b: value, low and high at `level`; NaN ends give no interval.
        n: samples of the smaller side.
    """
    from scipy.special import ndtr, ndtri

    value = b[0] - a[0]
    z = float(ndtri((1 + level) / 2))
    spread = ((a[2] - a[1]) ** 2 + (b[2] - b[1]) ** 2) ** 0.5 / (2 * z)
    p, p_null = (
        (2 * float(ndtr(-abs(value - shift) / spread)) if spread > 0 else np.nan) for shift in (0.0, null)
    )
    return Difference(
        value, value - z * spread, value + z * spread, p, n, level=level, a=a[0], b=b[0], paired=False,
        method="unpaired, from the stored intervals", p_null=p_null,
    )  # fmt: skip
