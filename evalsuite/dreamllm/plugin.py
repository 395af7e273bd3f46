"""DreamLLM in the registry: `dreamllm:FOLDER`."""

from __future__ import annotations

from collections.abc import Iterator

from evalsuite.dreamllm.options import OPTIONS
from evalsuite.model import Model
from evalsuite.model.entry import ModelEntry, ModelOptions


def models() -> Iterator[ModelEntry]:
    yield ModelEntry(
        "dreamllm",
        "a DreamLLM checkpoint, ours or upstream's layout: dreamllm:FOLDER or dreamllm:HUB/ID",
        frozenset({"text", "choices", "image", "edit", "interleaved"}),
        load,
        takes_argument=True,
        group="any checkpoint",
        options=OPTIONS,
    )


def load(options: ModelOptions) -> Model:
    """Loads the checkpoint `options.argument`, a folder or hub name. Options: see `DreamLLMAdapter`."""
    from evalsuite.dreamllm.adapter import DreamLLMAdapter

    return DreamLLMAdapter(options)
