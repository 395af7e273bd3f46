"""Feature networks: images (and texts) to vectors, for Fréchet distances and similarities.

Scores that need one name whose features they are. Nothing here is loaded, or fetched, before it is asked for:
weights that are absent give one error that says which file, how large, and the command that gets it.
"""

from .base import FeatureNetwork, ImageScorer, NetworkSpec, PairNetwork, TextFeatureNetwork
from .kinds import network_kind
from .loading import load_any_network, load_network, load_pair_network, load_scorer, require_weights

__all__ = [
    "FeatureNetwork",
    "ImageScorer",
    "NetworkSpec",
    "PairNetwork",
    "TextFeatureNetwork",
    "load_any_network",
    "load_network",
    "load_pair_network",
    "load_scorer",
    "network_kind",
    "require_weights",
]
