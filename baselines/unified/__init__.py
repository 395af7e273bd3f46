"""Models of `transformers` that read and generate images with one checkpoint."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from evalsuite.model import Model, ModelEntry, ModelOptions
from evalsuite.request import Capability

from .. import declared, presets

CAPABILITIES: frozenset[Capability] = frozenset({"text", "choices", "image"})


def models() -> Iterator[ModelEntry]:
    yield ModelEntry(
        "unified",
        "a transformers model that generates text and images (Janus, Emu3), from a folder or the hub",
        CAPABILITIES,
        load,
        takes_argument=True,
        group="any checkpoint",
        options=declared.UNIFIED,
    )
    yield from presets.entries(
        Path(__file__).with_name("presets.yaml"), CAPABILITIES, "unified", load, declared.UNIFIED
    )


def load(options: ModelOptions) -> Model:
    """Loads the model named by `options.argument`; options as in `evalsuite_baselines.checkpoint`.

    Raises CheckpointError when it cannot be loaded, or is of a type that transformers lets read only.
    """
    from .adapter import UnifiedModel

    return UnifiedModel(options)
