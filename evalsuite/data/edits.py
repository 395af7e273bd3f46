"""Edits of images by instruction: what all editing benchmarks have in common, and the hub's tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evalsuite.content import Image
from evalsuite.data.table import image_cell, read_table
from evalsuite.errors import DataError


@dataclass(frozen=True, slots=True)
class Turn:
    """One edit.

    Args:
        number: from 1 within its session.
        source: the image to edit: the original in the first turn, then the previous turn's target.
        target: the image that people accepted as the result; None where a benchmark has none.
        description: of the result, or of what was edited in it (MagicBrush's local descriptions); empty where
            there is none.
        source_description: of the source; empty where there is none.
        mask: run lengths of the region to edit (`evalsuite.metrics.images.decode_mask`); None where there is
            none.
    """

    number: int
    instruction: str
    source: Image
    target: Image | None = None
    description: str = ""
    source_description: str = ""
    mask: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class Session:
    """Edits in a row of one image, at least one; `labels` are for breakdowns (editing type)."""

    id: str
    turns: tuple[Turn, ...]
    labels: Mapping[str, str] = field(default_factory=dict)


_TEXTS = ("instruction", "description", "source_description")


def read_table_of_edits(paths: Sequence[Path], columns: Mapping[str, str]) -> Iterator[Session]:
    """One edit per row, in the order of the table.

    Args:
        columns: `id`, `source` and `instruction`; optionally `target`, `description`, `source_description`
            and `type` (a label for breakdowns).

    Raises:
        DataError: a cell is of another type, or holds no image.
    """
    for where, cells in read_table(paths, columns):
        for name in _TEXTS:
            if name in cells and not isinstance(cells[name], str):
                raise DataError(
                    f"{where}: column {columns[name]!r} holds {cells[name]!r:.60}, not text.",
                    "Is this the right data set?",
                )
        target = cells.get("target")
        yield Session(
            str(cells["id"]),
            (
                Turn(
                    1,
                    cells["instruction"],
                    image_cell(cells["source"], f"{where} (source)"),
                    image_cell(target, f"{where} (target)") if target is not None else None,
                    str(cells.get("description") or ""),
                    str(cells.get("source_description") or ""),
                ),
            ),
            _labels(cells),
        )


def _labels(cells: Mapping[str, Any]) -> dict[str, str]:
    return {"type": str(cells["type"])} if cells.get("type") is not None else {}
