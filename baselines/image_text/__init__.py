"""Any image–text model of `transformers`, through its own processor and prompt form."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from evalsuite.model import Model, ModelEntry, ModelOptions
from evalsuite.request import Capability

from .. import declared, presets

CAPABILITIES: frozenset[Capability] = frozenset({"text", "choices"})


def models() -> Iterator[ModelEntry]:
    yield ModelEntry(
        "transformers",
        "any image-text model of transformers, from a folder or the hub",
        CAPABILITIES,
        load,
        takes_argument=True,
        group="any checkpoint",
        options=declared.TRANSFORMERS,
    )
    yield from presets.entries(
        Path(__file__).with_name("presets.yaml"), CAPABILITIES, "image-text", load, declared.TRANSFORMERS
    )


def load(options: ModelOptions) -> Model:
    """Loads the model named by `options.argument`; options as in `evalsuite_baselines.checkpoint`.

    Raises CheckpointError when the folder cannot be loaded, UnavailableError when it will not fit.
    """
    from .adapter import ImageTextModel

    return ImageTextModel(options)
