"""Loads feature networks, each once per process."""

from __future__ import annotations

import threading

from evalsuite.errors import SpecError
from evalsuite.features.base import FeatureNetwork, NetworkSpec, PairNetwork
from evalsuite.features.weights import find_file, find_folder

_loaded: dict[tuple[NetworkSpec, str], FeatureNetwork | PairNetwork] = {}
_lock = threading.Lock()


def require_weights(spec: NetworkSpec) -> None:
    """Makes sure that the weights are here, without loading them: cheap enough for the start of a run.

    Raises UnavailableError with the file, its size and the command that fetches it; SpecError for an unknown
    kind.
    """
    if spec.kind == "inception":
        find_file(spec.source)
    elif spec.kind == "lpips":
        from evalsuite.features.lpips import weights_files

        for name in weights_files(spec.source):
            find_file(name)
    else:
        find_folder(spec.source, spec.revision)


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


def load_any_network(spec: NetworkSpec, device: str = "auto") -> FeatureNetwork | PairNetwork:
    """As `load_network`, for a network of any kind."""
    with _lock:
        key = (spec, device)
        if key not in _loaded:
            _loaded[key] = _load(spec, device)
        return _loaded[key]


def _load(spec: NetworkSpec, device: str) -> FeatureNetwork | PairNetwork:
    if spec.kind == "clip":
        from evalsuite.features.clip import ClipNetwork

        return ClipNetwork(spec, device)
    if spec.kind == "dino":
        from evalsuite.features.dino import DinoNetwork

        return DinoNetwork(spec, device)
    if spec.kind == "sentence":
        from evalsuite.features.sentence import SentenceNetwork

        return SentenceNetwork(spec, device)
    if spec.kind == "inception":
        from evalsuite.features.inception import InceptionNetwork

        return InceptionNetwork(spec, device)
    if spec.kind == "lpips":
        from evalsuite.features.lpips import Lpips

        return Lpips(spec, device)
    if spec.kind == "structure":
        from evalsuite.features.structure import StructureNetwork

        return StructureNetwork(spec, device)
    raise SpecError(
        f"There is no feature network of kind {spec.kind!r}.",
        "Known: clip, dino, inception, lpips, sentence, structure.",
    )
