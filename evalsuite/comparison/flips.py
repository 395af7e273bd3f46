"""The samples that changed sides: right before and wrong now, and the other way round."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from evalsuite.comparison.sides import Measurement, open_side, with_same_judges
from evalsuite.notebook.sample import SampleView, views
from evalsuite.registry import Registry

if TYPE_CHECKING:
    from evalsuite.comparison.checks import Compared
    from evalsuite.comparison.comparing import Comparison

Direction = Literal["right to wrong", "wrong to right", "worse", "better"]


@dataclass(frozen=True, slots=True)
class Flip:
    """A sample whose score changed.

    Args:
        direction: `right to wrong` and back where a score in [0, 1] crosses a half, else `worse`, `better`.
        metric: the score.
        before, after: of base and candidate, in natural units.
        base, candidate: the sample in both runs, with prompt, images and answers.
    """

    task: str
    id: str
    metric: str
    direction: Direction
    before: float
    after: float
    base: SampleView
    candidate: SampleView

    def _repr_html_(self) -> str:
        from evalsuite.comparison.html import flip_html

        return flip_html(self)


def flips_of(comparison: Comparison, tasks: Sequence[str] | None, most: int) -> list[Flip]:
    """The samples with the largest changes of each task's headline score, worse ones first.

    Half of `most` are kept for each direction where both have that many. Of repeated runs the first on each
    side is shown. Tasks whose headline is no score of single samples (a distance) have none.
    """
    found: list[Flip] = []
    if most < 1:
        return found
    with ExitStack() as stack:
        opened = [open_side(paths, stack) for paths in (comparison.base_paths, comparison.candidate_paths)]
        sides = with_same_judges(opened[0], opened[1])
        for row in comparison.rows:
            if row.headline and (tasks is None or row.task in tasks):
                measured = [side.tasks[row.task][0] for side in sides]
                found += _of_task(row, measured, most, comparison.registry)
    return found


def _of_task(row: Compared, sides: Sequence[Measurement], most: int, registry: Registry | None) -> list[Flip]:
    changes = _changes(row, sides, most)
    ids = [name for name, *_ in changes]
    shown = [
        {view.id: view for view in views(one.run, one.key, ids, registry, one.result.judge)} for one in sides
    ]
    return [
        Flip(row.task, name, row.metric.name, direction, before, after, shown[0][name], shown[1][name])
        for name, direction, before, after in changes
        if name in shown[0] and name in shown[1]
    ]


def _changes(
    row: Compared, sides: Sequence[Measurement], most: int
) -> list[tuple[str, Direction, float, float]]:
    """The most changed samples: id, direction, before, after."""
    columns = [_headline(row, one) for one in sides]
    both = [(name, before, columns[1][name]) for name, before in columns[0].items() if name in columns[1]]
    unit = all(0 <= value <= 1 for _, *values in both for value in values)
    sign = 1 if row.metric.higher_is_better else -1
    worse: list[tuple[str, Direction, float, float]] = []
    better: list[tuple[str, Direction, float, float]] = []

    def rank(change: tuple[str, float, float]) -> tuple[bool, float, str]:
        # Crossings first, then the largest changes; ids make the order the same everywhere.
        name, before, after = change
        return not (unit and _crosses(before, after)), -abs(after - before), name

    for name, before, after in sorted((c for c in both if c[1] != c[2]), key=rank):
        crossed = unit and _crosses(before, after)
        if sign * after > sign * before:
            better.append((name, "wrong to right" if crossed else "better", before, after))
        else:
            worse.append((name, "right to wrong" if crossed else "worse", before, after))
    worse = worse[: max(most - most // 2, most - len(better))]
    return worse + better[: most - len(worse)]


def _crosses(before: float, after: float) -> bool:
    return (before >= 0.5) != (after >= 0.5)


def _headline(row: Compared, measured: Measurement) -> dict[str, float]:
    """The headline's score of each sample; empty where it is no score of single samples."""
    name = f"value.{row.metric.name}"
    table = measured.run.scores(measured.key, measured.result.rules, measured.result.judge)
    if name not in table:
        return {}
    kept = table[(table["failure"] == "") & table[name].notna()]
    return dict(zip(map(str, kept["id"]), map(float, kept[name]), strict=True))
