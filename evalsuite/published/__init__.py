"""Published numbers: the tables of papers as data, each cell with its source and how sure it is."""

from __future__ import annotations

from evalsuite.published.loading import (
    TableReference,
    find_publication,
    find_table,
    publications,
    read_folder,
    read_publication,
)
from evalsuite.published.schema import (
    CONFIDENCE,
    Publication,
    PublishedCell,
    PublishedColumn,
    PublishedRow,
    PublishedTable,
    Substitute,
)

__all__ = [
    "CONFIDENCE", "Publication", "PublishedCell", "PublishedColumn", "PublishedRow", "PublishedTable",
    "Substitute", "TableReference", "find_publication", "find_table", "publications", "read_folder",
    "read_publication",
]  # fmt: skip
