"""How many samples it takes to see a difference, and the smallest difference that a number of samples shows.

Paired comparison of two models on the same samples. All formulas are the normal approximation; for right and
wrong answers with the two variances of McNemar's test (Miettinen, Biometrics 24, 1968; Connor, Biometrics 43,
1987). Checked by simulation of the tests themselves (tests/stats/test_sample_size.py).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from evalsuite.errors import SpecError
from evalsuite.stats.resampling import Clusters


@dataclass(frozen=True, slots=True)
class Spread:
    """How two models' scores differ from sample to sample.

    Args:
        variance: of the per-sample difference, in squared natural units, were the models equally good.
        binary: scores are 0 or 1, so that `variance` is the share of samples on which they disagree, and a
            true difference lowers it by its square.
        design_effect: how many times as much the mean difference varies as it would without clusters.
    """

    variance: float
    binary: bool = False
    design_effect: float = 1.0


@dataclass(frozen=True, slots=True)
class Aim:
    """What a comparison should achieve.

    Args:
        power: chance to find a difference that is there, in (0, 1).
        alpha: two-sided level of the test, in (0, 1).
        comparisons: number of tests that share alpha (Bonferroni, the hardest step of Holm's procedure).
    """

    power: float = 0.8
    alpha: float = 0.05
    comparisons: int = 1

    def __post_init__(self) -> None:
        for name, value in (("power", self.power), ("alpha", self.alpha)):
            if not 0 < value < 1:
                raise SpecError(f"{name} must lie between 0 and 1, not {value:g}.", "Usual are 0.8 and 0.05.")
        if self.comparisons < 1:
            raise SpecError(f"{self.comparisons} comparisons cannot be made.", "Give at least 1.")
        if self.power <= self.alpha:
            raise SpecError("A power below alpha needs no samples.", "Usual are power 0.8 and alpha 0.05.")

    @property
    def quantiles(self) -> tuple[float, float]:
        """Normal quantiles of the test and of the power."""
        from scipy.special import ndtri

        return float(ndtri(1 - self.alpha / self.comparisons / 2)), float(ndtri(self.power))


def disagreement(baseline: float, difference: float = 0.0, correlation: float = 0.0) -> float:
    """Share of samples on which just one of two models is right.

    Args:
        baseline: share that the first has right, in [0, 1].
        difference: how much more the second has right.
        correlation: of the two models' right answers; 0: independent, 1: as alike as their shares allow.

    Raises:
        SpecError: shares outside [0, 1], or a correlation outside [0, 1].

    >>> round(disagreement(0.7, 0.0, 0.5), 3)
    0.21
    """
    p, q = baseline, baseline + difference
    if not 0 <= p <= 1:
        raise SpecError(
            f"A share of {100 * p:g} % is not between 0 and 100 %.",
            "Give --baseline as displayed, e.g. 72.4.",
        )
    if not 0 <= q <= 1:
        raise SpecError(
            f"A share of {100 * p:g} % cannot change by {100 * difference:g} points.",
            "Give a smaller --detect, or another --baseline.",
        )
    if not 0 <= correlation <= 1:
        raise SpecError(f"A correlation of {correlation:g} is not in [0, 1].", "Give --correlation 0.5.")
    both = min(p * q + correlation * math.sqrt(p * (1 - p) * q * (1 - q)), p, q)
    return p + q - 2 * both


def spread_of(a: Sequence[float], b: Sequence[float], clusters: Clusters, *, share: bool = True) -> Spread:
    """The spread of two runs' scores on the same samples.

    The design effect is the cluster-robust variance of the mean difference over that of independent samples;
    with fewer than 20 clusters it is too uncertain, and 1 at least.

    Args:
        a, b: scores of the same samples, at least two.
        clusters: of the samples.
        share: False where scores can exceed 1 (`Metric.exceeds_one`), whatever these samples happen to hold.
    """
    import numpy as np

    first, second = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    difference = second - first
    binary = share and bool(np.isin(first, (0, 1)).all() and np.isin(second, (0, 1)).all())
    # Around no difference: what the test sees were the models equally good.
    variance = float((difference**2).mean()) if binary else float(difference.var(ddof=1))
    alone = float(((difference - difference.mean()) ** 2).sum())
    effect = 1.0
    if not clusters.trivial and alone > 0:
        sums = clusters.sums(difference - difference.mean())
        effect = float((sums**2).sum()) / alone
        if clusters.count < 20:
            effect = max(1.0, effect)
    return Spread(variance, binary, effect)


def samples_needed(difference: float, spread: Spread, aim: Aim | None = None) -> int:
    """Number of samples with which a true `difference` is found with probability `aim.power`.

    ceil(D (z_alpha sqrt(V) + z_power sqrt(V_1))² / difference²), V the variance of `spread` (V_1 under the
    difference) and D its design effect; at least 2.

    Args:
        difference: of the means, in natural units.
        spread: of the per-sample differences.
        aim: power and level; None for the defaults.

    Raises:
        SpecError: the difference is 0, or larger than the disagreement allows.

    >>> samples_needed(0.05, Spread(0.2, binary=True))
    626
    """
    if not difference or not math.isfinite(difference):
        raise SpecError(f"A difference of {difference:g} cannot be found.", "Give one that matters to you.")
    tail, chance = (aim or Aim()).quantiles
    alternative = _alternative(difference, spread)
    root = tail * math.sqrt(spread.variance) + chance * math.sqrt(alternative)
    return max(2, math.ceil(spread.design_effect * (root / difference) ** 2))


def detectable(samples: int, spread: Spread, aim: Aim | None = None) -> float:
    """Smallest true difference that `samples` samples find with probability `aim.power`; inf where none can.

    Args:
        samples: at least 2.
        spread: of the per-sample differences.
        aim: power and level; None for the defaults.

    Returns:
        The difference in natural units, positive.

    Raises:
        SpecError: fewer than 2 samples.
    """
    from scipy.optimize import brentq

    aim = aim or Aim()
    if samples < 2:
        raise SpecError(f"{samples} samples show nothing.", "Give at least 2.")
    if spread.variance == 0:
        return 0.0
    largest = spread.variance if spread.binary else 10 * math.sqrt(spread.variance * spread.design_effect)

    def short(difference: float) -> float:
        tail, chance = aim.quantiles
        root = tail * math.sqrt(spread.variance) + chance * math.sqrt(_alternative(difference, spread))
        return root * math.sqrt(spread.design_effect / samples) - difference

    if short(largest) > 0:
        return math.inf
    return float(brentq(short, 0.0, largest))


def power(samples: int, difference: float, spread: Spread, aim: Aim | None = None) -> float:
    """Probability in [0, 1] that a true `difference` is found with `samples` samples.

    Args:
        samples: number of samples that both models answer.
        difference: of the means, in natural units.
        spread: of the per-sample differences.
        aim: the level; None for the defaults.

    Raises:
        SpecError: the difference is larger than the disagreement allows.
    """
    from scipy.special import ndtr

    tail, _ = (aim or Aim()).quantiles
    alternative = _alternative(difference, spread)
    scaled = abs(difference) * math.sqrt(samples / spread.design_effect)
    if alternative == 0:
        return 1.0 if scaled > tail * math.sqrt(spread.variance) else 0.0
    return float(ndtr((scaled - tail * math.sqrt(spread.variance)) / math.sqrt(alternative)))


def _alternative(difference: float, spread: Spread) -> float:
    """Variance of the per-sample difference where the true difference is `difference`."""
    if not spread.binary:
        return spread.variance
    if abs(difference) > spread.variance * (1 + 1e-12):
        raise SpecError(
            f"Models that disagree on {spread.variance:.2%} of the samples cannot differ by "
            f"{abs(difference):.2%}.",
            "Give a smaller difference or a lower --correlation.",
        )
    return max(0.0, spread.variance - difference**2)
