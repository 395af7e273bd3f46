"""Plans and verdicts as tables for the terminal, Markdown and JSON."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from evalsuite.published import PublishedTable
from evalsuite.reproduction.needs import Need
from evalsuite.reproduction.reproduce import Reproduction
from evalsuite.reproduction.verdict import Comparison

PLAN_HEADER = (
    "columns",
    "task",
    "protocol",
    "state",
    "samples",
    "time",
    "disk",
    "what is missing, or where it is",
)
VERDICT_HEADER = ("row", "column", "published", "ours", "difference", "verdict", "why")


def plan_rows(needs: Iterable[Need]) -> list[tuple[str, ...]]:
    """One line per task, under `PLAN_HEADER`."""
    return [
        (
            ", ".join(need.columns),
            " ".join([need.task.name, *(f"{k}={v}" for k, v in need.task.options.items())]),
            need.task.protocol or "default",
            need.state,
            "" if need.samples is None else f"{need.samples:,}",
            _time(need.seconds) if need.state in ("ready", "no data") else "",
            _size(need.size) if need.images else "",
            need.detail,
        )
        for need in needs
    ]


def plan_summary(needs: Sequence[Need]) -> str:
    """What is to be done, in a sentence."""
    by_state = {
        state: [n for n in needs if n.state == state] for state in ("stored", "ready", "no data", "cannot")
    }
    ready = by_state["ready"]
    seconds = [need.seconds for need in ready]
    parts = [f"{len(found)} {state}" for state, found in by_state.items() if found]
    text = f"{len(needs)} tasks: {', '.join(parts)}."
    if ready:
        known = sum(s for s in seconds if s is not None)
        if None not in seconds:
            text += f" To measure: about {_time(known)} of the device's time"
        else:
            text += " To measure: no stored run of this model shows how long (try `--limit 20` first)"
        size = sum(need.size for need in ready)
        text += f", {_size(size)} of images." if size else "."
    return text


def verdict_rows(comparisons: Iterable[Comparison]) -> list[tuple[str, ...]]:
    """One line per cell, under `VERDICT_HEADER`; cells in which nothing is printed and nothing measured are
    left out."""
    rows: list[tuple[str, ...]] = []
    for one in comparisons:
        if one.published is None and one.ours is None:
            continue
        shown = f"{one.published.value:.{one.digits}f}" if one.published else "–"
        rows.append((
            one.row, one.column, shown, _ours(one), _signed(one), one.verdict, "; ".join(one.reasons),
        ))  # fmt: skip
    return rows


def verdict_summary(comparisons: Sequence[Comparison]) -> str:
    """How many cells came out how."""
    printed = [one for one in comparisons if one.published is not None]
    kinds = dict.fromkeys(one.verdict for one in printed)
    counted = ", ".join(f"{sum(one.verdict == kind for one in printed)} {kind}" for kind in kinds)
    return f"{len(printed)} published numbers: {counted or 'none'}."


def markdown(title: str, table: PublishedTable, reproduction: Reproduction) -> str:
    """Plan and verdicts as a Markdown page."""
    parts = [f"# {title}", table.title + "."]
    for row, needs in reproduction.needs.items():
        parts += [
            f"## Plan for {_escaped(row)}",
            plan_summary(needs),
            pipes(PLAN_HEADER, plan_rows(needs)),
        ]
    if reproduction.comparisons:
        parts += [
            "## Verdicts",
            verdict_summary(reproduction.comparisons),
            pipes(VERDICT_HEADER, verdict_rows(reproduction.comparisons)),
        ]
    if table.note:
        parts.append(_escaped(table.note))
    return "\n\n".join(parts) + "\n"


def as_json(title: str, reproduction: Reproduction) -> dict[str, Any]:
    """Everything, for other programs."""
    return {
        "table": title,
        "plan": {
            row: [
                {
                    "task": need.task.model_dump(mode="json"), "columns": list(need.columns),
                    "state": need.state, "detail": need.detail, "samples": need.samples,
                    "seconds": need.seconds,
                    "images": need.images, "bytes": need.size,
                }
                for need in needs
            ]
            for row, needs in reproduction.needs.items()
        },
        "cells": [
            {
                "row": one.row, "column": one.column, "verdict": one.verdict, "reasons": list(one.reasons),
                "published": one.published.model_dump() if one.published else None,
                "ours": None if one.ours is None else {
                    "value": one.ours.value, "low": _or_none(one.ours.low), "high": _or_none(one.ours.high),
                    "n": one.ours.n, "model": one.ours.model, "run": str(one.ours.run),
                },
                "difference": one.difference,
            }
            for one in reproduction.comparisons
        ],
        "errors": [
            {"row": row, "task": task, "error": why} for (row, task), why in reproduction.errors.items()
        ],
    }  # fmt: skip


def _ours(one: Comparison) -> str:
    if one.ours is None:
        return "–"
    ours = one.ours
    value = f"{ours.value:.{one.digits}f}"
    return (
        value if math.isnan(ours.low) else f"{value} ({ours.low:.{one.digits}f}–{ours.high:.{one.digits}f})"
    )


def _signed(one: Comparison) -> str:
    return "" if one.difference is None else signed(one.difference, one.digits)


def signed(value: float, digits: int) -> str:
    """A difference with its sign; what rounds to nothing has none.

    >>> signed(-0.04, 1), signed(0.06, 1)
    ('0.0', '+0.1')
    """
    rounded = round(value, digits)
    return f"{rounded:+.{digits}f}" if rounded else f"{0:.{digits}f}"


def _time(seconds: float | None) -> str:
    if seconds is None:
        return "?"
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _size(count: int) -> str:
    size = float(count)
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"


def _or_none(value: float) -> float | None:
    return None if math.isnan(value) else value


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;").replace("\n", "<br>")


def pipes(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; what the cells hold is text, whatever signs it has."""
    lines = [header, ["---"] * len(header), *([_escaped(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
