"""The exact interval of a proportion."""

from __future__ import annotations


def clopper_pearson(successes: int, n: int, level: float = 0.95) -> tuple[float, float]:
    """Exact binomial interval of a proportion (Clopper & Pearson, Biometrika 26, 1934).

    The ends are quantiles of Beta(k, n-k+1) and Beta(k+1, n-k). Covers with at least `level` for every true
    proportion, also for 0 and n successes, where a bootstrap would have no width.

    Args:
        successes: k, in [0, n].
        n: trials, at least 1.
        level: confidence in (0, 1).

    Returns:
        Lower and upper end in [0, 1].

    >>> [round(end, 4) for end in clopper_pearson(0, 10)]
    [0.0, 0.3085]
    """
    from scipy.special import betaincinv

    if n < 1 or not 0 <= successes <= n:
        raise ValueError(f"{successes} successes of {n} trials is not a proportion.")
    tail = (1 - level) / 2
    low = 0.0 if successes == 0 else float(betaincinv(successes, n - successes + 1, tail))
    high = 1.0 if successes == n else float(betaincinv(successes + 1, n - successes, 1 - tail))
    return low, high


def tango(better: int, worse: int, n: int, level: float = 0.95) -> tuple[float, float]:
    """Score interval of the difference of two paired proportions (Tango, Statistics in Medicine 17, 1998).

    It belongs to McNemar's score test as Wilson's interval belongs to the binomial's: it also has a width
    where few or no pairs differ, where a bootstrap would have none.

    Args:
        better, worse: pairs in which only the second, only the first is right.
        n: pairs, at least 1.
        level: confidence in (0, 1).

    Returns:
        Ends of the interval of (better - worse) / n, in [-1, 1].

    >>> [round(end, 3) for end in tango(0, 0, 100)]
    [-0.037, 0.037]
    """
    from scipy.optimize import brentq
    from scipy.special import ndtri

    if n < 1 or min(better, worse) < 0 or better + worse > n:
        raise ValueError(f"{better} better and {worse} worse of {n} pairs cannot be.")
    z = float(ndtri((1 + level) / 2))

    def score(delta: float) -> float:
        # The share of worse pairs that is likeliest where the difference is delta.
        b = -(better + worse) + (2 * n - better + worse) * delta
        c = -worse * delta * (1 - delta)
        share = ((max(b * b - 8 * n * c, 0.0)) ** 0.5 - b) / (4 * n)
        spread = (n * max(2 * share + delta * (1 - delta), 0.0)) ** 0.5
        gap = better - worse - n * delta
        return gap / spread if spread > 0 else float("inf") * gap if gap else 0.0

    value, edge = (better - worse) / n, 1 - 1e-12
    low = -1.0 if score(-edge) < z else float(brentq(lambda d: _capped(score(d)) - z, -edge, value))
    high = 1.0 if score(edge) > -z else float(brentq(lambda d: _capped(score(d)) + z, value, edge))
    return low, high


def _capped(score: float) -> float:
    """Within what brentq can work with."""
    return min(max(score, -1e6), 1e6)
