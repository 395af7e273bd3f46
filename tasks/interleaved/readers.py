"""Documents of text and images: evalsuite's own, MMC4's and OBELICS' JSON lines."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType

from evalsuite.task import Located
from evalsuite.task.readers import InterleavedDocument, documents


def read_parts(source: Located) -> Iterator[InterleavedDocument]:
    """`documents`: JSON lines of evalsuite's own documents, lists of texts and image names."""
    return documents.read_parts(source.path("documents"), source.folder_of("images"))


def read_mmc4(source: Located) -> Iterator[InterleavedDocument]:
    """`documents`: JSON lines of MMC4, sentences with the images matched to them."""
    return documents.read_mmc4(source.path("documents"), source.folder_of("images"))


def read_obelics(source: Located) -> Iterator[InterleavedDocument]:
    """`documents`: JSON lines of OBELICS, texts and images in two lists of one length."""
    return documents.read_obelics(source.path("documents"), source.folder_of("images"))


READERS: Mapping[str, Callable[[Located], Iterator[InterleavedDocument]]] = MappingProxyType(
    {"parts-jsonl": read_parts, "mmc4-jsonl": read_mmc4, "obelics-jsonl": read_obelics}
)
"""Layouts of the file `documents`, with the folder `images`."""
