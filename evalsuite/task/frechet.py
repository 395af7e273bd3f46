"""Fréchet distance of generated images to a fixed reference, with its spread from half-samples."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from evalsuite.features.keeping import Keeper, current_keeper, digest_of, kept_value
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
    slow = dimensions >= _SLOW_DIMENSIONS
    distance = _Distance(drawn, len(rows), reference, means, current_keeper() if slow else None)
    return Statistic(metric, rows, distance, "subsample", most_resamples=_SLOW_RESAMPLES if slow else None)


class _Distance:
    """The distance of chosen rows to the reference; what takes seconds is kept with the run.

    Args:
        keeper: where distances are kept; None: nowhere.
    """

    def __init__(
        self,
        drawn: Callable[[Any], np.ndarray],
        count: int,
        reference: Gaussian,
        means: Means,
        keeper: Keeper | None,
    ) -> None:
        self._drawn, self._count, self._reference, self._means = drawn, count, reference, means
        self._keeper = keeper

    @cached_property
    def _distance_to(self) -> Callable[[Gaussian], float]:
        return frechet_distance_to(self._reference)

    @cached_property
    def _inputs(self) -> tuple[bytes, ...]:
        import numpy as np

        whole = digest_of(self._drawn(np.arange(self._count)))
        return whole, digest_of(self._reference.mu), digest_of(self._reference.sigma), self._means.encode()

    def __call__(self, chosen: Any) -> float:
        if self._keeper is None:
            return self._computed(chosen)
        import numpy as np

        parts = (*self._inputs, digest_of(np.asarray(chosen, dtype=np.int64)))
        return kept_value(self._keeper, "frechet distance 1", parts, lambda: self._computed(chosen))

    def _computed(self, chosen: Any) -> float:
        return self._distance_to(gaussian_of(self._drawn(chosen), self._means))
