"""Captioned images and lists of prompts that images are generated for."""

from __future__ import annotations

from collections.abc import Iterator
from types import MappingProxyType

from evalsuite.errors import DataError
from evalsuite.task import Located
from evalsuite.task.readers import (
    Captioned,
    field,
    read_coco,
    read_json,
    read_karpathy_split,
    read_narratives,
    read_prompt_table,
)

from .prompt_list import Prompt


def read_localized_narratives(source: Located) -> Iterator[Captioned]:
    """`captions` (Localized Narratives' JSON lines), images in the folder `images`."""
    return read_narratives(source.path("captions"), source.folder_of("images"))


def read_mjhq(source: Located) -> Iterator[Captioned]:
    """`captions`: MJHQ-30K's object id -> {category, prompt}; `images` as CATEGORY/ID.jpg.

    Raises DataError for a file of another form, and for a prompt that is empty.
    """
    path = source.path("captions")
    rows = read_json(path)
    if not isinstance(rows, dict) or not rows:
        raise DataError(f"{path} must map ids to prompts.", "Is it MJHQ-30K's meta_data.json?")
    for key, row in rows.items():
        where = f"{path}, {key}"
        prompt = field(row, "prompt", str, where)
        if not prompt.strip():
            raise DataError(f"{where}: the prompt is empty.", "Fetch the file again.")
        category = field(row, "category", str, where)
        image = source.image("images", category=category, id=key)
        yield Captioned(key, image, (prompt,), labels=(("category", category),))


CAPTIONED = MappingProxyType(
    {
        "coco-captions-json": read_coco,
        "karpathy-json": read_karpathy_split,
        "localized-narratives-jsonl": read_localized_narratives,
        "mjhq-json": read_mjhq,
    }
)
"""Files of captioned images."""


def read_table(source: Located) -> list[Prompt]:
    """`prompts`: a CSV or TSV file; `columns` says where the prompt and the labels are."""
    rows = read_prompt_table(source.path("prompts"), source.columns)
    return [Prompt(f"{row.number:05}", row.text, (row.text,), None, labels=row.labels) for row in rows]


def read_hpd(source: Located) -> list[Prompt]:
    """HPSv2's prompts: a list of texts per style, the style being the file's role. Ids are STYLE/00000.

    Raises DataError for a file of another form, and for a prompt that is empty.
    """
    found: list[Prompt] = []
    for style in source.files:
        path = source.path(style)
        texts = read_json(path)
        if not isinstance(texts, list) or not texts or not all(isinstance(text, str) for text in texts):
            raise DataError(f"{path} must be a list of prompts.", "Is it a file of HPDv2's folder benchmark?")
        for number, text in enumerate(texts):
            if not text.strip():
                raise DataError(f"{path}: prompt {number} is empty.", "Fetch the file again.")
            found.append(Prompt(f"{style}/{number:05}", text, (text,), None, labels={"style": style}))
    return found


TABLES = MappingProxyType({"hpd-prompts": read_hpd, "prompt-table": read_table})
"""Files of prompts that are about no image."""
READERS = MappingProxyType({**CAPTIONED, **TABLES})
