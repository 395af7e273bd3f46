"""p-values of many tests, adjusted so that their number is paid for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Literal

import numpy as np

from evalsuite.errors import DataError
from evalsuite.stats.resampling import Floats

Correction = Literal["holm", "benjamini-hochberg", "none"]


def holm(p: Sequence[float]) -> Floats:
    """Holm's step-down adjusted p-values (Scandinavian Journal of Statistics 6, 1979).

    The i-th smallest of m is multiplied by m - i + 1, never below the one before it, at most 1. Controls the
    family-wise error rate: the chance of even one false finding stays below alpha, however the tests depend
    on each other.

    Args:
        p: p-values; NaN (no test) stays NaN and does not count.

    Returns:
        Adjusted p-values in the order of `p`, in [0, 1].

    Raises:
        DataError: a p-value outside [0, 1].

    >>> [round(float(value), 3) for value in holm([0.01, 0.04, 0.03])]
    [0.03, 0.06, 0.06]
    """
    return _stepwise(p, lambda ordered, m: np.maximum.accumulate(ordered * (m - np.arange(m))))


def benjamini_hochberg(p: Sequence[float]) -> Floats:
    """Benjamini & Hochberg's adjusted p-values (JRSS B 57, 1995).

    The i-th smallest of m is multiplied by m / i, never above the one after it. Controls the false discovery
    rate: of the findings, a share of at most alpha is false on average. Needs tests that are independent or
    depend positively.

    Args:
        p: p-values; NaN (no test) stays NaN and does not count.

    Returns:
        Adjusted p-values in the order of `p`, in [0, 1].

    Raises:
        DataError: a p-value outside [0, 1].

    >>> [round(float(value), 3) for value in benjamini_hochberg([0.01, 0.04, 0.03])]
    [0.03, 0.04, 0.04]
    """
    return _stepwise(
        p, lambda ordered, m: np.minimum.accumulate((ordered * m / np.arange(1, m + 1))[::-1])[::-1]
    )


def _uncorrected(p: Sequence[float]) -> Floats:
    return _stepwise(p, lambda ordered, m: ordered)


CORRECTIONS: Mapping[str, Callable[[Sequence[float]], Floats]] = MappingProxyType(
    {"holm": holm, "benjamini-hochberg": benjamini_hochberg, "none": _uncorrected}
)
"""Name -> adjustment."""


def _stepwise(p: Sequence[float], adjust: Callable[[Floats, int], Floats]) -> Floats:
    values = np.asarray(p, dtype=np.float64)
    if ((values < 0) | (values > 1)).any():
        raise DataError(f"p-values lie in [0, 1], not {list(p)}.", "Give NaN where there was no test.")
    tested = np.flatnonzero(~np.isnan(values))
    order = tested[np.argsort(values[tested], kind="stable")]
    adjusted = np.full(len(values), np.nan)
    adjusted[order] = np.minimum(adjust(values[order], len(order)), 1.0)
    return adjusted
