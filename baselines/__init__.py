"""Model adapters for everything that is not DreamLLM, and the miniature's checkpoints.

`models()` is what the entry point `evalsuite.models` calls; it lists names and imports nothing heavy.
"""

from __future__ import annotations

from collections.abc import Iterator

from evalsuite.model import ModelEntry

from . import diffusion, http_images, image_text, isolated, language, mini, reference, served, server, unified


def models() -> Iterator[ModelEntry]:
    """All baselines."""
    yield from mini.models()
    yield from reference.models()
    yield from diffusion.models()
    yield from image_text.models()
    yield from unified.models()
    yield from language.models()
    yield from server.models()
    yield from http_images.models()
    yield from served.models()
    yield from isolated.models()
