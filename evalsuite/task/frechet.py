"""Fréchet distance of generated images to a fixed reference, with its spread from half-samples."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from evalsuite.metrics.frechet import Gaussian, Means, frechet_distance_to, gaussian_of
from evalsuite.task import Metric, Statistic

if TYPE_CHECKING:
    import numpy as np

_log = logging.getLogger(__name__)
_SLOW_DIMENSIONS = 1024
_SLOW_RESAMPLES = 20
"""One distance at 2,048 dimensions takes seconds; 20 half-samples estimate its spread to about 16 %."""


def frechet_statistic(
    metric: Metric,
    rows: Sequence[int],
    drawn: Callable[[Any], np.ndarray],
    shape: tuple[int, int],
    reference: Gaussian,
    means: Means,
) -> Statistic:
    """The distance of all generated images to the reference, with its spread from half-samples of `rows`.

    The interval says how far the choice of prompts and seeds moves the number.

    Args:
        drawn: positions in `rows` -> (n, d) features of their images.
        shape: of the features of all rows.
        means: precision in which the network's features are averaged.
    """
    count, dimensions = shape
    if count <= dimensions:
        _log.warning(
            "%s: %d images for %d dimensions; the covariance is singular and the distance too high.",
            metric.name,
            count,
            dimensions,
        )
    distance_to = frechet_distance_to(reference)

    def distance(chosen: Any) -> float:
        return distance_to(gaussian_of(drawn(chosen), means))

    slow = _SLOW_RESAMPLES if dimensions >= _SLOW_DIMENSIONS else None
    return Statistic(metric, rows, distance, "subsample", most_resamples=slow)
