"""Curves as a plot: a panel per number, a line per series with its interval, the best step marked."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalsuite.durable import writing
from evalsuite.errors import SpecError
from evalsuite.plain import plain_line
from evalsuite.tracking.gathering import Curve, Training

if TYPE_CHECKING:
    from matplotlib.figure import Figure

KINDS = (".png", ".svg", ".pdf")
_COLOURS = ("#2d5f9a", "#c4661f", "#3a7d44", "#8a4f9e", "#a8342f", "#4d7f86")
_COLUMNS = 3
_MOST = 60
"""Panels of one plot; more would be unreadable and slow."""


def draw(training: Training, out: Path) -> None:
    """Writes the plot. Raises SpecError for another suffix and for too many panels, StoreError."""
    if out.suffix.lower() not in KINDS:
        raise SpecError(f"{out} is none of {', '.join(KINDS)}.", "Choose another --out.")
    figure = figure_of(training)
    # Neither date nor version of the library: the same runs give the same file.
    metadata: dict[str, Any] = {
        ".png": {"Software": None}, ".svg": {"Date": None, "Creator": None}, ".pdf": {"CreationDate": None}
    }[out.suffix.lower()]  # fmt: skip
    from matplotlib import rc_context

    with rc_context({"svg.hashsalt": "evalsuite", "svg.fonttype": "none"}), writing(out) as temporary:
        figure.savefig(temporary, dpi=130, metadata=metadata)


def figure_of(training: Training) -> Figure:
    """The plot as a figure of matplotlib, without its global state."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import EngFormatter, MaxNLocator

    names = training.names
    if len(names) > _MOST:
        raise SpecError(f"A plot of {len(names)} panels cannot be read.", "Name tasks with --task.")
    columns = min(_COLUMNS, len(names))
    lines = math.ceil(len(names) / columns)
    figure = Figure(figsize=(4.1 * columns + 0.3, 2.9 * lines + 0.5), layout="constrained")
    FigureCanvasAgg(figure)
    series = list(dict.fromkeys(curve.series for curve in training.curves))
    colours = {name: _COLOURS[i % len(_COLOURS)] for i, name in enumerate(series)}
    handles: dict[str, Any] = {}
    for i, name in enumerate(names):
        axes = figure.add_subplot(lines, columns, i + 1)
        curves = [curve for curve in training.curves if curve.name == name]
        for curve in curves:
            handles[curve.series] = _line(axes, curve, colours[curve.series])
        metric = curves[0].metric
        arrow = "↑" if metric.higher_is_better else "↓"
        axes.set_title(_literal(f"{name} {arrow}"), fontsize=9)
        axes.xaxis.set_major_formatter(EngFormatter(sep=""))
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        axes.tick_params(labelsize=8)
        axes.grid(linewidth=0.4, alpha=0.5)
        axes.spines[["top", "right"]].set_visible(False)
        if i // columns == lines - 1:
            axes.set_xlabel("step", fontsize=8)
    if len(handles) > 1:
        figure.legend(
            list(handles.values()), [_literal(name or "training") for name in handles], fontsize=8,
            frameon=False, loc="outside upper left", ncols=min(len(handles), 4),
        )  # fmt: skip
    return figure


def _line(axes: Any, curve: Curve, colour: str) -> Any:
    scale = curve.metric.scale
    steps = list(curve.steps)
    values = [point.value * scale for point in curve.points]
    low, high = (
        [scale * (getattr(point, end) if math.isfinite(getattr(point, end)) else point.value)
         for point in curve.points]
        for end in ("low", "high")
    )  # fmt: skip
    axes.fill_between(steps, low, high, color=colour, alpha=0.16, linewidth=0)
    (line,) = axes.plot(steps, values, "o-", color=colour, markersize=3, linewidth=1.4)
    if curve.best is not None:
        at = steps.index(curve.best.step)
        axes.plot([steps[at]], [values[at]], "o", markersize=8, fillstyle="none", color=colour)
    return line


def _literal(text: str) -> str:
    """Text that matplotlib would otherwise read as mathematics."""
    return plain_line(text).replace("$", r"\$")
