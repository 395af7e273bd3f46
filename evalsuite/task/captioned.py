"""Readers of captioned images, for captioning and for text-to-image families."""

from __future__ import annotations

from collections.abc import Iterator

from evalsuite.data.coco import Captioned, read_captions, read_karpathy
from evalsuite.task.sources import Located


def read_coco(source: Located) -> Iterator[Captioned]:
    """`captions` (COCO's annotation JSON), images in the folder `images`."""
    return read_captions(source.path("captions"), source.folder_of("images"))


def read_karpathy_split(source: Located) -> Iterator[Captioned]:
    """`captions` (`dataset_coco.json`) and `images`; `settings.split` (test)."""
    return read_karpathy(
        source.path("captions"), source.folder_of("images"), source.settings.get("split", "test")
    )
