"""What the halves of unified models do for each other: own images generated right, read right, and paired
gains.

Read from stored scores alone, and by columns and protocols, not by names of benchmarks: a task whose samples
score `generated` generated images (where a protocol says `images of MODEL`, another run's); `read` is the
share of answers that are right about what the shown image really shows; a task without `generated` on samples
of the same ids asks about given images and is the control.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from evalsuite.errors import DataError, SpecError
from evalsuite.stats.paired import paired_difference

if TYPE_CHECKING:
    from evalsuite.store import RunReader
    from evalsuite.store.results import TaskResult

GENERATED, READ, IF_RIGHT = "generated", "read", "read if generated right"
FIRST, OF_ANOTHER = "-first", "images of "
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
        task: the task, or the two tasks.
    """

    what: str
    run: str
    value: float
    low: float
    high: float
    n: int
    p: float = float("nan")
    task: str = ""


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

    @property
    def reading(self) -> str:
        """The column of what is read right: of given images, whose truth is their caption, the headline."""
        return READ if READ in self.columns else self.headline

    @property
    def protocol(self) -> str:
        return self.result.info.protocol

    @property
    def first(self) -> bool:
        """Whether an image is generated before a question about a given one (`generate-first`)."""
        return any(part.endswith(FIRST) for part in self.protocol.split(", "))

    @property
    def whose(self) -> str:
        """Whose images the questions are about."""
        if not self.generates:
            return "true images"
        another = self.protocol.rpartition(OF_ANOTHER)[2] if OF_ANOTHER in self.protocol else ""
        return f"images of {another}" if another else "own images"

    def scale(self, column: str) -> float:
        return next((one.scale for one in self.result.info.metrics if one.name == column), 1.0)


def synergy(runs: Sequence[RunReader]) -> list[Line]:
    """The numbers of each run, the gains within it, and of each run over the first.

    Within a run: what is generated right; what is read right of own, another's and true images, and where the
    image was generated right; own over true images; generating first over answering at once. Between runs:
    every column that both have, which for a model that was trained on both tasks and one that was trained on
    one of them (as the first run) is the gain of joint training.

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
            found += [_gain(side, other) for other in own if _is_gain(side, other)]
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


def _values(side: _Side) -> Iterator[Line]:
    for one in side.result.numbers():
        if one.group or (one.metric.name != side.headline and not side.generates):
            continue
        yield Line(
            _what(side, one.metric.name), side.run, one.value * one.metric.scale,
            one.low * one.metric.scale, one.high * one.metric.scale, one.n, task=side.task,
        )  # fmt: skip


def _what(side: _Side, column: str) -> str:
    """A column in words."""
    if column == GENERATED:
        return "generated right"
    if column == side.reading:
        return f"read right, {side.whose}"
    if column == IF_RIGHT:
        return f"read right given generated right, {side.whose}"
    if column == side.headline:
        return f"answered as the caption says, {side.whose}"
    return column


def _is_gain(side: _Side, control: _Side) -> bool:
    """Whether a task asks the control's questions about images that were generated."""
    shared = side.columns[side.headline].keys() & control.columns.get(control.headline, {}).keys()
    plain = side.task.partition("@")[0] == control.task.partition("@")[0]
    own = side.generates and not control.generates
    return bool(shared) and (own or (side.first and plain and not control.first))


def _gain(side: _Side, control: _Side) -> Line:
    """The headline beside the control's; a task that generates first asks about given images, so that the
    caption is what is right in both."""
    if side.first:
        what = "gain of generating first"
        column = side.headline
    else:
        what = f"read right, {side.whose} − {control.whose}"
        column = side.reading
    return _difference(
        what, side.run, control, side, control.headline, column, f"{side.task} − {control.task}"
    )


def _between(base: _Side, side: _Side) -> list[Line]:
    runs = f"{side.run} − {base.run}"
    shared = [name for name in side.columns if name in base.columns]
    found = []
    for name in shared:
        if not any(one.name == name for one in side.result.info.metrics):
            continue
        where = "" if side.whose == base.whose else f" − {base.whose}"
        what = f"gain: {_what(side, name)}{where}"
        try:
            found.append(_difference(what, runs, base, side, name, name, side.task))
        except DataError:
            if name == side.headline:
                raise
    return found


def _difference(what: str, run: str, a: _Side, b: _Side, before: str, after: str, task: str) -> Line:
    """The mean of b - a over the samples that both have."""
    found = paired_difference(a.columns[before], b.columns[after], clusters=b.clusters, seed=_SEED)
    scale = b.scale(after)
    return Line(what, run, found.value * scale, found.low * scale, found.high * scale, found.n, found.p, task)


__all__: Sequence[str] = ("Line", "synergy")
