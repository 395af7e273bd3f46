"""Two metrics of one task against each other, a point per run, runs that differ in one option as a curve.

InstructPix2Pix' figure is of this kind: directional similarity over image similarity, the image guidance
scale going along the curve.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evalsuite.durable import writing
from evalsuite.errors import SpecError, StoreError, suggest
from evalsuite.store import RunReader, TaskResult
from evalsuite.task import Metric

_COLOURS = ("#2d5f9a", "#c4661f", "#3a7d44", "#8a4f9e", "#a8342f", "#4d7f86")


@dataclass(frozen=True, slots=True)
class Axis:
    """A number with its interval, both in the metric's display units; NaN where there is no interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Point:
    """A run: which curve it belongs to, its value of the option that varies (empty: none does), and where it
    stands."""

    curve: str
    option: str
    x: Axis
    y: Axis


@dataclass(frozen=True)
class Tradeoff:
    """All points of a plot, curve after curve, along each by the option's value."""

    task: str
    protocol: str
    x: Metric
    y: Metric
    option: str
    points: tuple[Point, ...]


def gather(
    runs: Sequence[Path], x: str, y: str, *, task: str | None = None, option: str | None = None
) -> Tradeoff:
    """The points of some runs.

    Args:
        x, y: names of metrics of the task.
        task: key of the task in the runs; the first that all have, with both metrics, when None.
        option: option of the model that goes along a curve; None: the one in which runs of one model differ.

    Raises:
        SpecError: no such task or metric, runs that measured it differently, or several options that differ.
        StoreError: a run cannot be read or is not scored.
    """
    with ExitStack() as stack:
        readers = [stack.enter_context(RunReader(path)) for path in runs]
        key = task or _first(readers, x, y)
        results = [_result(reader, key) for reader in readers]
        _require_alike(readers, results)
        options = [dict(reader.spec.model.options) for reader in readers]
        models = [reader.spec.model.name for reader in readers]
        names = [reader.model_name for reader in readers]
    varies = [
        option
        if option is not None
        else _varying(model, [o for m, o in zip(models, options, strict=True) if m == model])
        for model in models
    ]
    axes = [(_axis(result, x), _axis(result, y)) for result in results]
    points = [
        Point(_curve(model, name, chosen, along), chosen.get(along, "") if along else "", *pair)
        for model, name, chosen, along, pair in zip(models, names, options, varies, axes, strict=True)
    ]
    order = {curve: i for i, curve in enumerate(dict.fromkeys(point.curve for point in points))}
    points.sort(key=lambda point: (order[point.curve], _along(point.option)))
    info = results[0].info
    told = ", ".join(dict.fromkeys(filter(None, varies)))
    return Tradeoff(key, info.protocol, _metric(results[0], x), _metric(results[0], y), told, tuple(points))


def draw(tradeoff: Tradeoff, out: Path) -> None:
    """Writes the plot (.png, .svg or .pdf). Raises SpecError for another suffix, StoreError."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    if out.suffix.lower() not in (".png", ".svg", ".pdf"):
        raise SpecError(f"{out} is neither .png nor .svg nor .pdf.", "Choose another --out.")
    figure = Figure(figsize=(6.4, 4.4), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    curves = list(dict.fromkeys(point.curve for point in tradeoff.points))
    for number, curve in enumerate(curves):
        colour = _COLOURS[number % len(_COLOURS)]
        points = [point for point in tradeoff.points if point.curve == curve]
        axes.errorbar(
            [point.x.value for point in points],
            [point.y.value for point in points],
            xerr=_ends([point.x for point in points]),
            yerr=_ends([point.y for point in points]),
            fmt="o-",
            markersize=4,
            linewidth=1.4,
            elinewidth=0.7,
            color=colour,
            ecolor=f"{colour}88",
            label=curve,
        )
        for point in points:
            if point.option:
                axes.annotate(
                    point.option, (point.x.value, point.y.value), xytext=(5, 5), textcoords="offset points",
                    fontsize=8, color=colour,
                )  # fmt: skip
    for metric, place in ((tradeoff.x, axes.set_xlabel), (tradeoff.y, axes.set_ylabel)):
        scale = (
            f" ×{metric.scale:g}" if metric.scale not in (1, 100) else " (%)" if metric.scale == 100 else ""
        )
        place(f"{metric.name}{scale} ({'higher' if metric.higher_is_better else 'lower'} is better)")
    title = f"{tradeoff.task}, {tradeoff.protocol}"
    axes.set_title(f"{title}; numbers: {tradeoff.option}" if tradeoff.option else title, fontsize=10)
    axes.grid(linewidth=0.4, alpha=0.5)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(fontsize=8, frameon=False)
    # Neither date nor version of the library: the same runs give the same file.
    metadata: dict[str, Any] = {"Software": None} if out.suffix.lower() == ".png" else {}
    with writing(out) as temporary:
        figure.savefig(temporary, dpi=130, metadata=metadata)


def _result(reader: RunReader, key: str) -> TaskResult:
    if key not in reader.task_keys:
        raise SpecError(
            f"{reader.path} has no task {key!r}.", f"It has: {', '.join(reader.task_keys) or 'none'}."
        )
    wanted = reader.manifest.task(key).info.rules
    for result in reader.metrics():
        if result.task == key and result.info.rules == wanted:
            return result
    raise StoreError(
        f"{reader.path} is not scored on {key}.", f"Finish it, or `evalsuite score {reader.path}`."
    )


def _first(readers: Sequence[RunReader], x: str, y: str) -> str:
    """The first task that all runs have, with both metrics; else the first of all, for its errors."""
    for task in readers[0].manifest.tasks:
        metrics = {metric.name for metric in task.info.metrics}
        if {x, y} <= metrics and all(task.key in reader.task_keys for reader in readers):
            return task.key
    return readers[0].task_keys[0]


def _require_alike(readers: Sequence[RunReader], results: Sequence[TaskResult]) -> None:
    """Numbers that were measured differently do not share an axis."""

    def how(result: TaskResult) -> tuple[object, ...]:
        info = result.info
        return info.version, info.protocol, info.rules, info.split, result.data_fingerprint, result.limit

    for reader, result in zip(readers, results, strict=True):
        if how(result) != how(results[0]):
            raise SpecError(
                f"{reader.path} measured {result.task} differently from {readers[0].path}: another version, "
                "protocol, rules, split, data or limit.",
                "Plot runs that were measured in the same way.",
            )


def _varying(model: str, options: Sequence[dict[str, str]]) -> str:
    """The one option in which runs of a model differ; empty where none does."""
    keys = {key for chosen in options for key in chosen if key != "name"}
    found = sorted(key for key in keys if len({chosen.get(key) for chosen in options}) > 1)
    if len(found) > 1:
        raise SpecError(
            f"The runs of {model} differ in several options: {', '.join(found)}.", "Name one with --along."
        )
    return next(iter(found), "")


def _curve(model: str, name: str, options: dict[str, str], varies: str) -> str:
    if not varies:
        return name
    rest = ", ".join(
        f"{key}={value}" for key, value in sorted(options.items()) if key not in (varies, "name")
    )
    return f"{model} ({rest})" if rest else model


def _along(option: str) -> tuple[float, str]:
    try:
        return float(option), option
    except ValueError:
        return math.inf, option


def _metric(result: TaskResult, name: str) -> Metric:
    known = {metric.name: metric for metric in result.info.metrics}
    if name not in known:
        raise SpecError(f"{result.task} has no metric {name!r}.", suggest(name, known))
    return known[name]


def _axis(result: TaskResult, name: str) -> Axis:
    metric = _metric(result, name)
    for one in result.estimates:
        if one.metric.name == name and not one.group:
            return Axis(*(metric.scale * number for number in (one.value, one.low, one.high)))
    reason = result.missing.get(name, "it has no samples")
    raise SpecError(f"{result.task} has no value of {name}: {reason}", "Choose another metric.")


def _ends(axes: Sequence[Axis]) -> list[list[float]]:
    """Distances to the lower and the upper ends, 0 where there is none."""

    def distance(first: float, second: float) -> float:
        return 0.0 if math.isnan(first - second) else max(first - second, 0.0)

    return [
        [distance(axis.value, axis.low) for axis in axes],
        [distance(axis.high, axis.value) for axis in axes],
    ]
