"""The file formats of editing benchmarks."""

from __future__ import annotations

from collections.abc import Iterator
from types import MappingProxyType

from evalsuite.task import Located
from evalsuite.task.readers import Session, instructpix2pix, magicbrush, piebench, read_table_of_edits


def magicbrush_folder(source: Located) -> Iterator[Session]:
    """MagicBrush's test folder: `sessions`, `images` and, where there are any, `descriptions`."""
    described = source.path("descriptions") if source.has("descriptions") else None
    return magicbrush.read_sessions(source.path("sessions"), source.folder_of("images"), described)


def magicbrush_table(source: Located) -> Iterator[Session]:
    """A table with the columns session, turn, source, instruction, target and, where named, description."""
    return magicbrush.read_columns(source.paths("table"), source.columns)


def instructpix2pix_folder(source: Located) -> Iterator[Session]:
    """InstructPix2Pix's data set: `seeds` and the folder `images`; `settings.split` (test)."""
    split = source.settings.get("split", "test")
    return instructpix2pix.read_seeds(source.path("seeds"), source.folder_of("images"), split)


def piebench_mapping(source: Located) -> Iterator[Session]:
    """PIE-Bench: `mapping` and the folder `images`."""
    return piebench.read_mapping(source.path("mapping"), source.folder_of("images"))


def edit_table(source: Located) -> Iterator[Session]:
    """A table of edits, one per row: the columns of `evalsuite.data.edits.read_table_of_edits`."""
    return read_table_of_edits(source.paths("table"), source.columns)


READERS = MappingProxyType(
    {
        "magicbrush-folder": magicbrush_folder,
        "magicbrush-table": magicbrush_table,
        "instructpix2pix-folder": instructpix2pix_folder,
        "piebench-mapping": piebench_mapping,
        "edit-table": edit_table,
    }
)

DESCRIBES = MappingProxyType(
    {
        "magicbrush-folder": ("descriptions", ""),
        "magicbrush-table": ("", "description"),
        "edit-table": ("", "description"),
    }
)
"""Reader -> the role or the column without which there are no descriptions; others always have them."""
