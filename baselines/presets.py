"""Named checkpoints: a table of data per room, read into registry entries."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from evalsuite.model import Model, ModelEntry, ModelOptions
from evalsuite.request import Capability

Load = Callable[[ModelOptions], Model]


class Preset(BaseModel):
    """One named checkpoint."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    """As users type it."""
    checkpoint: str
    """Hub id."""
    title: str
    revision: str = "main"
    """Branch, tag or commit; the commit that was used is recorded in the run."""
    dtype: str = "bfloat16"
    """The precision it was published in; used where the user leaves `--dtype auto` and there is a GPU."""
    options: dict[str, str] = Field(default_factory=dict)
    """Options of its adapter."""
    source: str = ""
    """Paper or page that says how it is to be prompted."""
    note: str = ""
    """What a reader of its numbers should know."""
    capabilities: tuple[Capability, ...] = ()
    """Where it can do less than its adapter."""


def read(path: Path) -> list[Preset]:
    """The presets of a YAML file."""
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    with path.open(encoding="utf-8") as stream:
        rows: list[dict[str, Any]] = yaml.load(stream, Loader=loader)
    return [Preset.model_validate(row) for row in rows]


def entries(path: Path, capabilities: frozenset[Capability], group: str, load: Load) -> Iterator[ModelEntry]:
    """Registry entries of a table; all of its presets are loaded by one adapter."""
    for preset in read(path):
        yield ModelEntry(
            preset.name,
            preset.title,
            frozenset(preset.capabilities) or capabilities,
            partial(_build, preset, load),
            group=group,
        )


def _build(preset: Preset, load: Load, options: ModelOptions) -> Model:
    given = dict(options.options)
    mine = {"name": preset.name, "revision": preset.revision, **preset.options}
    dtype = preset.dtype if options.dtype == "auto" and _has_gpu(options.device) else options.dtype
    return load(replace(options, argument=preset.checkpoint, dtype=dtype, options={**mine, **given}))


def _has_gpu(device: str) -> bool:
    if device != "auto":
        return device != "cpu"
    import torch

    return torch.cuda.is_available() or torch.backends.mps.is_available()
