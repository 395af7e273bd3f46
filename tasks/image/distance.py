"""What generated images are compared with: statistics and features of the reference, made once and kept."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from evalsuite.content import Image
from evalsuite.errors import DataError
from evalsuite.model import cache_folder
from evalsuite.request import fingerprint
from evalsuite.task.features import (
    Decoded,
    FeatureNetwork,
    feature_batches,
    protocol_of,
    require_complete,
    statistics_of,
)
from evalsuite.task.metrics import FeatureSet, Gaussian
from evalsuite.task.readers import ImageFolder

if TYPE_CHECKING:
    import numpy as np

_log = logging.getLogger(__name__)
T = TypeVar("T")


def reference_statistics(reference: Path | Sequence[Image], network: FeatureNetwork) -> Gaussian:
    """Mean and covariance of the reference under a network.

    Args:
        reference: a statistics file, or images; theirs are computed once and kept in the cache under the
            network's fingerprint and the images' names, sizes and times.

    Raises DataError when an image is missing or broken (a reference set must be complete), or the file is of
    another dimension, mode or network.
    """
    if not isinstance(reference, Path):
        return _cached(reference, network, ".npz", statistics_of, Gaussian.save, Gaussian.load)
    found = Gaussian.load(reference)
    if found.mu.size != network.dim:
        raise DataError(
            f"The statistics {reference} have {found.mu.size} dimensions, {network.name} has {network.dim}.",
            "Use statistics of the same network.",
        )
    if found.protocol is None:
        _log.warning(
            "%s does not say how it was made (mode unknown); it is taken to be of mode %s.",
            reference,
            network.preprocess,
        )
        return found
    difference = found.protocol.difference(protocol_of(network))
    if difference:
        raise DataError(
            f"The statistics {reference} are of another kind than the generated images': {difference}.",
            "Make them again with `evalsuite statistics`.",
        )
    return found


def reference_features(reference: Sequence[Image], network: FeatureNetwork) -> np.ndarray:
    """(n, d) float32 features of the reference images, kept in the cache like their statistics."""
    import numpy as np

    def save(features: np.ndarray, path: Path) -> None:
        with path.open("wb") as stream:
            np.save(stream, features)

    return _cached(reference, network, ".npy", _features_of, save, np.load)


def _features_of(images: Sequence[Image], network: FeatureNetwork) -> np.ndarray:
    state, found = Decoded(), FeatureSet()
    for features in feature_batches(images, network, state):
        found.update(features)
    require_complete(state, len(images))
    return found.finalize()


def reference_record(reference: Path | Sequence[Image], found: Gaussian) -> dict[str, Any]:
    """What a score has on record about the reference (JSON-able)."""
    made = (
        asdict(found.protocol) if found.protocol is not None else {"mode": "unknown: the file does not say"}
    )
    source = str(reference) if isinstance(reference, Path) else f"{len(reference)} images"
    record = {"of": source, "count": found.count, **made}
    read = reference.record() if isinstance(reference, ImageFolder) else found.images
    return record | {"read": dict(read)} if read else record


def _cached(
    images: Sequence[Image],
    network: FeatureNetwork,
    suffix: str,
    compute: Callable[[Sequence[Image], FeatureNetwork], T],
    save: Callable[[T, Path], None],
    load: Callable[[Path], T],
) -> T:
    cached = _cache_file(images, network, suffix)
    if cached.is_file():
        try:
            return load(cached)
        except (DataError, OSError, ValueError, EOFError) as error:
            _log.info("%s is damaged and is made again (%s).", cached, error)
    found = compute(images, network)
    try:
        cached.parent.mkdir(parents=True, exist_ok=True)
        part = cached.with_name(f"{cached.name}.{os.getpid()}")
        save(found, part)
        part.replace(cached)
    except OSError as error:
        _log.info("What was computed of the reference is not kept (%s).", error)
    return found


def _cache_file(images: Sequence[Image], network: FeatureNetwork, suffix: str) -> Path:
    files: list[list[object]] = []
    for image in images:
        if image.path is None:
            files.append([image.sha256()])
            continue
        try:
            state = image.path.stat()
        except OSError as error:
            raise DataError(
                f"The reference image {image.path} cannot be read ({error.strerror}).",
                "A reference set must be complete.",
            ) from error
        files.append([str(image.path.resolve()), state.st_size, state.st_mtime_ns])
    made = fingerprint([asdict(protocol_of(network)), files])
    return cache_folder() / "statistics" / f"{made[:40]}{suffix}"
