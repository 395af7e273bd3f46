"""What the halves of unified models do for each other: own images generated right, read right, and paired
gains.

Read from stored scores alone, and by columns, not by names of benchmarks: a task whose samples score
`generated`
generated images; `read` is the share of answers that are right about what the shown image really shows; a
task without `generated` on samples of the same ids asks about given images and is the control.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from evalsuite.errors import DataError, SpecError
from evalsuite.stats.paired import paired_difference

if TYPE_CHECKING:
    from evalsuite.store import RunReader
    from evalsuite.store.results import TaskResult

GENERATED = "generated"
_SEED = 0


@dataclass(frozen=True, slots=True)
class Line:
    """One number.

    Args:
        what: in words.
        run: the run it is of, or the two runs.
        value, low, high: in the metric's printed units; the interval is NaN where there is none.
        n: samples.
        p: of a difference, two-sided; NaN of a value.
    """

    what: str
    run: str
    value: float
    low: float
    high: float
    n: int
    p: float = float("nan")


@dataclass(frozen=True, slots=True)
class _Side:
    """A task of a run, with its scores by column and sample."""

    run: str
    task: str
    result: TaskResult
    columns: Mapping[str, Mapping[str, float]]
    clusters: Mapping[str, str]

    @property
    def generates(self) -> bool:
        return GENERATED in self.columns

    @property
    def headline(self) -> str:
        return next(one.name for one in self.result.info.metrics if one.headline)

    def scale(self, column: str) -> float:
        return next((one.scale for one in self.result.info.metrics if one.name == column), 1.0)


def synergy(runs: Sequence[RunReader]) -> list[Line]:
    """The numbers of each run, the gain of own over given images within it, and of each run over the first.

    Raises:
        SpecError: no run has a task that generates images and checks them.
        DataError: runs of one task share no sample.
    """
    sides = [side for run in runs for side in _sides(run)]
    if not any(side.generates for side in sides):
        raise SpecError(
            "None of the runs has a task whose generated images are checked.",
            "Run one, such as `evalsuite run --suite mini-unified`.",
        )
    names = list(dict.fromkeys(side.run for side in sides))
    found: list[Line] = []
    for name in names:
        own = [side for side in sides if side.run == name]
        for side in own:
            found += _values(side)
        for side in own:
            found += [
                _gain(side, other)
                for other in own
                if side.generates and not other.generates and _shared(side, other)
            ]
    for name in names[1:]:
        for side in (side for side in sides if side.run == name):
            base = [one for one in sides if one.run == names[0] and one.task == side.task]
            found += [line for one in base for line in _between(one, side)]
    return found


def _sides(run: RunReader) -> Iterable[_Side]:
    results = {one.task: one for one in run.metrics()}
    for key in run.task_keys:
        if key not in results:
            continue
        table = run.scores(key)
        table = table[table["failure"].fillna("") == ""]
        ids = [str(one) for one in table["id"]]
        columns = {
            name.removeprefix("value."): {
                sample: float(value) for sample, value in zip(ids, table[name], strict=True) if value == value
            }
            for name in table.columns
            if name.startswith("value.")
        }
        clusters = {sample: str(one) for sample, one in zip(ids, table["cluster"].fillna(""), strict=True)}
        yield _Side(_called(run), key, results[key], columns, clusters)


def _called(run: RunReader) -> str:
    return f"{run.model_name} ({run.path.name})"


def _values(side: _Side) -> list[Line]:
    return [
        Line(
            f"{side.task}: {one.metric.name}", side.run, one.value * one.metric.scale,
            one.low * one.metric.scale, one.high * one.metric.scale, one.n,
        )
        for one in side.result.numbers()
        if not one.group
    ]  # fmt: skip


def _shared(one: _Side, other: _Side) -> bool:
    column = one.headline
    return column in other.columns and bool(one.columns[column].keys() & other.columns[column].keys())


def _gain(side: _Side, control: _Side) -> Line:
    return _difference(
        f"{side.task} − {control.task}: {side.headline}", side.run, control, side, side.headline
    )


def _between(base: _Side, side: _Side) -> list[Line]:
    runs = f"{side.run} − {base.run}"
    shared = [name for name in side.columns if name in base.columns]
    found = []
    for name in shared:
        if any(one.name == name for one in side.result.info.metrics):
            try:
                found.append(_difference(f"{side.task}: {name}", runs, base, side, name))
            except DataError:
                if name == side.headline:
                    raise
    return found


def _difference(what: str, run: str, a: _Side, b: _Side, column: str) -> Line:
    """The mean of b - a over the samples that both have."""
    found = paired_difference(a.columns[column], b.columns[column], clusters=b.clusters, seed=_SEED)
    scale = b.scale(column)
    return Line(what, run, found.value * scale, found.low * scale, found.high * scale, found.n, found.p)


__all__: Sequence[str] = ("Line", "synergy")
