"""Resampling of clusters: bootstrap of means in bulk, of any function, and half-samples for distances."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Floats = np.ndarray[Any, np.dtype[np.float64]]
Ints = np.ndarray[Any, np.dtype[np.int64]]

_BLOCK = 1 << 21
"""Entries drawn at a time: 16 MiB of float64, so memory does not grow with resamples or rows."""


_MANY = 200_000_000
"""More draws than this (a few seconds) are worth sorting real-valued scores into `_BINS` kinds first."""
_BINS = 1024


@dataclass(frozen=True, slots=True)
class Clusters:
    """Which rows belong together.

    Args:
        members: row positions, cluster after cluster, shape (n,).
        starts: where each cluster begins in `members`, shape (clusters,).
        sizes: rows per cluster, shape (clusters,).
    """

    members: Ints
    starts: Ints
    sizes: Ints

    @classmethod
    def of(cls, labels: Sequence[str]) -> Clusters:
        """From one label per row; an empty label is a cluster of its own."""
        number: dict[str, int] = {}
        codes = np.empty(len(labels), dtype=np.int64)
        count = 0
        for i, label in enumerate(labels):
            if label:
                code = number.get(label)
                if code is None:
                    code = number[label] = count
                    count += 1
            else:
                code = count
                count += 1
            codes[i] = code
        sizes = np.bincount(codes, minlength=count).astype(np.int64)
        members = np.argsort(codes, kind="stable").astype(np.int64)
        return cls(members, np.cumsum(sizes) - sizes, sizes)

    @property
    def count(self) -> int:
        return len(self.sizes)

    @property
    def trivial(self) -> bool:
        """Every row stands alone."""
        return self.count == len(self.members)

    def sums(self, values: Floats) -> Floats:
        """Sum of `values` (n,) over each cluster, shape (clusters,)."""
        if self.trivial:
            return values[self.members]
        return np.add.reduceat(values[self.members], self.starts)

    def rows(self, chosen: Ints) -> Ints:
        """Row positions of the chosen clusters, repeats included, in the order chosen."""
        if self.trivial:
            return self.members[chosen]
        sizes = self.sizes[chosen]
        ends = np.cumsum(sizes)
        within = np.arange(ends[-1]) - np.repeat(ends - sizes, sizes)
        drawn: np.ndarray = self.members[np.repeat(self.starts[chosen], sizes) + within]
        return drawn


def all_alike(sums: Floats, sizes: Ints) -> bool:
    """Whether all clusters have the same mean: their bootstrap would claim a certainty that nobody has.

    So do the yes and no questions of each image when a model always says yes.
    """
    means = sums / sizes
    return bool(np.allclose(means, means[0], rtol=1e-12, atol=1e-12))


def bootstrap_means(sums: Floats, sizes: Ints, resamples: int, rng: np.random.Generator) -> Floats:
    """Means of bootstrap samples of clusters: as many clusters as there are, drawn with replacement.

    Clusters of equal sum and size are interchangeable, so where there are few kinds (accuracies) the number
    drawn of each kind comes from its multinomial distribution: the same bootstrap at a fraction of the work.

    Args:
        sums: sum of the scores in each cluster, shape (clusters,).
        sizes: rows in each cluster, shape (clusters,).

    Returns:
        Means over rows, shape (resamples,).
    """
    count = len(sums)
    kinds, kind_count = kinds_of(sums, sizes, most=count // 16 if count * resamples > _MANY else count)
    means = np.empty(resamples)
    multinomial = len(kinds) * 16 <= count
    block = max(1, _BLOCK // (len(kinds) if multinomial else count))
    equal = bool((sizes == sizes[0]).all())
    for start in range(0, resamples, block):
        stop = min(start + block, resamples)
        if multinomial:
            drawn = rng.multinomial(count, kind_count / count, size=stop - start)
            means[start:stop] = (drawn @ kinds.real) / (drawn @ kinds.imag)
            continue
        index = rng.integers(0, count, size=(stop - start, count), dtype=np.uint32)
        total = sizes[0] * count if equal else np.take(sizes, index).sum(axis=1)
        means[start:stop] = np.take(sums, index).sum(axis=1) / total
    return means


def kinds_of(sums: Floats, sizes: Ints, most: int) -> tuple[Any, Ints]:
    """The different clusters, as sum + size * 1j, and how often each occurs.

    More than `most` kinds are put into bins of nearly equal sums.
    """
    kinds, counts = np.unique(sums + 1j * sizes, return_counts=True)
    return (kinds, counts) if len(kinds) <= most else _binned(sums, sizes)


def _binned(sums: Floats, sizes: Ints) -> tuple[Any, Ints]:
    """Kinds of clusters of nearly equal sum; each stands for its members' mean sum.

    As long as this takes less than 1e-4 of the variance (5e-5 of an interval's width); otherwise every
    cluster is a kind of its own.
    """
    # Narrow where most clusters are, wider in the tails: skewed scores need it.
    place = np.arcsinh((sums - np.median(sums)) / (float(sums.std()) or 1.0))
    low, high = float(place.min()), float(place.max())
    bins = np.minimum(((place - low) * (_BINS / (high - low or 1.0))).astype(np.int64), _BINS - 1)
    _, code, counts = np.unique(bins + 1j * sizes, return_inverse=True, return_counts=True)
    mean = np.bincount(code, sums) / counts
    if float(((sums - mean[code]) ** 2).mean()) > 1e-4 * float(sums.var()):
        return sums + 1j * sizes, np.ones(len(sums), dtype=np.int64)
    return mean + 1j * np.bincount(code, sizes) / counts, counts


def bootstrap_function(
    function: Callable[[Ints], float], clusters: Clusters, resamples: int, rng: np.random.Generator
) -> Floats:
    """`function` of the rows of bootstrap samples of clusters, shape (resamples,)."""
    return np.array(
        [
            function(clusters.rows(rng.integers(0, clusters.count, size=clusters.count)))
            for _ in range(resamples)
        ],
        dtype=np.float64,
    )


def bootstrap_at_once(
    resampled: Callable[[Ints, Floats], Floats], clusters: Clusters, resamples: int, rng: np.random.Generator
) -> Floats:
    """`bootstrap_function` of the same draws, for a statistic that takes counts of clusters.

    Args:
        resampled: maps the cluster of each row (rows,) and the counts (resamples, clusters) to values
            (resamples,).
    """
    cluster = np.empty(len(clusters.members), dtype=np.int64)
    cluster[clusters.members] = np.repeat(np.arange(clusters.count), clusters.sizes)
    # a value by label has up to as many columns as there are rows
    block = max(1, 4 * _BLOCK // len(cluster))
    found = np.empty(resamples)
    for start in range(0, resamples, block):
        stop = min(start + block, resamples)
        counts = np.empty((stop - start, clusters.count))
        for row in counts:
            row[:] = np.bincount(
                rng.integers(0, clusters.count, size=clusters.count), minlength=clusters.count
            )
        found[start:stop] = resampled(cluster, counts)
    return found


def half_samples(
    function: Callable[[Ints], float], clusters: Clusters, resamples: int, rng: np.random.Generator
) -> tuple[Floats, float]:
    """`function` of samples of half the clusters, without replacement.

    A statistic that repeats would bias (a distance between distributions sees a repeated image as a narrower
    distribution) cannot be bootstrapped. m of n clusters without replacement vary around the full sample with
    (1/m - 1/n) of the variance where the full sample varies with 1/n around the truth; so deviations are
    multiplied by sqrt(m / (n - m)), which is 1 at m = n/2 (delete-d jackknife: Shao & Wu, Annals of
    Statistics 17, 1989; subsampling with finite-population correction: Politis, Romano & Wolf, Subsampling,
    1999, section 2).

    Returns:
        The statistics, shape (resamples,), and the factor for their deviations.
    """
    half = clusters.count // 2
    found = np.array(
        [function(clusters.rows(np.sort(rng.permutation(clusters.count)[:half]))) for _ in range(resamples)],
        dtype=np.float64,
    )
    return found, float(np.sqrt(half / (clusters.count - half)))


def acceleration(sums: Floats, sizes: Ints) -> float:
    """The bootstrap's acceleration constant from the jackknife over clusters (Efron 1987, eq. 7.3)."""
    left_out = (sums.sum() - sums) / (sizes.sum() - sizes)
    deviation = left_out.mean() - left_out
    square = float((deviation**2).sum())
    return float((deviation**3).sum()) / (6 * square**1.5) if square > 0 else 0.0


def bca_interval(
    value: float, resampled: Floats, clusters: int, level: float, accelerated: float | None
) -> tuple[float, float]:
    """Bootstrap interval, bias-corrected and accelerated, widened for few clusters.

    BCa: Efron, "Better bootstrap confidence intervals", JASA 82, 1987. The normal quantile z in it becomes
    t(clusters - 1) * sqrt(clusters / (clusters - 1)), without which intervals are too short for few clusters
    (Hesterberg, "What teachers should know about the bootstrap", The American Statistician 69, 2015); for a
    mean of normal values the interval is then Student's.

    Args:
        value: the statistic of the sample itself.
        resampled: the statistic of bootstrap samples, shape (resamples,).
        clusters: number of clusters resampled, at least 2.
        accelerated: the acceleration constant; None takes the widened percentile interval, uncorrected.
    """
    from scipy.special import ndtr, ndtri, stdtrit

    wide = float(stdtrit(clusters - 1, (1 + level) / 2)) * np.sqrt(clusters / (clusters - 1))
    tails = np.array([-wide, wide])
    if accelerated is not None:
        # Ties count half; the share is kept off 0 and 1, where the correction would be infinite.
        below = ((resampled < value).sum() + (resampled <= value).sum()) / (2 * len(resampled))
        margin = 0.5 / len(resampled)
        bias = ndtri(min(max(below, margin), 1 - margin))
        tails = bias + (bias + tails) / (1 - accelerated * (bias + tails))
    low, high = np.quantile(resampled, ndtr(tails))
    return float(low), float(high)
