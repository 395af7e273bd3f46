"""Tables for a terminal of any width: nothing is cut off, and no word is broken to fit a column."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

_GAP = 2
"""Blanks between two columns."""
_PROSE = 24
"""A column of longer texts is given at least this width before further columns are put beside it."""
_NARROW, _WIDE = 2.5, 6.0
"""Lines that a text may fill in a column below that width, and in a wider one."""


class Grid:
    """A plain table that arranges itself for the width it is printed at.

    Columns without any text are left out. What does not fit beside each other stands below, in bands that
    repeat the first `keys` columns. A column that even so would break a word (a path, an address) or be
    narrow for a long text becomes a list: each text below the name of its row.

    Args:
        columns: headings; a table whose headings are all empty has no line for them.
        keys: number of columns that name a row.
        right: headings of the columns that are aligned on the right.
        whole: headings of the columns whose texts are never folded.
    """

    def __init__(
        self, *columns: str, keys: int = 1, right: Sequence[str] = (), whole: Sequence[str] = ()
    ) -> None:
        self.columns = columns
        self.keys = keys
        self.right = frozenset(right)
        self.whole = frozenset(whole)
        self._rows: list[list[Text]] = []

    def add_row(self, *cells: str | Text) -> None:
        """Adds a row; cells that are left out at the end are empty. A text is only text, never markup."""
        from rich.text import Text

        row = [Text(cell) if isinstance(cell, str) else cell for cell in cells]
        self._rows.append(row + [Text()] * (len(self.columns) - len(row)))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        from rich.text import Text

        for place, band in enumerate(self._bands(options.max_width)):
            if place:
                yield Text()
            if (widths := self._fitted(band, options.max_width)) is not None:
                yield self._table(widths)
            else:
                yield from self._records(band[-1])

    def _natural(self, column: int) -> int:
        """Width of a column in which nothing is folded."""
        from rich.cells import cell_len

        lines = (line for text in self._texts(column) for line in text.split("\n"))
        return max(map(cell_len, lines), default=0)

    def _least(self, column: int) -> int:
        """Width of a column in which no word is broken."""
        from rich.cells import cell_len

        if self.columns[column] in self.whole:
            return self._natural(column)
        return max((cell_len(word) for text in self._texts(column) for word in text.split()), default=0)

    def _texts(self, column: int) -> list[str]:
        return [self.columns[column], *(row[column].plain for row in self._rows)]

    def _bands(self, room: int) -> list[list[int]]:
        """Columns that stand beside each other, the naming ones in every band."""
        shown = [c for c in range(len(self.columns)) if c < self.keys or self._any(c)]
        keys, others = shown[: self.keys], shown[self.keys :]
        bands = [[*keys, *others[:1]]]
        for column in others[1:]:
            if self._fitted([*bands[-1], column], room) is not None:
                bands[-1].append(column)
            else:
                bands.append([*keys, column])
        return bands

    def _any(self, column: int) -> bool:
        return not self._rows or any(row[column].plain for row in self._rows)

    def _fitted(self, columns: Sequence[int], room: int) -> dict[int, int] | None:
        """Widths of these columns beside each other; None where a word or a long text would suffer."""
        least = {column: self._least(column) for column in columns}
        free = room - _GAP * (len(columns) - 1) - sum(least.values())
        if free < 0:
            return None
        widths = dict(least)
        while free > 0 and (narrow := [c for c in columns if widths[c] < self._natural(c)]):
            share = max(1, free // len(narrow))
            for column in narrow:
                more = min(share, self._natural(column) - widths[column], free)
                widths[column] += more
                free -= more
        for column, width in widths.items():
            lines = max(map(len, self._texts(column))) / max(1, width)
            if lines > (_NARROW if width < _PROSE else _WIDE):
                return None
        return widths

    def _table(self, widths: dict[int, int]) -> Table:
        from rich.table import Table
        from rich.text import Text

        table = Table(
            box=None,
            pad_edge=False,
            header_style="bold",
            padding=(0, _GAP, 0, 0),
            show_header=any(self.columns),
        )
        for column, width in widths.items():
            name = self.columns[column]
            table.add_column(
                Text(name), overflow="fold", width=width, justify="right" if name in self.right else "left"
            )
        for row in self._rows:
            table.add_row(*(row[column] for column in widths))
        return table

    def _records(self, column: int) -> Iterator[Text | Padding]:
        """One column that fits beside nothing: its texts below the names of their rows."""
        from rich.padding import Padding
        from rich.text import Text

        yield Text("  ".join((*self.columns[: self.keys], self.columns[column])), style="bold")
        for row in self._rows:
            if row[column].plain:
                yield Text("  ").join(cell for cell in row[: self.keys] if cell.plain)
                yield Padding(row[column], (0, 0, 0, _GAP))
