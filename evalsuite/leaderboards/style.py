"""How much of each number a leaderboard shows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from evalsuite.leaderboards.table import Cell, Column, Table


def without_intervals(table: Table) -> Table:
    """The table without intervals. Marks and ranks stay: they were made with them."""
    rows = [
        replace(row, cells=tuple(_bare(cell) if cell is not None else None for cell in row.cells))
        for row in table.rows
    ]
    return replace(table, rows=tuple(rows))


def rounded(table: Table) -> Table:
    """The table with no more digits than its intervals support.

    A column keeps the digits down to the first significant one of its narrowest half interval h:
    ``min(digits, max(0, -floor(log10(h))))``. An accuracy of 81.7 ± 2.6 is shown as 82, one of 81.72 ± 0.26
    as 81.7. Columns without intervals stay as they are.
    """
    columns = [
        replace(column, digits=_supported(column, [row.cells[index] for row in table.rows]))
        for index, column in enumerate(table.columns)
    ]
    return replace(table, columns=tuple(columns))


def _bare(cell: Cell) -> Cell:
    return replace(cell, low=math.nan, high=math.nan)


def _supported(column: Column, cells: Sequence[Cell | None]) -> int:
    halves = [
        half
        for cell in cells
        if cell is not None and not math.isnan(cell.low)
        if (half := (cell.high - cell.low) / 2 * abs(column.scale)) > 0
    ]
    if not halves:
        return column.digits
    return min(column.digits, max(0, -math.floor(math.log10(min(halves)))))
