"""Feature statistics of images with the record of how they were made."""

from __future__ import annotations

from collections.abc import Sequence

from evalsuite.content import Image
from evalsuite.errors import DataError
from evalsuite.features.base import FeatureNetwork
from evalsuite.features.decoding import Decoded
from evalsuite.features.extraction import feature_batches
from evalsuite.metrics.frechet import Gaussian, GaussianStatistics, Protocol


def protocol_of(network: FeatureNetwork) -> Protocol:
    """What statistics under this network have on record."""
    return Protocol(
        network=network.name,
        mode=network.preprocess,
        means=network.means,
        dtype=network.dtype,
        weights_sha256=network.weights_sha256,
        fingerprint=network.fingerprint,
    )


def statistics_of(images: Sequence[Image], network: FeatureNetwork, what: str = "reference") -> Gaussian:
    """Mean and covariance of images under a network, memory flat in their number.

    Args:
        what: how messages call the set.

    Raises DataError when images are broken or missing: a reference set must be complete.
    """
    state = Decoded()
    sums = GaussianStatistics(network.means)
    for features in feature_batches(images, network, state):
        sums.update(features)
        if state.failures:  # a set with failures is refused, so the rest need not be computed
            break
    require_complete(state, len(images), what)
    return sums.finalize(protocol_of(network))


def require_complete(state: Decoded, count: int, what: str = "reference") -> None:
    """Refuse a set of `count` images of which any is broken.

    Args:
        what: name of the set in the message.

    Raises:
        DataError: names the first reason.
    """
    if state.failures:
        raise DataError(
            f"{len(state.failures)} of {count} {what} images cannot be read; the first: "
            f"{next(iter(state.failures.values()))}",
            f"A {what} set must be complete.",
        )
