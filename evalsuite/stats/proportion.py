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
