"""Tests of two runs: McNemar's, sign flips of paired clusters, permutation of unpaired ones."""

from __future__ import annotations

import numpy as np

from evalsuite.stats.resampling import Floats, Ints, kinds_of

_TIE = 1e-9
"""Sums that differ by less than this share are equal: adding floats in another order must not break a tie."""
_FEW = 2048
"""Up to this number of kinds of clusters is sampled exactly; more are put into bins first."""


def mcnemar(better: int, worse: int) -> float:
    """Exact two-sided p-value of McNemar's test: discordant pairs fall either way with chance 1/2.

    Args:
        better, worse: pairs in which only the second, only the first is right.

    >>> round(mcnemar(14, 5), 4)
    0.0636
    """
    from scipy.special import bdtr

    discordant = better + worse
    if discordant == 0:
        return 1.0
    return min(1.0, 2 * float(bdtr(min(better, worse), discordant, 0.5)))


def sign_flip(sums: Floats, resamples: int, rng: np.random.Generator) -> float:
    """Two-sided p-value of the sum of `sums` under random signs.

    The permutation test of paired samples: where a and b are exchangeable within a cluster, its summed
    difference is as likely positive as negative. All patterns are counted where they are no more than
    `resamples`; else p = (1 + hits) / (1 + resamples), which keeps its level (Phipson & Smyth 2010). Many
    different values are put into bins of like size that keep their sum of squares.

    Args:
        sums: b - a, summed over each cluster, shape (clusters,).
        resamples: number of random sign patterns.
        rng: source of the signs.
    """
    sizes = np.abs(sums[sums != 0])
    if len(sizes) == 0:
        return 1.0
    observed = abs(float(sums.sum())) - _TIE * float(sizes.sum())
    if len(sizes) < 60 and 2 ** len(sizes) <= resamples:
        total = np.zeros(1)
        for size in sizes:
            total = np.concatenate([total + size, total - size])
        return float((np.abs(total) >= observed).mean())
    values, counts = np.unique(sizes, return_counts=True)
    if len(values) > _FEW:
        edges = np.linspace(0, values[-1], 1025)[1:-1]
        where = np.searchsorted(edges, values)
        squares = np.bincount(where, counts * values**2, minlength=1024)
        counts = np.bincount(where, counts, minlength=1024).astype(np.int64)
        values = np.sqrt(squares[counts > 0] / counts[counts > 0])
        counts = counts[counts > 0]
    # The signed sum of `count` equal values v is v * (2 * Binomial(count, 1/2) - count).
    total = np.zeros(resamples)
    for value, count in zip(values, counts, strict=True):
        total += value * (2.0 * rng.binomial(count, 0.5, size=resamples) - count)
    return _share(int((np.abs(total) >= observed).sum()), resamples)


def permutation(
    a: tuple[Floats, Ints], b: tuple[Floats, Ints], resamples: int, rng: np.random.Generator
) -> float:
    """Two-sided p-value of the difference of two means over rows, by a permutation test over clusters.

    Clusters are reassigned to the two sides at random; p = (1 + hits) / (1 + resamples).

    Args:
        a, b: sum of the scores in each cluster and its rows, shapes (clusters,).
        resamples: number of random assignments.
        rng: source of the assignments.
    """
    count_a = len(a[0])
    sums, sizes = np.concatenate([a[0], b[0]]), np.concatenate([a[1], b[1]])
    kinds, counts = kinds_of(sums, sizes, most=_FEW)
    total, rows = float(sums.sum()), float(sizes.sum())

    def differences(dealt_sum: Floats, dealt_rows: Floats) -> Floats:
        return (total - dealt_sum) / (rows - dealt_rows) - dealt_sum / dealt_rows

    observed = abs(float(b[0].sum() / b[1].sum() - a[0].sum() / a[1].sum()))
    observed -= _TIE * float(np.abs(sums).sum()) / rows
    hits = 0
    block = max(1, (1 << 21) // len(kinds))
    for start in range(0, resamples, block):
        dealt = _dealt(counts, count_a, min(block, resamples - start), rng)
        hits += int((np.abs(differences(dealt @ kinds.real, dealt @ kinds.imag)) >= observed).sum())
    return _share(hits, resamples)


def _dealt(counts: Ints, chosen: int, size: int, rng: np.random.Generator) -> Ints:
    """How many of each kind are among `chosen` clusters picked without replacement, shape (size, kinds).

    Many kinds: every cluster is picked with the right chance on its own, which leaves a few too many or too
    few; those are put back or added, all alike likely. The same distribution, at a hundredth of the time.
    """
    if len(counts) <= 64:
        return rng.multivariate_hypergeometric(counts, chosen, size=size, method="marginals")
    share = chosen / int(counts.sum())
    if int(counts.max()) == 1:
        dealt = (rng.random((size, len(counts))) < share).astype(np.int64)
    else:
        # kind by kind: numpy prepares each binomial once
        dealt = np.stack([rng.binomial(count, share, size=size) for count in counts], axis=1)
    for row in dealt:
        excess = int(row.sum()) - chosen
        if excess:
            ends = np.cumsum(row if excess > 0 else counts - row)
            picked = rng.choice(int(ends[-1]), abs(excess), replace=False, shuffle=False)
            moved = np.bincount(np.searchsorted(ends, picked, side="right"), minlength=len(counts))
            row -= moved if excess > 0 else -moved
    return dealt


def _share(hits: int, resamples: int) -> float:
    return (1 + hits) / (1 + resamples)
