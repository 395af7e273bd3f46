"""Inference engines that a run starts itself: vLLM, SGLang, llama.cpp's server, `transformers serve`, any
command."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from evalsuite.model import Model, ModelEntry, ModelOptions

ENGINES = {
    "vllm": ("vllm serve {model} --port {port}", "/health", "a vLLM engine"),
    "sglang": (
        "python3 -m sglang.launch_server --model-path {model} --port {port}",
        "/health",
        "an SGLang engine",
    ),
    "llama-cpp": (
        "python3 -m llama_cpp.server --model {model} --port {port}",
        "/v1/models",
        "llama.cpp's server",
    ),
    "transformers-serve": ("transformers serve --port {port}", "/health", "`transformers serve`"),
}
"""Preset -> command, health path, what it is. `served:` takes any command."""


def models() -> Iterator[ModelEntry]:
    """The engines."""
    yield ModelEntry(
        "served",
        "any OpenAI-compatible engine, started by the run: --option engine='CMD --port {port}'",
        frozenset({"text", "choices"}),
        _build("", "/health"),
        takes_argument=True,
        group="engines",
    )
    for name, (command, health, title) in ENGINES.items():
        yield ModelEntry(
            name,
            f"{title}, started by the run (one per worker): {name}:MODEL",
            frozenset({"text", "choices"}),
            _build(command, health),
            takes_argument=True,
            group="engines",
        )


def _build(command: str, health: str) -> Callable[[ModelOptions], Model]:
    return partial(_make, command, health)


def _make(command: str, health: str, options: ModelOptions) -> Model:
    from .adapter import ServedEngine

    return ServedEngine(options, command, health)
