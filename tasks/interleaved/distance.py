"""Fréchet distance of the pictures of documents, told so that resampling takes whole documents."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from evalsuite.metrics.frechet import Gaussian, frechet_distance
from evalsuite.task import Metric, Statistic

if TYPE_CHECKING:
    import numpy as np


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

    reference = _gaussian(np.concatenate(true))
    features = [one.astype(np.float64) for one in drawn]

    def distance(chosen: Any) -> float:
        return frechet_distance(_gaussian(np.concatenate([features[i] for i in chosen])), reference)

    return Statistic(metric, rows, distance, "subsample")


def _gaussian(features: np.ndarray) -> Gaussian:
    import numpy as np

    wide = features.astype(np.float64)
    mean = wide.mean(axis=0)
    centred = wide - mean
    return Gaussian(mean, centred.T @ centred / max(len(wide) - 1, 1), len(wide))
