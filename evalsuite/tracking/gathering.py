"""Runs into curves: a curve per task, metric and series, a point per step."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from evalsuite.comparison.sides import Measurement
from evalsuite.errors import SpecError, StoreError, suggest
from evalsuite.model.steps import Place, joined, place_of
from evalsuite.store import RunReader, TaskResult
from evalsuite.store.forms import form_of
from evalsuite.task import Metric

if TYPE_CHECKING:
    from evalsuite.notebook.plots import Plot
    from evalsuite.tracking.best import Best
    from evalsuite.tracking.changes import Change


@dataclass(frozen=True)
class Point:
    """One step of a curve.

    Args:
        step: of the training.
        value, low, high: in natural units; ends are NaN where there is no interval. Of several runs the mean,
            with an interval for samples and seeds together.
        n: samples with a score, in each run.
        measured: the runs, one per seed.
    """

    step: int
    value: float
    low: float
    high: float
    n: int
    measured: tuple[Measurement, ...] = field(repr=False)

    @property
    def seeds(self) -> int:
        """How many runs it is the mean of."""
        return len(self.measured)


@dataclass(frozen=True)
class Curve:
    """A number over the steps of one series.

    Args:
        task: with what distinguishes it from other curves of the task (protocol, rules …).
        series: the training.
        points: by step.
        best: None where there is one point only.
        change: the last step against the one before; None likewise.
        missing: steps that the series has and this curve lacks.
    """

    task: str
    series: str
    metric: Metric
    group: str
    points: tuple[Point, ...]
    best: Best | None = None
    change: Change | None = None
    missing: tuple[int, ...] = ()
    level: float = 0.95

    @property
    def name(self) -> str:
        """Task, metric and group on one line."""
        return " ".join(filter(None, (self.task, self.metric.name, self.group)))

    @property
    def steps(self) -> tuple[int, ...]:
        """In ascending order."""
        return tuple(point.step for point in self.points)

    def shown(self, value: float, *, signed: bool = False) -> str:
        """A value as leaderboards print it; "–" for NaN."""
        if math.isnan(value):
            return "–"
        text = f"{value * self.metric.scale:{'+' if signed else ''}.{self.metric.digits}f}"
        return text.lstrip("+-") if signed and not float(text) else text


@dataclass(frozen=True)
class Training:
    """All curves of some runs, in the order of tasks, then of series.

    Args:
        notes: what a reader must know: runs without a step, steps that are missing.
    """

    curves: tuple[Curve, ...]
    notes: tuple[str, ...] = ()

    def figure(self) -> Plot:
        """The curves as `evalsuite track` plots them; a notebook shows it, `save` writes it."""
        from evalsuite.notebook.plots import Plot
        from evalsuite.tracking.drawing import figure_of

        return Plot(figure_of(self))

    @property
    def names(self) -> list[str]:
        """The numbers, each a panel of the plot."""
        return list(dict.fromkeys(curve.name for curve in self.curves))


def place_of_run(run: RunReader) -> Place:
    """Where in a training a run's checkpoint stands: as recorded, else by the model's folder, else by the
    name of the run's own folder (`runs/step-1000`)."""
    by_model = run.place
    if by_model is not None and by_model.step is not None:
        return by_model
    by_folder = place_of(run.path.absolute())
    named = joined(by_model, by_folder) or Place()
    if by_folder.step is not None and not (by_model and by_model.series):
        return Place(named.step, run.model_name, named.seed, named.source)
    return named


@dataclass(frozen=True)
class _Found:
    """One task in one run, with its place."""

    place: Place
    measured: Measurement


_Kind = tuple[str, ...]
_PARTS = ("task", "protocol", "rules", "judge", "version", "split", "data", "form", "limit")


def _kind(one: Measurement) -> _Kind:
    """What must be alike for two numbers to stand on one curve."""
    result = one.result
    info = result.info
    return (
        info.name, info.protocol, info.rules, info.judge, info.version, info.split,
        result.data_fingerprint, result.form or form_of(one.run.manifest.model, info.capability),
        "" if result.limit is None else str(result.limit),
    )  # fmt: skip


def gather(
    readers: Sequence[RunReader],
    *,
    tasks: Sequence[str] = (),
    all_metrics: bool = False,
    groups: bool = False,
) -> tuple[list[Curve], list[str]]:
    """The curves, without best and change, and notes.

    Raises:
        SpecError: no run knows its step; two runs measured the same step with the same seed; no run has a
            task of `tasks`.
        StoreError: no run with a step is scored.
    """
    placed = [(reader, place_of_run(reader)) for reader in readers]
    bare = [reader for reader, place in placed if place.step is None]
    if len(bare) == len(placed):
        raise SpecError(
            f"No run knows its step of training ({_some([str(r.path) for r in bare])}).",
            "Measure with --step N, or name the checkpoints' folders like checkpoint-1000.",
        )
    notes = [f"without a step, left out: {_some([str(r.path) for r in bare])}"] if bare else []
    found = [_Found(place, one) for reader, place in placed if place.step is not None for one in _own(reader)]
    if not found:
        raise StoreError("No run with a step is scored.", "Finish them, or `evalsuite score RUN`.")
    known = list(dict.fromkeys(one.measured.result.info.name for one in found))
    for name in tasks:
        if name not in known:
            raise SpecError(f"No run has a task {name!r}.", suggest(name, known))
    kinds: dict[_Kind, list[_Found]] = {}
    for one in found:
        if not tasks or one.measured.result.info.name in tasks:
            kinds.setdefault(_kind(one.measured), []).append(one)
    steps: dict[str, set[int]] = {}
    for one in found:
        if one.place.step is not None:
            steps.setdefault(one.place.series, set()).add(one.place.step)
    titles = _titles(list(kinds))
    order = list(tasks) or known
    curves: list[Curve] = []
    for kind in sorted(kinds, key=lambda kind: order.index(kind[0])):
        series: dict[str, list[_Found]] = {}
        for one in kinds[kind]:
            series.setdefault(one.place.series, []).append(one)
        made = [
            _curves(titles[kind], name, members, steps[name], all_metrics, groups)
            for name, members in series.items()
        ]
        names = list(dict.fromkeys((c.metric.name, c.group) for each in made for c in each))
        curves += [c for n in names for each in made for c in each if (c.metric.name, c.group) == n]
    notes += _missing(curves)
    return curves, notes


def _own(reader: RunReader) -> list[Measurement]:
    """The tasks of a run by the rules of its own specification."""
    results = reader.metrics()
    found = []
    for record in reader.manifest.tasks:
        usable = [
            r for r in results if (r.task, r.rules) == (record.key, record.info.rules) and r.estimates and r.n
        ]
        if usable:
            found.append(Measurement(reader, usable[0], {r.judge: r for r in usable}))
    return found


def _curves(
    task: str, series: str, found: Sequence[_Found], steps: set[int], all_metrics: bool, groups: bool
) -> list[Curve]:
    by_step: dict[int, list[_Found]] = {}
    for one in found:
        assert one.place.step is not None
        by_step.setdefault(one.place.step, []).append(one)
    for step, members in by_step.items():
        seeds: dict[tuple[int | None, int], Path] = {}
        for one in members:
            seed = (one.place.seed, one.measured.result.seed)
            if seed in seeds:
                raise SpecError(
                    f"{task}: step {step} of {series or 'the training'} was measured twice with the same "
                    f"seed: {seeds[seed]} and {one.measured.run.path}.",
                    "Leave one of them out, or measure with --series or --train-seed to tell them apart.",
                )
            seeds[seed] = one.measured.run.path
    ordered = sorted(by_step)
    last = by_step[ordered[-1]][0].measured.result
    wanted = _wanted(last, all_metrics, groups)
    curves = []
    for metric, group in wanted:
        points = [
            point
            for step in ordered
            if (point := _point(step, [one.measured for one in by_step[step]], metric, group)) is not None
        ]
        if not points:
            continue
        have = {point.step for point in points}
        missing = tuple(sorted(steps - have))
        curves.append(Curve(task, series, metric, group, tuple(points), missing=missing))
    return curves


def _wanted(result: TaskResult, all_metrics: bool, groups: bool) -> list[tuple[Metric, str]]:
    known = [(e.metric, e.group) for e in result.estimates]
    headline = result.info.headline.name
    if not any(metric.name == headline and not group for metric, group in known):
        headline = next((metric.name for metric, group in known if not group), "")
    return [
        (metric, group)
        for metric, group in known
        if (all_metrics or metric.name == headline) and (groups or not group)
    ]


def _point(step: int, measured: Sequence[Measurement], metric: Metric, group: str) -> Point | None:
    from scipy.special import ndtri

    from evalsuite.stats import repeated_value

    found = [
        (one, e)
        for one in measured
        for e in one.result.estimates
        if e.metric.name == metric.name and e.group == group and not math.isnan(e.value)
    ]
    if not found:
        return None
    runs = tuple(one for one, _ in found)
    first = found[0][1]
    if len(found) == 1:
        return Point(step, first.value, first.low, first.high, first.n, runs)
    width = 2 * float(ndtri((1 + first.level) / 2))
    errors = [(e.high - e.low) / width for _, e in found]
    joint = repeated_value([e.value for _, e in found], errors, level=first.level)
    return Point(step, joint.value, joint.low, joint.high, first.n, runs)


def _titles(kinds: Sequence[_Kind]) -> dict[_Kind, str]:
    """The task's name, and of what differs among curves of that task each one's own."""
    found = {}
    for kind in kinds:
        peers = [other for other in kinds if other[0] == kind[0]]
        parts = [
            f"{name} {value[:8] if name == 'data' else value or 'none'}"
            for i, (name, value) in enumerate(zip(_PARTS, kind, strict=True))
            if i and len({peer[i] for peer in peers}) > 1
        ]
        found[kind] = f"{kind[0]} ({', '.join(parts)})" if parts else kind[0]
    return found


def _missing(curves: Sequence[Curve]) -> list[str]:
    """Steps that a series has on some tasks only, each task once."""
    found = {
        f"{curve.task}: {curve.series or 'the training'} lacks "
        f"{'step' if len(curve.missing) == 1 else 'steps'} {_some([str(s) for s in curve.missing])}"
        for curve in curves
        if curve.missing
    }
    return sorted(found)


def _some(names: Sequence[str], most: int = 5) -> str:
    shown = ", ".join(names[:most])
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown
