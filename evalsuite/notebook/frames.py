"""Frames that notebooks show as leaderboards: models by tasks, numbers with intervals, text left-aligned."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas

from evalsuite.leaderboards import Column, table
from evalsuite.leaderboards.numbers import NOTHING, interval, legend, number
from evalsuite.notebook.html import page, text
from evalsuite.notebook.plots import Plot, leaderboard_plot

_MOST = 60
"""Rows shown of a frame, half of them from its end."""

_LONGEST = 48
"""Characters of a cell; the rest stands in its tooltip."""


class TidyFrame(pandas.DataFrame):
    """A frame of pandas whose HTML has text on the left and numbers on the right."""

    @property
    def _constructor(self) -> Callable[..., pandas.DataFrame]:
        return TidyFrame

    def _repr_html_(self) -> str:
        return frame_html(self)


class Leaderboard(TidyFrame):
    """The tidy frame of `evalsuite.leaderboard`; a notebook shows its pivot, models by tasks.

    It is a frame of pandas in every other way; what is selected from it is an ordinary one.
    """

    def _repr_html_(self) -> str:
        whole = {"task", "model", "metric", "value", "low", "high", "rules"} <= set(self.columns)
        return leaderboard_html(self) if whole and len(self) else frame_html(self)

    def figure(self) -> Plot:
        """Bars with intervals, a panel per number; a notebook shows it, `save` writes it.

        Raises:
            SpecError: there are more than 30 numbers.
        """
        return leaderboard_plot(table(self, all_metrics=True))


def leaderboard_html(frame: pandas.DataFrame) -> str:
    """Models by tasks: value with marks, interval below; the legend under it."""
    found = table(frame, all_metrics=True)
    head = "".join(
        f"<th>{text(c.title)}<br><span class='faint'>{text(c.label)}</span></th>" for c in found.columns
    )
    rows = []
    for row in found.rows:
        cells = "".join(_cell(column, cell) for column, cell in zip(found.columns, row.cells, strict=True))
        rows.append(f"<tr><th>{text(row.name)}</th>{cells}</tr>")
    notes = "".join(f"<div class='faint'>{text(line)}</div>" for line in legend(found))
    return page(f"<table><tr><th>model</th>{head}</tr>{''.join(rows)}</table>{notes}")


def _cell(column: Column, cell: Any) -> str:
    if cell is None:
        return f"<td>{NOTHING}</td>"
    value = number(column, cell.value)
    value = f"<b>{value}</b>" if cell.best else f"<u>{value}</u>" if cell.second else value
    ends = interval(column, cell)
    below = f"<br><span class='faint'>{ends}</span>" if ends else ""
    return f"<td>{value}{text(cell.marks)}{below}</td>"


def frame_html(frame: pandas.DataFrame) -> str:
    """A frame as a table; long ones are cut in the middle."""
    numeric = [
        pandas.api.types.is_numeric_dtype(kind) and not pandas.api.types.is_bool_dtype(kind)
        for kind in frame.dtypes
    ]
    named = not isinstance(frame.index, pandas.RangeIndex)
    names = [text(" ".join(map(str, n)) if isinstance(n, tuple) else n) for n in frame.columns]
    index = f"<th>{text(frame.index.name or '')}</th>" if named else ""
    head = index + "".join(
        f'<th class="number">{name}</th>' if right else f"<th>{name}</th>"
        for name, right in zip(names, numeric, strict=True)
    )
    cut = len(frame) > _MOST
    parts = [frame.head(_MOST // 2), frame.tail(_MOST // 2)] if cut else [frame]
    rows = []
    for i, part in enumerate(parts):
        if i:
            rows.append(f"<tr><td>… {len(frame) - 2 * (_MOST // 2):,} more rows</td></tr>")
        for label, *values in part.itertuples(name=None):
            cells = f"<th>{text(label)}</th>" if named else ""
            cells += "".join(
                f'<td class="number">{_shown(value)}</td>' if right else f"<td>{_shown(value)}</td>"
                for value, right in zip(values, numeric, strict=True)
            )
            rows.append(f"<tr>{cells}</tr>")
    size = f"<div class='faint'>{len(frame):,} rows × {frame.shape[1]} columns</div>" if cut else ""
    return page(f"<div class='frame'><table><tr>{head}</tr>{''.join(rows)}</table></div>{size}")


def _shown(value: Any) -> str:
    if isinstance(value, float):
        return "–" if value != value else text(f"{value:.6g}")
    if value is None or value is pandas.NA:
        return "–"
    said = str(value)
    if len(said) <= _LONGEST:
        return text(said)
    return f'<span title="{text(said)}">{text(said[:_LONGEST])}…</span>'
