"""Kinds of networks by name: those of evalsuite, and those that plugins add.

A plugin adds a kind with `network_kind` in its file, or, once installed, by an entry point of the group
`evalsuite.networks` (the kind's name = `package.module:load`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module, metadata
from typing import Any

from evalsuite.errors import SpecError, is_interruption, reason_of, suggest
from evalsuite.features.base import NetworkSpec
from evalsuite.features.weights import find_file, find_folder

GROUP = "evalsuite.networks"

Load = Callable[[NetworkSpec, str], Any]
"""(spec, device) -> a `FeatureNetwork`, a `PairNetwork` or an `ImageScorer`."""


@dataclass(frozen=True, slots=True)
class NetworkKind:
    """How networks of a kind are made.

    Args:
        load: makes one; heavy imports belong inside.
        require: raises UnavailableError where the weights are not on this machine, without loading them.
    """

    name: str
    load: Load
    require: Callable[[NetworkSpec], None]


def network_kind(name: str, require: Callable[[NetworkSpec], None] | None = None) -> Callable[[Load], Load]:
    """Decorator: a function `(spec, device) -> network` becomes the networks of that kind.

    Args:
        name: as benchmark files write it under `kind`.
        require: see `NetworkKind`; None: `spec.source` must be a folder or hub id with weights.

    Raises SpecError where evalsuite has a kind of that name.
    """
    if name in _BUILT_IN:
        raise SpecError(f"The network kind {name!r} exists already.", "Choose another name.")

    def add(load: Load) -> Load:
        # The same file may be imported again: the last one counts.
        _ADDED[name] = NetworkKind(name, load, require or _folder)
        return load

    return add


def find_kind(name: str) -> NetworkKind:
    """The kind of that name. Raises SpecError where there is none, or its plugin is broken."""
    if name in _BUILT_IN:
        return _BUILT_IN[name]
    if name not in _ADDED:
        for point in metadata.entry_points(group=GROUP, name=name):
            try:
                load = point.load()
            except BaseException as error:  # third-party code
                if is_interruption(error):
                    raise
                raise SpecError(
                    f"The network kind {name!r} cannot be used: {reason_of(error)}.", "Repair its plugin."
                ) from error
            _ADDED.setdefault(name, NetworkKind(name, load, _folder))
    if name not in _ADDED:
        known = (*_BUILT_IN, *_ADDED)
        raise SpecError(
            f"There is no feature network of kind {name!r}.",
            f"{suggest(name, known)} Known: {', '.join(known)}.",
        )
    return _ADDED[name]


def _folder(spec: NetworkSpec) -> None:
    find_folder(spec.source, spec.revision)


def _file(spec: NetworkSpec) -> None:
    find_file(spec.source)


def _lpips_files(spec: NetworkSpec) -> None:
    from evalsuite.features.lpips import weights_files

    for name in weights_files(spec.source):
        find_file(name)


def _aesthetic_files(spec: NetworkSpec) -> None:
    from evalsuite.features.scorers.aesthetic import require_aesthetic

    require_aesthetic(spec)


def _vqascore_files(spec: NetworkSpec) -> None:
    from evalsuite.features.scorers.clip_t5 import require_vqascore

    require_vqascore(spec)


def _dreamsim_files(spec: NetworkSpec) -> None:
    from evalsuite.features.dreamsim import require_dreamsim

    require_dreamsim(spec)


def _load(module: str, name: str) -> Load:
    """A class of this room, imported when the first network of its kind is loaded."""

    def load(spec: NetworkSpec, device: str) -> Any:
        return getattr(import_module(f"evalsuite.features.{module}"), name)(spec, device)

    return load


_BUILT_IN = {
    kind.name: kind
    for kind in (
        NetworkKind("clip", _load("clip", "ClipNetwork"), _folder),
        NetworkKind("dino", _load("dino", "DinoNetwork"), _folder),
        NetworkKind("dreamsim", _load("dreamsim", "DreamSim"), _dreamsim_files),
        NetworkKind("inception", _load("inception", "InceptionNetwork"), _file),
        NetworkKind("lpips", _load("lpips", "Lpips"), _lpips_files),
        NetworkKind("sentence", _load("sentence", "SentenceNetwork"), _folder),
        NetworkKind("structure", _load("structure", "StructureNetwork"), _folder),
        NetworkKind("hpsv2", _load("scorers.clip_scores", "ClipScorer"), _folder),
        NetworkKind("hpsv3", _load("scorers.hpsv3", "HpsV3"), _folder),
        NetworkKind("pickscore", _load("scorers.clip_scores", "ClipScorer"), _folder),
        NetworkKind("image-reward", _load("scorers.image_reward", "ImageReward"), _folder),
        NetworkKind("aesthetic", _load("scorers.aesthetic", "Aesthetic"), _aesthetic_files),
        NetworkKind("vqascore", _load("scorers.clip_t5", "VqaScore"), _vqascore_files),
        NetworkKind("blip-vqa", _load("scorers.blip_vqa", "BlipVqa"), _folder),
    )
}
_ADDED: dict[str, NetworkKind] = {}
