"""Inference engines that a run starts itself: vLLM, SGLang, llama.cpp's server, `transformers serve`, any
command."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from evalsuite.model import Model, ModelEntry, ModelOptions

from .. import declared
from .presets import OWN, PRESETS, Preset


def models() -> Iterator[ModelEntry]:
    """The engines."""
    yield ModelEntry(
        "served",
        f"{OWN.title}, started by the run: --option engine='CMD --port {{port}}'",
        frozenset({"text", "choices"}),
        _build(OWN),
        takes_argument=True,
        group="engines",
        options=declared.ENGINE,
    )
    for name, preset in PRESETS.items():
        yield ModelEntry(
            name,
            f"{preset.title}, started by the run (one per worker): {name}:MODEL",
            frozenset({"text", "choices"}),
            _build(preset),
            takes_argument=True,
            group="engines",
            options=declared.ENGINE,
        )


def _build(preset: Preset) -> Callable[[ModelOptions], Model]:
    return partial(_make, preset)


def _make(preset: Preset, options: ModelOptions) -> Model:
    from .adapter import ServedEngine

    return ServedEngine(options, preset)
