"""Which step is the best, how sure that is, and which others cannot be told from it.

Scores of all steps on the same samples are resampled together, so that what is hard about a sample cancels,
as in a paired comparison; seeds add the variance that `stats.repeated_mean` finds between them. Which steps
are not distinguishable is Hsu's multiple comparison with the best (The Annals of Statistics 12, 1984), with
the critical value of the largest of all differences from the same bootstrap: at the chosen level all those
that are called worse are so at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from evalsuite.stats import Clusters, repeated_mean
from evalsuite.stats.resampling import Floats, Ints

RESAMPLES = 2000
_BLOCK = 1 << 22
"""Draws at a time: 32 MiB, whatever the number of samples."""
_FEWEST = 6
"""Clusters that must all agree before a difference without any spread counts: 2 * 2**-6 < 0.05."""


@dataclass(frozen=True, slots=True)
class Best:
    """The best step of a curve.

    Args:
        step: with the best value; of equal ones the earliest.
        probability: how often each step is the best of a bootstrap sample, by step; they sum to 1.
        alike: other steps that are not shown to be worse, ascending.
        paired: steps were compared on the same samples; else by their intervals alone, as if independent,
            which tells fewer apart.
    """

    step: int
    probability: Mapping[int, float]
    alike: tuple[int, ...]
    paired: bool


class Draws:
    """How often each cluster is in each bootstrap sample; the last table is kept.

    Curves of as many clusters and steps draw from the same seed, so their tables are the same: a training's
    curves share one object of this class, which draws it once.
    """

    def __init__(self) -> None:
        self._key: tuple[int, bytes, str] | None = None
        self._weights: Floats = np.empty((0, 0))
        self._after: Any = None

    def of(self, counts: Ints, size: int, rng: np.random.Generator) -> Floats:
        """Shape (size, kinds), multinomial; `rng` is left as drawing leaves it.

        Args:
            counts: clusters of each kind, shape (kinds,).
        """
        key = (size, counts.tobytes(), repr(rng.bit_generator.state))
        if key != self._key:
            number = int(counts.sum())
            self._weights = rng.multinomial(number, counts / number, size=size).astype(np.float64)
            self._key, self._after = key, rng.bit_generator.state
        rng.bit_generator.state = self._after
        return self._weights


def best_of_means(
    steps: Sequence[int],
    scores: Sequence[Floats],
    clusters: Clusters,
    *,
    higher_is_better: bool = True,
    level: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = 0,
    draws: Draws | None = None,
) -> Best:
    """The best of several steps by the mean of per-sample scores.

    Args:
        scores: of each step, shape (seeds, n), over the same n samples in the same order.
        clusters: of the samples.
        draws: shared by calls that draw alike; the result is the same without.
    """
    rng = np.random.default_rng([seed, len(steps), clusters.count])
    means = np.array([float(one.mean()) for one in scores])
    sums = np.stack([clusters.sums(one.mean(axis=0)) for one in scores])
    drawn = _resampled(sums, clusters.sizes.astype(np.float64), resamples, rng, draws or Draws())
    # A bootstrap sees the sample's variance, which falls short of the population's.
    if clusters.count > 1:
        drawn = means + (drawn - means) * (clusters.count / (clusters.count - 1)) ** 0.5
    luck = np.array([repeated_mean(one, clusters).seeds if len(one) > 1 else 0.0 for one in scores])
    if luck.any():
        drawn = drawn + rng.standard_normal(drawn.shape) * luck
    return _told(steps, means, drawn, clusters.count, higher_is_better, level, paired=True)


def best_of_intervals(
    steps: Sequence[int],
    values: Sequence[float],
    errors: Sequence[float],
    *,
    higher_is_better: bool = True,
    level: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Best:
    """As `best_of_means`, of numbers of which only values and standard errors are known, as if they were
    independent and normal. An unknown error (NaN) counts as the largest that is known."""
    rng = np.random.default_rng([seed, len(steps)])
    means = np.asarray(values, dtype=np.float64)
    known = np.asarray(errors, dtype=np.float64)
    finite = known[np.isfinite(known)]
    spread = np.where(np.isfinite(known), known, finite.max() if len(finite) else np.nan)
    if not len(finite):
        # Nothing is known of chance: the order is that of the values, and nothing tells the steps apart.
        at = int(np.argmax(means if higher_is_better else -means))
        others = tuple(step for step in steps if step != steps[at])
        return Best(steps[at], dict.fromkeys(steps, float("nan")), others, paired=False)
    drawn = means + rng.standard_normal((resamples, len(steps))) * spread
    return _told(steps, means, drawn, 1000, higher_is_better, level, paired=False)


def _resampled(sums: Floats, sizes: Floats, resamples: int, rng: np.random.Generator, draws: Draws) -> Floats:
    """Means of bootstrap samples of clusters, the same clusters for all steps; shape (resamples, steps).

    Clusters that are alike at every step are interchangeable: where there are few kinds (right and wrong at a
    few steps) the number drawn of each comes from its multinomial distribution.
    """
    table = np.vstack([sums, sizes]).T
    kinds, counts = table, np.ones(len(table), dtype=np.int64)
    # Their number by hashing first: at hundreds of steps hardly two are alike, and sorting them is work.
    if len(table) > 64 and 4 * len({row.tobytes() for row in table + 0.0}) <= len(table):
        kinds, counts = np.unique(table, axis=0, return_counts=True)
    found = np.empty((resamples, len(sums)))
    block = max(1, _BLOCK // len(kinds))
    for start in range(0, resamples, block):
        stop = min(start + block, resamples)
        total = draws.of(counts, stop - start, rng) @ kinds
        found[start:stop] = total[:, :-1] / total[:, -1:]
    return found


def _told(
    steps: Sequence[int],
    means: Floats,
    drawn: Floats,
    clusters: int,
    higher_is_better: bool,
    level: float,
    *,
    paired: bool,
) -> Best:
    from scipy.special import ndtri, stdtrit

    sign = 1.0 if higher_is_better else -1.0
    signed, values = sign * drawn, sign * means
    at = int(np.argmax(values))
    top = signed.max(axis=1, keepdims=True)
    ties = np.isclose(signed, top, rtol=1e-12, atol=1e-12)
    share = (ties / ties.sum(axis=1, keepdims=True)).mean(axis=0)
    probability = {step: float(one) for step, one in zip(steps, share, strict=True)}
    difference = values[at] - values
    resampled: Any = signed[:, [at]] - signed
    spread = resampled.std(axis=0, ddof=1)
    varies = spread > 1e-12
    alike = [i for i in range(len(steps)) if i != at and not varies[i]]
    alike = [i for i in alike if difference[i] <= 1e-12 or clusters < _FEWEST]
    if varies.any():
        standard = (resampled[:, varies] - difference[varies]) / spread[varies]
        critical = float(np.quantile(standard.max(axis=1), level))
        if clusters > 1:  # few clusters: Student's tails
            critical *= float(stdtrit(clusters - 1, level)) / float(ndtri(level))
        where = np.flatnonzero(varies)
        alike += [int(i) for i in where if difference[i] <= critical * spread[i] and i != at]
    return Best(steps[at], probability, tuple(sorted(steps[i] for i in alike)), paired)
