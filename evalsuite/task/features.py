"""Feature networks (CLIP, DINO, Inception, LPIPS …) and decoding of images for them, for families and
plugins."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalsuite._lazy import attach

if TYPE_CHECKING:
    from evalsuite.features import FeatureNetwork, NetworkSpec, TextFeatureNetwork
    from evalsuite.features.decoding import Decoded, decoded_batches
    from evalsuite.features.inception import InceptionNetwork
    from evalsuite.features.loading import load_network
    from evalsuite.features.statistics import protocol_of, require_complete, statistics_of

__all__ = [
    "Decoded",
    "FeatureNetwork",
    "InceptionNetwork",
    "NetworkSpec",
    "TextFeatureNetwork",
    "decoded_batches",
    "load_network",
    "protocol_of",
    "require_complete",
    "statistics_of",
]

if not TYPE_CHECKING:
    __getattr__, __dir__ = attach(
        __name__,
        {
            "evalsuite.features": "FeatureNetwork NetworkSpec TextFeatureNetwork",
            "evalsuite.features.decoding": "Decoded decoded_batches",
            "evalsuite.features.inception": "InceptionNetwork",
            "evalsuite.features.loading": "load_network",
            "evalsuite.features.statistics": "protocol_of require_complete statistics_of",
        },
    )
