"""A badge with one number of a run: SVG for a README, or JSON for shields.io's endpoint."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from evalsuite.errors import SpecError, suggest
from evalsuite.leaderboards.numbers import interval, number
from evalsuite.leaderboards.table import Cell, Column, table
from evalsuite.plain import plain_line, printable

if TYPE_CHECKING:
    import pandas

_CHARACTER = 7
"""Pixels of a character at font size 11, on average."""
_COLOUR = "#4c72b0"
"""One colour for all numbers: which one is good depends on the benchmark."""
_UNSURE = "#9f9f9f"
"""Of a number with marks: a subset, failed samples, answers that were not read."""


def badge(
    frame: pandas.DataFrame,
    task: str,
    *,
    metric: str | None = None,
    rules: str | None = None,
    kind: str = "svg",
) -> str:
    """The badge's file: task on the left, value with its interval and marks on the right.

    Args:
        frame: from `load`, of one model.
        metric: the task's headline by default.
        rules: scoring rules, where the run was scored by several.
        kind: `svg` or `json` (shields.io's endpoint schema, version 1).

    Raises:
        SpecError: no such task, metric, rules or kind, or numbers of several models or protocols.
    """
    if kind not in ("svg", "json"):
        raise SpecError(f"There is no badge of format {kind!r}.", "Name a file that ends in .svg or .json.")
    if rules is not None:
        known = frame.loc[frame["task"] == task, "rules"].unique().tolist()
        if rules not in known:
            raise SpecError(f"{task} was not scored by the rules {rules!r}.", suggest(rules, known))
        frame = frame[frame["rules"] == rules]
    column, cell = _number(frame, task, metric)
    value = f"{number(column, cell.value)}{cell.marks}"
    if ends := interval(column, cell):
        value += f" ({ends})"
    label = f"{column.task} {column.metric}"
    if kind == "json":
        content = {
            "schemaVersion": 1,
            "label": label,
            "message": value,
            "color": (_UNSURE if cell.marks else _COLOUR)[1:],
        }
        return json.dumps(content, ensure_ascii=False, indent=1) + "\n"
    return _svg(label, value, _UNSURE if cell.marks else _COLOUR)


def _number(frame: pandas.DataFrame, task: str, metric: str | None) -> tuple[Column, Cell]:
    found = table(frame, [task], all_metrics=metric is not None)
    columns = [i for i, one in enumerate(found.columns) if metric is None or one.metric == metric]
    if not columns:
        raise SpecError(
            f"{task} has no number {metric!r}.", suggest(str(metric), [one.metric for one in found.columns])
        )
    cells = [(found.columns[i], row, cell) for i in columns for row in found.rows if (cell := row.cells[i])]
    if len(cells) != 1:
        which = "; ".join(f"{row.name}, {column.title} {column.metric}" for column, row, _ in cells)
        several = len({row.name for _, row, _ in cells}) > 1
        raise SpecError(
            f"There are {len(cells)} numbers of {task} in these runs ({which}); a badge shows one.",
            "Give the folder of one run." if several else "Name one with --rules or --metric.",
        )
    return cells[0][0], cells[0][2]


def _svg(label: str, value: str, colour: str) -> str:
    left, right = (_CHARACTER * len(text) + 12 for text in (label, value))
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + right}" height="20" role="img" '
        f'aria-label="{_text(label)}: {_text(value)}">',
        f'<rect width="{left + right}" height="20" rx="3" fill="#555"/>',
        f'<path d="M{left} 0h{right - 3}a3 3 0 0 1 3 3v14a3 3 0 0 1 -3 3h-{right - 3}z" fill="{colour}"/>',
        '<g fill="#fff" text-anchor="middle" font-family="DejaVu Sans,Verdana,sans-serif" font-size="11">',
        f'<text x="{left / 2:g}" y="14">{_text(label)}</text>',
        f'<text x="{left + right / 2:g}" y="14">{_text(value)}</text>',
        "</g></svg>",
    ]
    return "\n".join(parts) + "\n"


def _text(text: str) -> str:
    return escape(printable(plain_line(text), ""), {'"': "&quot;"})


def kind_of(out: Path) -> str:
    """`svg` or `json`, by the file's ending."""
    return out.suffix.lstrip(".").lower()
