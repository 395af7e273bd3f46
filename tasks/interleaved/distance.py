"""Fréchet distance of the pictures of documents, told so that resampling takes whole documents."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from evalsuite.metrics.frechet import Gaussian, frechet_distance
from evalsuite.task import Metric, Statistic

if TYPE_CHECKING:
    import numpy as np

_log = logging.getLogger(__name__)
_SLOW_DIMENSIONS = 1024
_SLOW_RESAMPLES = 20
"""One distance at 2,048 dimensions takes seconds; 20 half-samples tell its spread to about 16 %."""


def document_distance(
    metric: Metric, rows: Sequence[int], drawn: Sequence[np.ndarray], true: Sequence[np.ndarray]
) -> Statistic:
    """The distance of all drawn to all true pictures, by half-samples of the documents.

    Args:
        rows: of the documents that have pictures.
        drawn: (pictures, dim) features of each of them.
        true: (pictures, dim) features of the true documents' pictures; stands still under resampling.
    """
    import numpy as np

    count, dimensions = sum(map(len, drawn)), drawn[0].shape[1]
    if count <= dimensions:
        _log.warning(
            "%s: %d pictures for %d dimensions; the covariance is singular and the distance too high.",
            metric.name,
            count,
            dimensions,
        )
    reference = _gaussian(np.concatenate(true))
    features = [one.astype(np.float64) for one in drawn]

    def distance(chosen: Any) -> float:
        return frechet_distance(_gaussian(np.concatenate([features[i] for i in chosen])), reference)

    slow = _SLOW_RESAMPLES if dimensions >= _SLOW_DIMENSIONS else None
    return Statistic(metric, rows, distance, "subsample", most_resamples=slow)


def _gaussian(features: np.ndarray) -> Gaussian:
    import numpy as np

    wide = features.astype(np.float64)
    mean = wide.mean(axis=0)
    centred = wide - mean
    return Gaussian(mean, centred.T @ centred / max(len(wide) - 1, 1), len(wide))
