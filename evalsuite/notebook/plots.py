"""Plots that notebooks show and `save` writes, without matplotlib's global state."""

from __future__ import annotations

import io
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalsuite.durable import writing
from evalsuite.errors import SpecError
from evalsuite.plain import plain_line

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from evalsuite.comparison.comparing import Comparison
    from evalsuite.leaderboards import Table

KINDS = (".png", ".svg", ".pdf")
_COLOUR, _FAINT = "#2d5f9a", "#888888"
_VERDICTS = {"better": "#0072b2", "worse": "#d55e00"}
_MOST = 30
"""Panels of one plot; more cannot be read."""


class Plot:
    """A figure of matplotlib that shows itself in a notebook.

    Args:
        figure: to add to.
    """

    def __init__(self, figure: Figure) -> None:
        self.figure = figure

    def save(self, out: Path | str) -> None:
        """Writes it as .png, .svg or .pdf. Raises SpecError for another suffix, StoreError."""
        path = Path(out)
        if path.suffix.lower() not in KINDS:
            raise SpecError(f"{path} is none of {', '.join(KINDS)}.", "Choose another name.")
        with writing(path) as temporary:
            self.figure.savefig(temporary, dpi=130, format=path.suffix[1:].lower())

    def _repr_png_(self) -> bytes:
        stream = io.BytesIO()
        self.figure.savefig(stream, format="png", dpi=90, metadata={"Software": None})
        return stream.getvalue()


def _panels(count: int, height: float, columns: int) -> tuple[Figure, list[Any]]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    if count > _MOST:
        raise SpecError(f"A plot of {count} panels cannot be read.", "Name tasks.")
    across = max(1, min(columns, count))
    lines = math.ceil(count / across)
    figure = Figure(figsize=(4.3 * across, height * lines), layout="constrained")
    FigureCanvasAgg(figure)
    axes = [figure.add_subplot(lines, across, i + 1) for i in range(count)]
    for one in axes:
        one.tick_params(labelsize=8)
        one.grid(axis="x", linewidth=0.4, alpha=0.5)
        one.spines[["top", "right"]].set_visible(False)
    return figure, axes


def leaderboard_plot(table: Table) -> Plot:
    """A panel per number: a point per model with its interval, the best model at the top."""
    figure, panels = _panels(len(table.columns), 0.55 + 0.28 * len(table.rows), 3)
    for i, (axes, column) in enumerate(zip(panels, table.columns, strict=True)):
        shown = [(row.name, row.cells[i]) for row in table.rows]
        for y, (_, cell) in enumerate(shown):
            if cell is not None and not math.isnan(cell.value):
                _point(axes, y, cell.value, cell.low, cell.high, column.scale, _COLOUR)
        axes.set_yticks(range(len(shown)), [_literal(name) for name, _ in shown], fontsize=8)
        axes.set_ylim(len(shown) - 0.5, -0.5)
        axes.set_title(_literal(f"{column.title} {column.label}"), fontsize=9)
    return Plot(figure)


def comparison_plot(comparison: Comparison) -> Plot:
    """The differences of the headlines with their intervals, in units of display, zero marked."""
    rows = [row for row in comparison.rows if row.headline]
    figure, (axes,) = _panels(1, 0.7 + 0.28 * len(rows), 1)
    for y, row in enumerate(rows):
        found = row.difference
        colour = _VERDICTS.get(row.verdict, _FAINT)
        _point(axes, y, found.value, found.low, found.high, row.metric.scale, colour)
    axes.axvline(0, color="#444444", linewidth=0.8)
    names = [f"{row.task} {row.metric.name} {'↑' if row.metric.higher_is_better else '↓'}" for row in rows]
    axes.set_yticks(range(len(rows)), [_literal(name) for name in names], fontsize=8)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_title(_literal(f"{comparison.candidate} minus {comparison.base}"), fontsize=9)
    return Plot(figure)


def _point(axes: Any, y: int, value: float, low: float, high: float, scale: float, colour: str) -> None:
    if math.isfinite(low) and math.isfinite(high):
        axes.plot([low * scale, high * scale], [y, y], color=colour, linewidth=2, alpha=0.6)
    axes.plot([value * scale], [y], "o", color=colour, markersize=5)


def _literal(text: str) -> str:
    """Text that matplotlib would otherwise read as mathematics."""
    return plain_line(text).replace("$", r"\$")
