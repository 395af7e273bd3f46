"""Named checkpoints: a table of data per room, read into registry entries."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from evalsuite.model import Card, Model, ModelEntry, ModelOptions, Option, Weights, read_yaml
from evalsuite.request import Capability

from .declared import with_defaults

_SIZE = re.compile(r"-(\d+(?:\.\d+)?)([bm])(?:-|$)")
"""The size in a model's name: llava-1.5-7b, smollm2-135m."""

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
    parameters: float | None = None
    """Billions, all parts together; where it is not given, the number in its name counts."""
    licence: str = ""
    """Of the weights."""

    @property
    def card(self) -> Card:
        """What `evalsuite show model` says of it."""
        named = _SIZE.search(self.name)
        size = self.parameters
        notes = [self.note] if self.note else []
        if size is None and named is not None:
            size = float(named[1]) / (1000 if named[2] == "m" else 1)
            notes.append("size as it is named")
        weights = Weights(name=self.checkpoint, parameters=size, licence=self.licence, note="; ".join(notes))
        return Card(name=self.name, title=self.title, source=self.source, weights=(weights,))


def read(path: Path) -> list[Preset]:
    """The presets of a YAML file."""
    return [Preset.model_validate(row) for row in read_yaml(path)]


def entries(
    path: Path,
    capabilities: frozenset[Capability],
    group: str,
    load: Load,
    options: Sequence[Option],
    more_options: str = "",
) -> Iterator[ModelEntry]:
    """Registry entries of a table; all of its presets are loaded by one adapter, which takes `options`."""
    for preset in read(path):
        yield ModelEntry(
            preset.name,
            preset.title,
            frozenset(preset.capabilities) or capabilities,
            partial(_build, preset, load),
            group=group,
            options=with_defaults(options, _chosen(preset)),
            more_options=more_options,
            card=preset.card,
        )


def _build(preset: Preset, load: Load, options: ModelOptions) -> Model:
    given = dict(options.options)
    mine = _chosen(preset)
    dtype = preset.dtype if options.dtype == "auto" and _has_gpu(options.device) else options.dtype
    return load(replace(options, argument=preset.checkpoint, dtype=dtype, options={**mine, **given}))


def _chosen(preset: Preset) -> dict[str, str]:
    return {"name": preset.name, "revision": preset.revision, **preset.options}


def _has_gpu(device: str) -> bool:
    if device != "auto":
        return device != "cpu"
    import torch

    return torch.cuda.is_available() or torch.backends.mps.is_available()
