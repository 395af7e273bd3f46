"""A published number beside ours: the difference, whether it means anything, and why not."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from evalsuite.published import PublishedCell, PublishedColumn, PublishedRow
from evalsuite.reproduction.stored import Found

Verdict = Literal["exact", "reproduced", "differs", "not comparable", "not measured", "not published"]
"""`exact`: equal to the printed digit. `reproduced`: the printed number lies in our interval. `differs`: it
does not, though the same was measured. `not comparable`: something else was measured, or parts of the
publication's protocol are not known and the numbers differ."""

_SAME_SIZE = 2.0
"""Models whose parameters differ by more than this factor are not the same model; counts of one model differ
with what is counted (decoder, encoder)."""


@dataclass(frozen=True, slots=True)
class Ours:
    """Our number in the table's unit, e.g. percent.

    Args:
        low, high: ends of the interval; NaN where there is none.
        run: where it comes from.
    """

    value: float
    low: float
    high: float
    n: int
    model: str
    run: Path


@dataclass(frozen=True, slots=True)
class Comparison:
    """One cell of a table, measured again.

    Args:
        published: None where the cell is blank or unknown.
        ours: None where nothing was measured.
        reasons: why the two cannot be compared, or what to bear in mind.
    """

    row: str
    column: str
    digits: int
    published: PublishedCell | None
    ours: Ours | None
    verdict: Verdict
    reasons: tuple[str, ...] = ()

    @property
    def difference(self) -> float | None:
        """Ours minus published, in the table's unit."""
        if self.published is None or self.ours is None:
            return None
        return self.ours.value - self.published.value


def compare(
    row: PublishedRow, name: str, column: PublishedColumn, found: Found | None, why_not: str = ""
) -> Comparison:
    """The verdict on one cell.

    Args:
        found: the result that stands for the column (see `stored.best_for`); None: nothing was measured.
        why_not: why nothing was measured.
    """
    cell = row.cell(name)
    ours = None if found is None else _ours(column, found)
    if found is not None and ours is None:
        reason = found.result.missing.get(column.metric, "the run has no such number")
        why_not = f"{column.metric} {column.group}".strip() + f": {reason}"
    verdict, reasons = _judge(row, column, cell, ours, found, why_not or column.reason)
    return Comparison(row.model, name, column.digits, cell, ours, verdict, reasons)


def _judge(
    row: PublishedRow,
    column: PublishedColumn,
    cell: PublishedCell | None,
    ours: Ours | None,
    found: Found | None,
    why_not: str,
) -> tuple[Verdict, tuple[str, ...]]:
    if cell is None:
        return "not published", ()
    doubts = (f"the published number is {cell.confidence}",) if cell.confidence.startswith("recalled") else ()
    if ours is None or found is None:
        return "not measured", (why_not,) if why_not else ()
    if other := _otherwise(row, column, found):
        return "not comparable", (*other, *doubts)
    if round(ours.value, column.digits) == round(cell.value, column.digits):
        return "exact", doubts
    if ours.low <= cell.value <= ours.high:
        return "reproduced", doubts
    if column.unknown:
        return "not comparable", (*(f"unknown: {part}" for part in column.unknown), *doubts)
    return "differs", doubts


def _otherwise(row: PublishedRow, column: PublishedColumn, found: Found) -> list[str]:
    """What was measured otherwise than the publication did."""
    result, told = found.result, []
    if row.billions and found.parameters is not None:
        ratio = max(found.parameters, 1) / (row.billions * 1e9)
        if not 1 / _SAME_SIZE <= ratio <= _SAME_SIZE:
            told.append(f"model: {_count(found.parameters)} parameters, the published one {row.billions:g} G")
    if result.info.name != column.task:
        why = f" ({column.instead.why})" if column.instead else ""
        told.append(f"split: {result.info.name} for {column.task}{why}")
    for option, value in column.options.items():
        if found.options.get(option) != value:
            told.append(f"option {option}: {found.options.get(option, 'not given')}, published {value}")
    if column.protocol and result.info.protocol != column.protocol:
        told.append(f"protocol: {result.info.protocol}, published {column.protocol}")
    if result.rules != column.rules:
        told.append(f"rules: {result.rules}, published {column.rules}")
    if result.limit is not None:
        told.append(f"subset: {result.total} samples")
    if found.partial and "subset" not in column.options:
        told.append(f"data: {found.partial}")
    if missing := result.unfinished:
        judged = " or judged" if result.unjudged else ""
        told.append(f"unfinished: {missing} of {result.total} samples were not answered{judged}")
    if result.failures:
        told.append(f"failures: {result.failures} of {result.total} samples have no score")
    return told


def _ours(column: PublishedColumn, found: Found) -> Ours | None:
    for estimate in found.result.numbers():
        metric = estimate.metric
        if (metric.name, estimate.group) == (column.metric, column.group) and not math.isnan(estimate.value):
            scale = metric.scale
            ends = sorted((estimate.low * scale, estimate.high * scale))
            return Ours(estimate.value * scale, ends[0], ends[1], estimate.n, found.model, found.run)
    return None


def _count(parameters: int) -> str:
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if parameters >= size:
            return f"{parameters / size:.3g} {unit}"
    return str(parameters)
