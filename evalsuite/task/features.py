"""Feature networks (CLIP, DINO, Inception, LPIPS …) and decoding of images for them, for families and
plugins."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalsuite._lazy import attach

if TYPE_CHECKING:
    from evalsuite.features import FeatureNetwork, ImageScorer, NetworkSpec, TextFeatureNetwork, network_kind
    from evalsuite.features._torch import fingerprint_of
    from evalsuite.features.blocks import decoding_threads
    from evalsuite.features.decoding import Decoded, decoded_batches
    from evalsuite.features.extraction import feature_batches, image_features, text_features
    from evalsuite.features.inception import InceptionLogits, InceptionNetwork
    from evalsuite.features.keeping import current_keeper, digest_of, joint_key, kept_each, kept_rows, kind_of
    from evalsuite.features.loading import load_network
    from evalsuite.features.statistics import protocol_of, require_complete, statistics_of

__all__ = [
    "Decoded",
    "FeatureNetwork",
    "ImageScorer",
    "InceptionLogits",
    "InceptionNetwork",
    "NetworkSpec",
    "TextFeatureNetwork",
    "current_keeper",
    "decoded_batches",
    "decoding_threads",
    "digest_of",
    "feature_batches",
    "fingerprint_of",
    "image_features",
    "joint_key",
    "kept_each",
    "kept_rows",
    "kind_of",
    "load_network",
    "network_kind",
    "protocol_of",
    "require_complete",
    "statistics_of",
    "text_features",
]

if not TYPE_CHECKING:
    __getattr__, __dir__ = attach(
        __name__,
        {
            "evalsuite.features": "FeatureNetwork ImageScorer NetworkSpec TextFeatureNetwork network_kind",
            "evalsuite.features.decoding": "Decoded decoded_batches",
            "evalsuite.features.extraction": "feature_batches image_features text_features",
            "evalsuite.features._torch": "fingerprint_of",
            "evalsuite.features.inception": "InceptionLogits InceptionNetwork",
            "evalsuite.features.blocks": "decoding_threads",
            "evalsuite.features.keeping": "current_keeper digest_of joint_key kept_each kept_rows kind_of",
            "evalsuite.features.loading": "load_network",
            "evalsuite.features.statistics": "protocol_of require_complete statistics_of",
        },
    )
