"""GenEval's prompts from its official file."""

from __future__ import annotations

from types import MappingProxyType

from evalsuite.task import Located

from .prompts import ComposedPrompt, read_prompts


def read_metadata(source: Located) -> list[ComposedPrompt]:
    """`prompts`: GenEval's `evaluation_metadata.jsonl`."""
    return read_prompts(source.path("prompts"))


READERS = MappingProxyType({"geneval-jsonl": read_metadata})
