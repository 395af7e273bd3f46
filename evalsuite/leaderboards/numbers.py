"""Numbers, intervals and the legend of a leaderboard as text."""

from __future__ import annotations

import math

from evalsuite.leaderboards.table import Cell, Column, Table

NOTHING = "–"


def number(column: Column, value: float) -> str:
    """A value as papers print it; a dash where there is none."""
    return NOTHING if math.isnan(value) else f"{value * column.scale:.{column.digits}f}"


def interval(column: Column, cell: Cell) -> str:
    """`low–high`, empty where there is no interval."""
    return "" if math.isnan(cell.low) else f"{number(column, cell.low)}–{number(column, cell.high)}"


def legend(table: Table) -> list[str]:
    """What a reader must know, one line each."""
    intervals = f"{100 * table.level:g} % intervals" if any(_has_interval(table)) else ""
    ranks = (
        "bold: best, and what cannot be distinguished from it (intervals overlap); underlined: next best"
        if len(table.rows) > 1
        else ""
    )
    head = "; ".join(part for part in (intervals, ranks) if part)
    return [*([f"{head}."] if head else []), *(f"{note}." for note in table.notes)]


def _has_interval(table: Table) -> list[bool]:
    return [not math.isnan(cell.low) for row in table.rows for cell in row.cells if cell is not None]
