"""Models behind an OpenAI-compatible server: vLLM, SGLang, llama.cpp's server, hosted ones."""

from __future__ import annotations

from collections.abc import Iterator

from evalsuite.model import Model, ModelEntry, ModelOptions

from .. import declared


def models() -> Iterator[ModelEntry]:
    yield ModelEntry(
        "openai",
        "a chat model of any OpenAI-compatible server",
        frozenset({"text", "choices"}),
        _chat,
        takes_argument=True,
        group="servers",
        options=declared.CHAT,
    )
    yield ModelEntry(
        "openai-images",
        "an image model of any OpenAI-compatible server",
        frozenset({"image", "edit"}),
        _images,
        takes_argument=True,
        group="servers",
        options=declared.IMAGES,
    )


def _chat(options: ModelOptions) -> Model:
    from .chat import ServedChat

    return ServedChat(options)


def _images(options: ModelOptions) -> Model:
    from .images import ServedImages

    return ServedImages(options)
