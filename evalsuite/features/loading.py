"""Loads feature networks, each once per process."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

from evalsuite.errors import CheckpointError, SpecError
from evalsuite.features.base import AnyNetwork, FeatureNetwork, ImageScorer, NetworkSpec, PairNetwork
from evalsuite.features.kinds import find_kind

_loaded: dict[tuple[NetworkSpec, str], AnyNetwork] = {}
_lock = threading.Lock()


def require_weights(spec: NetworkSpec) -> None:
    """Makes sure that the weights are here, without loading them: cheap enough for the start of a run.

    Raises UnavailableError with the file, its size and the command that fetches it; SpecError for an unknown
    kind.
    """
    find_kind(spec.kind).require(spec)


def load_network(spec: NetworkSpec, device: str = "auto") -> FeatureNetwork:
    """The network, loaded on first use and kept for the process. Features are computed in float32.

    Args:
        device: torch device, `auto` for the first GPU, else the CPU.

    Raises:
        UnavailableError: its weights are not on this machine.
        CheckpointError: the weights are of another architecture or damaged.
        SpecError: unknown kind, preprocessing or device.
    """
    network = load_any_network(spec, device)
    if not isinstance(network, FeatureNetwork):
        raise SpecError(
            f"{spec.name} compares pairs, it gives no features.", "Name a network of another kind."
        )
    return network


def load_pair_network(spec: NetworkSpec, device: str = "auto") -> PairNetwork:
    """As `load_network`, for kinds that compare pairs of images (`lpips`)."""
    network = load_any_network(spec, device)
    if not isinstance(network, PairNetwork):
        raise SpecError(f"{spec.name} does not compare pairs.", "Name a network of kind lpips or structure.")
    return network


def load_scorer(spec: NetworkSpec, device: str = "auto") -> ImageScorer:
    """As `load_network`, for kinds that score images with their texts."""
    network = load_any_network(spec, device)
    if not isinstance(network, ImageScorer):
        raise SpecError(f"{spec.name} does not score images.", "Name a network of a kind that has `scores`.")
    return network


def load_any_network(spec: NetworkSpec, device: str = "auto") -> AnyNetwork:
    """As `load_network`, for a network of any kind."""
    with _lock:
        key = (spec, device)
        if key not in _loaded:
            _loaded[key] = find_kind(spec.kind).load(spec, device)
        return _loaded[key]


@dataclass(frozen=True, slots=True)
class NetworkUse:
    """What another process needs to compute with the same network: small, and it can be pickled.

    Args:
        output: `features`; `logits` for an Inception network's class scores.
        fingerprint: that the network there must have.
    """

    spec: NetworkSpec
    device: str
    output: str
    fingerprint: str

    def load(self) -> Any:
        """The network. Raises CheckpointError where its weights here are others."""
        network = load_any_network(self.spec, self.device)
        if network.fingerprint != self.fingerprint:
            raise CheckpointError(
                f"{self.spec.name} has other weights on this machine (fingerprint "
                f"{network.fingerprint[:12]}…, expected {self.fingerprint[:12]}…).",
                "Give all machines the same weights.",
            )
        if self.output == "logits":
            from evalsuite.features.inception import InceptionLogits

            return InceptionLogits(network)
        return network


def use_of(network: Any) -> NetworkUse | None:
    """How others load a network of `load_any_network`; None for an object of somebody's own."""
    output = getattr(network, "output", "features")
    inner = network.network if output == "logits" else network
    for (spec, device), loaded in _loaded.items():
        if loaded is inner:
            return NetworkUse(spec, device, output, network.fingerprint)
    return None
