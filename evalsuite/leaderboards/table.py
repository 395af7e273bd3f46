"""The pivot for people: a row per model, a column per comparable number."""

from __future__ import annotations

import math
from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalsuite.errors import SpecError, suggest
from evalsuite.leaderboards.columns import complete
from evalsuite.leaderboards.marks import marks_of, notes_of
from evalsuite.leaderboards.published import is_published

if TYPE_CHECKING:
    import pandas

_VARIANTS = ("protocol", "rules", "judge", "version", "split", "data", "scorer", "form")
"""What makes numbers of one task incomparable; where it differs, it is in the column's name."""


@dataclass(frozen=True, slots=True)
class Column:
    """A number that all its cells can be compared in.

    Args:
        task, metric, group: of what.
        variant: what distinguishes this column from others of the same task, e.g. "protocol dreamllm".
        scale, digits, higher_is_better: for display.
    """

    task: str
    metric: str
    group: str = ""
    variant: str = ""
    scale: float = 1.0
    digits: int = 1
    higher_is_better: bool = True

    @property
    def title(self) -> str:
        """The task with its variant."""
        return f"{self.task} ({self.variant})" if self.variant else self.task

    @property
    def label(self) -> str:
        """The metric with its group and direction."""
        group = f" {self.group}" if self.group else ""
        return f"{self.metric}{group} {'↑' if self.higher_is_better else '↓'}"


@dataclass(frozen=True, slots=True)
class Cell:
    """One number.

    Args:
        value, low, high: in natural units; ends are NaN where there is no interval.
        marks: † subset, ‡ failed samples, § unfinished, ◊ unread answers, ‖ not over all groups, ¶ published,
            not measured here, ∗ no number, ‼ a note doubts it.
        rank: 1 + number of models whose whole interval is better; equal ranks cannot be distinguished. None
            where the cell is not comparable with the others of its column: another subset, or published.
        best: rank 1 among the comparable: the best value, and those that cannot be distinguished from it.
        second: the best value among the others; ties share.
    """

    value: float
    low: float
    high: float
    n: int
    marks: str = ""
    rank: int | None = None
    best: bool = False
    second: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """A model, with its cells in the order of the table's columns; None where it was not measured."""

    name: str
    cells: tuple[Cell | None, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """A leaderboard. `notes` explain the marks that occur; `level` is the intervals' confidence."""

    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()
    level: float = field(default=0.95)


def table(
    frame: pandas.DataFrame,
    tasks: Sequence[str] = (),
    *,
    all_metrics: bool = False,
    groups: bool = False,
) -> Table:
    """The pivot of a frame from `load`.

    Numbers that differ in protocol, rules, judge, task version, split or data never share a column. Models
    are ordered by their mean rank, an unmeasured column counting as last.

    Args:
        tasks: only these, in this order; all when empty.
        all_metrics: every metric instead of each task's headline.
        groups: breakdowns too (answer types, abilities).

    Raises:
        SpecError: a task in `tasks` is in no run.
    """
    import pandas

    frame = complete(frame)
    frame = frame if groups else frame[frame["group"] == ""]
    known = list(dict.fromkeys(frame["task"]))
    for name in tasks:
        if name not in known:
            raise SpecError(f"No run has a task {name!r}.", suggest(name, known))
    order = list(tasks) or known
    frame = frame[frame["task"].isin(order)]
    headlines = frame if all_metrics else frame[frame["headline"]]
    # A task whose headline could not be computed (absent weights) still shows what it has.
    lost = frame["reason"].map(lambda reason: isinstance(reason, str) and bool(reason))
    bare = set(order) - set(headlines[~lost[headlines.index]]["task"])
    shown = frame[frame.index.isin(headlines.index) | frame["task"].isin(bare)]
    records: list[dict[str, Any]] = [
        {
            **{str(key): value for key, value in record.items()},
            "limit": None if pandas.isna(record["limit"]) else int(record["limit"]),
        }
        for record in shown.to_dict("records")
    ]
    records.sort(key=lambda record: order.index(record["task"]))
    _place_numberless(records)
    _merge_scorers(records)
    names = _row_names(records)
    every, records = records, _shown(records)
    variants = _variants(records)
    cells: dict[Column, dict[str, Cell]] = {}
    comparable: dict[Column, dict[str, Hashable]] = {}
    for record in records:
        column = Column(
            record["task"], record["metric"], record["group"], variants[_variant_key(record)],
            record["scale"], int(record["digits"]), bool(record["higher_is_better"]),
        )  # fmt: skip
        name = names[record["model"], record["run"]]
        cells.setdefault(column, {})[name] = _cell(record)
        if not is_published(record):
            comparable.setdefault(column, {})[name] = _subset(record)
    ranked = {column: _ranked(column, found, comparable.get(column, {})) for column, found in cells.items()}
    rows = [
        Row(name, tuple(ranked[column].get(name) for column in ranked))
        for name in dict.fromkeys(names.values())
    ]
    rows = [row for row in rows if any(row.cells)]
    count = len(rows)  # a list that is being sorted has no length
    rows.sort(key=lambda row: _mean_rank(row, count))
    levels = {float(record["level"]) for record in records}
    notes = notes_of(every, names, frame.attrs.get("left out", ()))
    return Table(tuple(ranked), tuple(rows), tuple(notes), max(levels, default=0.95))


def _place_numberless(records: Sequence[dict[str, Any]]) -> None:
    """What has no number stands in the column of those that have one: who judges, and with which network, was
    not decided yet."""
    alike = ("task", "protocol", "rules", "version", "split", "data")
    real = [record for record in records if not _numberless(record)]
    for record in records:
        if not _numberless(record):
            continue
        for parts in (alike, ("task",)):
            peer = next((r for r in real if all(r[part] == record[part] for part in parts)), None)
            if peer is not None:
                record |= {
                    name: peer[name] for name in (*(_VARIANTS if parts is alike else ()), "scorer", "judge")
                }
                break


def _numberless(record: Mapping[str, Any]) -> bool:
    return isinstance(record.get("reason"), str) and bool(record["reason"])


def _shown(records: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Without columns in which nobody has a number, unless their task has no other."""
    have = {(r["task"], r["metric"], r["group"]) for r in records if not _numberless(r)}
    tasks = {task for task, _, _ in have}
    return [
        record
        for record in records
        if record["task"] not in tasks or (record["task"], record["metric"], record["group"]) in have
    ]


def _merge_scorers(records: Sequence[dict[str, Any]]) -> None:
    """A run that lacked a metric's network says nothing of it: its other numbers are still comparable."""
    scorers: dict[str, set[str]] = {}
    for record in records:
        scorers.setdefault(record["task"], set()).add(record["scorer"])
    for record in records:
        if len(scorers[record["task"]] - {""}) < 2:
            record["scorer"] = ""


def _cell(record: Mapping[str, Any]) -> Cell:
    value, low, high = (float(record[end]) for end in ("value", "low", "high"))
    return Cell(value, low, high, int(record["n"]), marks_of(record))


def _subset(record: Mapping[str, Any]) -> Hashable:
    """Which subset of the task was asked: None is all of it."""
    return None if record["limit"] is None else (record["limit"], record["seed"])


def _variant_key(record: Mapping[str, Any]) -> tuple[str, ...]:
    return (record["task"], *(str(record[part]) for part in _VARIANTS))


def _variants(records: Sequence[Mapping[str, Any]]) -> dict[tuple[str, ...], str]:
    """For each kind of number, what must be said of it so that it cannot be taken for another of its task."""
    keys = dict.fromkeys(_variant_key(record) for record in records)
    differing = {
        task: [i for i in range(len(_VARIANTS)) if len({key[i + 1] for key in keys if key[0] == task}) > 1]
        for task in dict.fromkeys(key[0] for key in keys)
    }
    data = _VARIANTS.index("data")
    cut = _telling({key[data + 1] for key in keys})
    # Who judges is said in any case: it decides the number as much as the benchmark does.
    judge = _VARIANTS.index("judge")
    return {
        key: ", ".join(
            f"{_VARIANTS[i]} {key[i + 1][:cut] if i == data else key[i + 1]}"
            for i in range(len(_VARIANTS))
            # what a publication does not say is not named
            if key[i + 1] and (i in differing[key[0]] or i == judge)
        )
        for key in keys
    }


def _telling(digests: Collection[str]) -> int:
    """How many characters distinguish the digests, at least 8; a task's fingerprint may be a revision."""
    longest = max(map(len, digests), default=8)
    return next((n for n in range(8, longest) if len({d[:n] for d in digests}) == len(digests)), longest)


def _row_names(records: Sequence[Mapping[str, Any]]) -> dict[tuple[str, str], str]:
    """Model and run -> row; a model's runs share one unless their weights differ or they measure the same."""
    runs: dict[str, dict[str, list[Mapping[str, Any]]]] = {}
    for record in records:
        runs.setdefault(record["model"], {}).setdefault(record["run"], []).append(record)
    names: dict[tuple[str, str], str] = {}
    for model, found in runs.items():
        seen: list[tuple[Any, ...]] = [
            (*_variant_key(r), r["metric"], r["group"]) for each in found.values() for r in each
        ]
        weights = {r["model_fingerprint"] for each in found.values() for r in each}
        apart = len(found) > 1 and (len(set(seen)) < len(seen) or len(weights) > 1)
        folders = [Path(run).name for run in found]
        for run in found:
            short = Path(run).name if folders.count(Path(run).name) == 1 else run
            names[model, run] = f"{model} [{short}]" if apart else model
    return names


def _ranked(column: Column, cells: Mapping[str, Cell], subsets: Mapping[str, Hashable]) -> dict[str, Cell]:
    """Ranks within those that were asked the same samples; the largest such group when there are several."""
    kinds = list(subsets.values())
    main = None if None in kinds else max(kinds, key=kinds.count, default=None)
    peers = {
        name: cells[name]
        for name, subset in subsets.items()
        if subset == main and not math.isnan(cells[name].value)
    }
    sign = 1 if column.higher_is_better else -1
    ranks = {
        name: 1 + sum(_clearly_better(other, cell, sign) for other in peers.values())
        for name, cell in peers.items()
    }
    next_best = max((sign * cell.value for name, cell in peers.items() if ranks[name] > 1), default=None)
    found = dict(cells)
    for name, cell in peers.items():
        best = ranks[name] == 1
        found[name] = replace(
            cell,
            rank=ranks[name],
            best=best and len(peers) > 1,
            second=not best and sign * cell.value == next_best,
        )
    return found


def _clearly_better(other: Cell, cell: Cell, sign: int) -> bool:
    """Whether the other's whole interval lies on the better side; no interval is one without width."""
    low, high = _ends(other)
    mine_low, mine_high = _ends(cell)
    return low > mine_high if sign > 0 else high < mine_low


def _ends(cell: Cell) -> tuple[float, float]:
    return (cell.value, cell.value) if math.isnan(cell.low) else (cell.low, cell.high)


def _mean_rank(row: Row, count: int) -> float:
    """What a model was not asked counts as the middle of `count` rows, what has no rank as behind all."""
    middle, behind = (count + 1) / 2, count + 1
    ranks = [middle if cell is None else behind if cell.rank is None else cell.rank for cell in row.cells]
    return sum(ranks) / max(len(ranks), 1)
