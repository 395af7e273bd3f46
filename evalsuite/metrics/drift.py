"""What is left of a beginning over generations of image to text to image: mean cumulative drift, and its
decay.

Source: mollahsabbir/Semantic-Drift-in-Unified-Models `semantic-drift/mcd-sdr.py`.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np

from evalsuite.errors import SampleError

__all__ = ["drift_decay", "mean_drift"]

_START = (1.0, 0.1, 0.0)
_EVALUATIONS = 5000


def mean_drift(similarities: Sequence[float]) -> float:
    """MCD: the mean over generations of the mean similarity with generation 0, in [-1, 1].

    Raises SampleError where there is no generation.
    """
    if not len(similarities):
        raise SampleError("drift needs at least one generation")
    return float(np.mean(similarities))


def drift_decay(generations: Sequence[int], similarities: Sequence[float]) -> tuple[float, float, float]:
    """SDR: a, b, c of the curve a * exp(-b * generation) + c that fits the similarities best (least squares).

    Raises SampleError where no curve fits, or there are fewer generations than parameters.
    """
    from scipy.optimize import OptimizeWarning, curve_fit

    if len(generations) != len(similarities) or len(generations) < len(_START):
        raise SampleError(f"{len(similarities)} similarities of {len(generations)} generations give no curve")
    x, y = np.asarray(generations, dtype=np.float64), np.asarray(similarities, dtype=np.float64)
    try:
        with warnings.catch_warnings():  # a line without bend leaves the parameters' covariance open
            warnings.simplefilter("ignore", OptimizeWarning)
            found, _ = curve_fit(_curve, x, y, p0=_START, maxfev=_EVALUATIONS)
    except RuntimeError as error:
        raise SampleError(f"no curve fits the drift ({error})") from error
    a, b, c = map(float, found)
    return a, b, c


def _curve(x: np.ndarray, a: float, b: float, c: float) -> np.ndarray:
    return np.asarray(a * np.exp(-b * x) + c)
