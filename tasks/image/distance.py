"""Fréchet distance of drawn pictures to reference pictures, in a way that half-samples can repeat."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from evalsuite.content import Image
from evalsuite.errors import DataError
from evalsuite.features import FeatureNetwork
from evalsuite.metrics.frechet import Gaussian, GaussianStatistics, frechet_distance
from evalsuite.request import fingerprint
from evalsuite.task import Metric, Statistic

from ..networks import Decoded, decoded_batches

if TYPE_CHECKING:
    import numpy as np

_log = logging.getLogger(__name__)
_SLOW_DIMENSIONS = 1024
_SLOW_RESAMPLES = 20
"""One distance at 2,048 dimensions takes seconds; 20 half-samples tell its spread to about 16 %."""


def reference_statistics(reference: Path | Sequence[Image], network: FeatureNetwork) -> Gaussian:
    """Mean and covariance of the reference under a network.

    Args:
        reference: a statistics file (`mu`, `sigma`), whose protocol is the user's word, or pictures; theirs
            are computed once and kept in the cache under the network's fingerprint and the pictures' names,
            sizes and times.

    Raises DataError when a picture is missing or broken (a reference set must be complete), or the file's
    dimension is not the network's.
    """
    if isinstance(reference, Path):
        found = Gaussian.load(reference)
        if found.mu.size != network.dim:
            raise DataError(
                f"The statistics {reference} have {found.mu.size} dimensions, {network.name} has "
                f"{network.dim}.",
                "Use statistics of the same network.",
            )
        return found
    cached = _cache_file(reference, network)
    if cached.is_file():
        return Gaussian.load(cached)
    found = statistics_of(reference, network)
    try:
        cached.parent.mkdir(parents=True, exist_ok=True)
        part = cached.with_name(f"{cached.name}.{os.getpid()}")
        found.save(part)
        part.replace(cached)
    except OSError as error:
        _log.info("The reference statistics are not kept (%s).", error)
    return found


def statistics_of(images: Sequence[Image], network: FeatureNetwork) -> Gaussian:
    """Mean and covariance of pictures under a network, memory flat. Raises DataError for a broken picture."""
    state = Decoded([], {})
    sums = GaussianStatistics()
    for _, pictures in decoded_batches(images, state):
        sums.update(network.images(pictures))
    if state.failures:
        raise DataError(
            f"{len(state.failures)} of {len(images)} reference pictures cannot be read; the first: "
            f"{next(iter(state.failures.values()))}",
            "A reference set must be complete.",
        )
    return sums.finalize()


def distance_statistic(
    metric: Metric, rows: Sequence[int], drawn: np.ndarray, reference: Gaussian
) -> Statistic:
    """The distance of (n, d) features of drawn pictures to the reference, told by half-samples of the drawn
    ones.

    The reference stands still: the interval says how far the choice of prompts and seeds moves the number.
    """
    import numpy as np

    count, dimensions = drawn.shape
    if count <= dimensions:
        _log.warning(
            "%s: %d pictures for %d dimensions; the covariance is singular and the distance too high.",
            metric.name,
            count,
            dimensions,
        )
    features = drawn.astype(np.float64)

    def distance(chosen: np.ndarray) -> float:
        picked = features[chosen]
        centred = picked - picked.mean(axis=0)
        moments = Gaussian(picked.mean(axis=0), centred.T @ centred / (len(picked) - 1), len(picked))
        return frechet_distance(moments, reference)

    slow = dimensions >= _SLOW_DIMENSIONS
    return Statistic(metric, rows, distance, "subsample", most_resamples=_SLOW_RESAMPLES if slow else None)


def _cache_file(images: Sequence[Image], network: FeatureNetwork) -> Path:
    files: list[list[object]] = []
    for image in images:
        if image.path is None:
            files.append([image.sha256()])
            continue
        try:
            state = image.path.stat()
        except OSError as error:
            raise DataError(
                f"The reference picture {image.path} cannot be read ({error.strerror}).",
                "A reference set must be complete.",
            ) from error
        files.append([str(image.path.resolve()), state.st_size, state.st_mtime_ns])
    root = os.environ.get("EVALSUITE_CACHE")
    if root:
        folder = Path(root).expanduser()
    else:
        import platformdirs

        folder = Path(platformdirs.user_cache_dir("evalsuite"))
    return folder / "statistics" / f"{fingerprint([network.fingerprint, files])[:40]}.npz"
