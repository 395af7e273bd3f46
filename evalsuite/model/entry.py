"""What a plugin returns for a model: an entry of the registry, and the options an adapter is built with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from evalsuite.model.types import Model
from evalsuite.request import Capability


@dataclass(frozen=True, slots=True)
class ModelOptions:
    """How a model is to be loaded.

    Args:
        argument: what stands behind the colon of `dreamllm:FOLDER`.
        device: torch device string, or `auto`.
        dtype: `float32`, `bfloat16`, `float16`, or `auto` (the checkpoint's on a GPU, float32 on a CPU).
        options: further options of the adapter.
    """

    argument: str = ""
    device: str = "auto"
    dtype: str = "auto"
    options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """A model that can be loaded.

    Args:
        name: as users type it.
        title: one line for `evalsuite list`.
        capabilities: known before anything is loaded, so that an impossible run is refused at once.
        build: loads it.
        takes_argument: it is called `name:ARGUMENT`.
        group: what it stands under in listings.
        reads_annotations: it is no model but an upper bound: the engine hands it the task's own answers
            (`prepare_annotated(request, answer)` in place of `prepare`). Recorded in every run of it.
    """

    name: str
    title: str
    capabilities: frozenset[Capability]
    build: Callable[[ModelOptions], Model]
    takes_argument: bool = False
    group: str = ""
    reads_annotations: bool = False
