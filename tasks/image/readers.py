"""Captioned images and lists of prompts that images are generated for."""

from __future__ import annotations

from collections.abc import Iterator
from types import MappingProxyType

from evalsuite.task import Located
from evalsuite.task.readers import (
    Captioned,
    read_coco,
    read_karpathy_split,
    read_narratives,
    read_prompt_table,
)

from .prompt_list import Prompt


def read_localized_narratives(source: Located) -> Iterator[Captioned]:
    """`captions` (Localized Narratives' JSON lines), images in the folder `images`."""
    return read_narratives(source.path("captions"), source.folder_of("images"))


CAPTIONED = MappingProxyType(
    {
        "coco-captions-json": read_coco,
        "karpathy-json": read_karpathy_split,
        "localized-narratives-jsonl": read_localized_narratives,
    }
)
"""Files of captioned images."""


def read_table(source: Located) -> list[Prompt]:
    """`prompts`: a CSV or TSV file; `columns` says where the prompt and the labels are."""
    rows = read_prompt_table(source.path("prompts"), source.columns)
    return [Prompt(f"{row.number:05}", row.text, (row.text,), None, labels=row.labels) for row in rows]


TABLES = MappingProxyType({"prompt-table": read_table})
"""Files of prompts that are about no image."""
READERS = MappingProxyType({**CAPTIONED, **TABLES})
