"""The leaderboard as the site shows it: the table of `evalsuite.leaderboards` with whiskers and sort keys."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from evalsuite.leaderboards import Cell, Column, table
from evalsuite.leaderboards.numbers import NOTHING, interval, legend, number
from evalsuite.report.charts import Mark, Scale
from evalsuite.report.privacy import without_folders

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True, slots=True)
class Heading:
    """A column. `shown`: visible at first; `href`: the task's page, empty where there is none."""

    column: Column
    shown: bool
    href: str


@dataclass(frozen=True, slots=True)
class Entry:
    """A cell as shown; `key` is what sorting compares, best last, None where there is no value."""

    text: str
    interval: str = ""
    marks: str = ""
    best: bool = False
    second: bool = False
    key: float | None = None
    mark: Mark | None = None
    title: str = ""


@dataclass(frozen=True, slots=True)
class Standing:
    """A row."""

    name: str
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Standings:
    headings: tuple[Heading, ...]
    rows: tuple[Standing, ...]
    legend: tuple[str, ...]

    @property
    def tasks(self) -> list[str]:
        """The tasks' titles in the order of their columns."""
        return list(dict.fromkeys(heading.column.title for heading in self.headings))


def standings(frame: pandas.DataFrame, hrefs: Mapping[str, str]) -> Standings:
    """All metrics of all tasks, the headlines visible, models in the order of the headlines' ranks.

    Args:
        hrefs: pages by their titles, and by task name where a task has only one.
    """
    brief = table(frame)
    whole = table(frame, all_metrics=True)
    order = {row.name: i for i, row in enumerate(brief.rows)}
    rows = sorted(whole.rows, key=lambda row: order.get(row.name, len(order)))
    shown = {(column.task, column.metric, column.variant) for column in brief.columns}
    headings = [
        Heading(column, (column.task, column.metric, column.variant) in shown, _href(column, hrefs))
        for column in whole.columns
    ]
    scales = [_scale([row.cells[i] for row in rows]) for i in range(len(headings))]
    found = [
        Standing(
            row.name,
            tuple(
                _entry(heading.column, cell, scale)
                for heading, cell, scale in zip(headings, row.cells, scales, strict=True)
            ),
        )
        for row in rows
    ]
    return Standings(tuple(headings), tuple(found), tuple(map(without_folders, legend(whole))))


def _href(column: Column, hrefs: Mapping[str, str]) -> str:
    return hrefs.get(column.title) or hrefs.get(column.task, "")


def _scale(cells: Sequence[Cell | None]) -> Scale:
    return Scale.around(end for cell in cells if cell for end in (cell.value, cell.low, cell.high))


def _entry(column: Column, cell: Cell | None, scale: Scale) -> Entry:
    if cell is None:
        return Entry(NOTHING, title="not measured")
    rank = f", rank {cell.rank}" if cell.rank else ""
    return Entry(
        number(column, cell.value),
        interval(column, cell),
        cell.marks,
        cell.best,
        cell.second,
        None if math.isnan(cell.value) else cell.value * (1 if column.higher_is_better else -1),
        Mark.on(scale, cell.value, cell.low, cell.high),
        f"n = {cell.n:,}{rank}",
    )
