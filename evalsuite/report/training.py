"""The page of a training: curves over checkpoints, each as a chart and in words."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

from evalsuite.errors import SpecError, StoreError
from evalsuite.report.charts import Scale
from evalsuite.report.privacy import without_folders
from evalsuite.store import RunReader
from evalsuite.tracking import Curve
from evalsuite.tracking.rendering import best_line, change_line, interval
from evalsuite.tracking.summary import track_open

WIDTH, HEIGHT = 560.0, 200.0
"""Of a chart's plane, in SVG units; names of ticks stand outside."""
_TICKS = 4


@dataclass(frozen=True, slots=True)
class Dot:
    """A point: where it stands, and what it says."""

    x: float
    y: float
    title: str
    best: bool


@dataclass(frozen=True, slots=True)
class Line:
    """A series: its line and band as `points` of SVG, its points, and sentences on best step and change."""

    name: str
    colour: int
    points: str
    band: str
    dots: tuple[Dot, ...]
    sentences: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Chart:
    """A number over steps. Ticks are places in the plane with their text."""

    title: str
    lines: tuple[Line, ...]
    x_ticks: tuple[tuple[float, str], ...]
    y_ticks: tuple[tuple[float, str], ...]


@dataclass(frozen=True, slots=True)
class TrainingPage:
    """All charts, and what a reader must know; `problem` says why there are none."""

    charts: tuple[Chart, ...] = ()
    notes: tuple[str, ...] = ()
    problem: str = ""
    level: float = 0.95


def training_of(readers: Sequence[RunReader], tasks: Sequence[str] = ()) -> TrainingPage | None:
    """The page; None where the runs are not of several steps."""
    try:
        found = track_open(readers, tasks=tasks)
    except StoreError:
        return None
    except SpecError as error:
        known = "measured twice" in error.what
        return TrainingPage(problem=without_folders(str(error))) if known else None
    if not any(len(curve.points) > 1 for curve in found.curves):
        return None
    series = list(dict.fromkeys(curve.series for curve in found.curves))
    colours = {name: i for i, name in enumerate(series)}
    charts = tuple(
        _chart(name, [curve for curve in found.curves if curve.name == name], colours) for name in found.names
    )
    return TrainingPage(charts, tuple(map(without_folders, found.notes)), level=found.curves[0].level)


def _chart(name: str, curves: Sequence[Curve], colours: dict[str, int]) -> Chart:
    points = [point for curve in curves for point in curve.points]
    across = Scale.around([float(point.step) for point in points], margin=0.02)
    up = Scale.around([end for p in points for end in (p.value, p.low, p.high)], margin=0.06)

    def x(step: int) -> float:
        return round(across.place(float(step)) * WIDTH / 100, 1)

    def y(value: float) -> float:
        return round(HEIGHT - up.place(value) * HEIGHT / 100, 1)

    lines = []
    for curve in curves:
        low, high = (
            [(x(p.step), y(e if math.isfinite(e := getattr(p, end)) else p.value)) for p in curve.points]
            for end in ("low", "high")
        )
        dots = tuple(
            Dot(
                x(p.step),
                y(p.value),
                f"step {p.step}: {curve.shown(p.value)}{interval(curve, p.low, p.high)}, n = {p.n:,}",
                curve.best is not None and curve.best.step == p.step,
            )
            for p in curve.points
        )
        told = (
            best_line(curve, curve.best) if curve.best else "",
            change_line(curve, curve.change) if curve.change else "",
        )
        lines.append(
            Line(
                curve.series or "training", colours[curve.series], _joined([(d.x, d.y) for d in dots]),
                _joined([*high, *reversed(low)]), dots, tuple(filter(None, told)),
            )
        )  # fmt: skip
    first = curves[0]
    values = _round_values(up.low * first.metric.scale, up.high * first.metric.scale)
    steps = [int(one) for one in _round_values(across.low, across.high) if one == int(one)]
    shown = [(y(v / first.metric.scale), f"{v:g}") for v in values]
    arrow = "↑" if first.metric.higher_is_better else "↓"
    return Chart(
        f"{name} {arrow}", tuple(lines), tuple((x(step), f"{step:,}") for step in steps), tuple(shown)
    )


def _joined(places: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x},{y}" for x, y in places)


def _round_values(low: float, high: float) -> list[float]:
    """Round numbers between two ends, about `_TICKS` of them.

    >>> _round_values(0.0, 1.0)
    [0.0, 0.25, 0.5, 0.75, 1.0]
    """
    width = (high - low) / _TICKS
    if not math.isfinite(width) or width <= 0:
        return [low]
    power = 10.0 ** math.floor(math.log10(width))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= width * 0.999)
    first = math.ceil(low / step - 1e-9)
    places = itertools.takewhile(lambda i: i * step <= high + 1e-9 * step, itertools.count(first))
    return [round(i * step, 12) for i in places]
