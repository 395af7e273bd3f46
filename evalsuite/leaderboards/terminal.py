"""Leaderboards for a terminal of any width: columns that do not fit beside each other stand below."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from evalsuite.leaderboards.numbers import NOTHING, interval, legend, number
from evalsuite.leaderboards.table import Cell, Column, Table

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.table import Table as RichTable
    from rich.text import Text

_GAP = 2
"""Blanks between two columns."""
_HEADING = 26
"""Headings are folded to this width, at blanks; a column is never narrower than its numbers."""
_NAMES = 0.5
"""Share of the width that the models' names may take before they are folded."""


def console(table: Table) -> TerminalTable:
    """The leaderboard as a renderable of rich: intervals stand under their numbers, nothing is cut off."""
    return TerminalTable(table)


@dataclass(frozen=True, slots=True)
class TerminalTable:
    """A leaderboard that folds itself to the width it is printed at."""

    table: Table

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        from rich.text import Text

        names = min(max(map(len, ["model", *self._names()])), max(8, int(_NAMES * options.max_width)))
        room = options.max_width - names - _GAP
        for place, band in enumerate(_bands(self.table, room)):
            if place:
                yield Text()
            yield self._band(band, names, room)
        yield from (Text(line, style="dim") for line in legend(self.table))

    def _names(self) -> list[str]:
        return [row.name for row in self.table.rows]

    def _band(self, band: Sequence[int], names: int, room: int) -> RichTable:
        """One band: every model that has a number in it, or all where nobody has."""
        from rich.table import Table as RichTable
        from rich.text import Text

        drawn = RichTable(box=None, pad_edge=False, header_style="bold", padding=(0, _GAP, 0, 0))
        drawn.add_column("model", overflow="fold", width=names)
        for index in band:
            drawn.add_column(
                Text("\n".join(_heading(self.table.columns[index], room - _GAP))), justify="right"
            )
        measured = [row for row in self.table.rows if any(row.cells[index] for index in band)]
        for row in measured or self.table.rows:
            cells = [_cell(self.table.columns[index], row.cells[index]) for index in band]
            drawn.add_row(Text(row.name), *cells)
        return drawn


def _bands(table: Table, room: int) -> Iterator[list[int]]:
    """Columns by number, as many in a band as fit; the columns of a task stay together where they can."""
    widths = [_GAP + _width(table, index, room - _GAP) for index in range(len(table.columns))]
    band: list[int] = []
    for task in _runs(table.columns):
        needed = sum(widths[index] for index in task)
        if band and sum(widths[index] for index in band) + needed > room:
            yield band
            band = []
        for index in task:  # a task wider than the terminal is cut into bands itself
            if band and sum(widths[i] for i in (*band, index)) > room:
                yield band
                band = []
            band.append(index)
    if band:
        yield band


def _runs(columns: Sequence[Column]) -> Iterator[list[int]]:
    """Neighbouring columns of one task."""
    run: list[int] = []
    for index, column in enumerate(columns):
        if run and columns[run[-1]].title != column.title:
            yield run
            run = []
        run.append(index)
    if run:
        yield run


def _heading(column: Column, room: int) -> list[str]:
    """Task, variant, and metric, each folded for itself; cut within a word only where it is too long."""
    width = max(1, min(_HEADING, room))
    variant = f"({column.variant})" if column.variant else ""
    return [
        line
        for text in (column.task, variant, column.label)
        for line in textwrap.wrap(text, width, break_on_hyphens=False)
    ]


def _width(table: Table, index: int, room: int) -> int:
    column = table.columns[index]
    cells = [cell for row in table.rows if (cell := row.cells[index]) is not None]
    texts = [
        *_heading(column, room),
        *(number(column, cell.value) + cell.marks for cell in cells),
        *(interval(column, cell) for cell in cells),
    ]
    return max(map(len, texts))


def _cell(column: Column, cell: Cell | None) -> Text:
    from rich.text import Text

    if cell is None:
        return Text(NOTHING, style="dim")
    style = "bold green" if cell.best else "underline" if cell.second else ""
    text = Text(number(column, cell.value), style=style)
    text.append(cell.marks, style="not bold not underline yellow")
    text.append(f"\n{interval(column, cell)}", style="not bold not underline dim white")
    return text
