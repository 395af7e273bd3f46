"""Image generators and editors of `diffusers`, from a folder or hub id, by the class their index names."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from evalsuite.model import Model, ModelEntry, ModelOptions
from evalsuite.request import Capability

from .. import declared, presets

CAPABILITIES: frozenset[Capability] = frozenset({"image", "edit"})


def models() -> Iterator[ModelEntry]:
    yield ModelEntry(
        "diffusers",
        "any diffusers pipeline for text-to-image, editing or inpainting, from a folder or the hub",
        CAPABILITIES,
        load,
        takes_argument=True,
        group="any checkpoint",
        options=declared.DIFFUSERS,
        more_options=declared.CALL,
    )
    yield from presets.entries(
        Path(__file__).with_name("presets.yaml"),
        CAPABILITIES,
        "diffusion",
        load,
        declared.DIFFUSERS,
        declared.CALL,
    )


def load(options: ModelOptions) -> Model:
    """Loads the pipeline named by `options.argument`; options as `DiffusersPipeline` says.

    Raises SpecError for an option that the pipeline does not take, before its weights are read,
    CheckpointError when the folder holds no pipeline, UnavailableError when it will not fit.
    """
    from .adapter import DiffusersPipeline
    from .arguments import check_before_loading

    check_before_loading(options)
    return DiffusersPipeline(options)
