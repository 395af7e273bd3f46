"""Curves as text: for a terminal, Markdown, CSV and JSON."""

from __future__ import annotations

import csv
import io
import json
import math
import textwrap
from collections.abc import Sequence
from typing import Any

from evalsuite.plain import cell as safe_cell
from evalsuite.plain import plain_line
from evalsuite.tracking.best import Best
from evalsuite.tracking.changes import Change
from evalsuite.tracking.gathering import Curve, Point, Training

WIDTH = 80
_BARS = "▁▂▃▄▅▆▇█"
_STEPS = 6
"""Steps that a line names; the JSON and CSV files have all."""


def spark(values: Sequence[float]) -> str:
    """Values as bars of eight heights, from the least to the greatest.

    >>> spark([1, 2, 4, 8])
    '▁▂▄█'
    """
    known = [value for value in values if math.isfinite(value)]
    low, high = min(known, default=0.0), max(known, default=0.0)
    span = high - low
    return "".join(
        " " if not math.isfinite(v) else _BARS[round(7 * (v - low) / span)] if span else _BARS[3]
        for v in values
    )


def interval(curve: Curve, low: float, high: float, *, signed: bool = False) -> str:
    """`(low to high)`, empty where there is none."""
    if math.isnan(low):
        return ""
    return f" ({curve.shown(low, signed=signed)} to {curve.shown(high, signed=signed)})"


def point_line(curve: Curve, point: Point) -> str:
    """A point in words."""
    seeds = f", {point.seeds} seeds" if point.seeds > 1 else ""
    return f"{curve.shown(point.value)}{interval(curve, point.low, point.high)}{seeds}"


def best_line(curve: Curve, best: Best) -> str:
    """The best step in words, with how sure that is."""
    point = next(one for one in curve.points if one.step == best.step)
    chance = best.probability[best.step]
    sure = "" if math.isnan(chance) else f", the best with probability {chance:.2f}"
    how = "" if best.paired else " (by intervals, not paired)"
    others = [str(step) for step in best.alike]
    if not others:
        rest = "all others are shown to be worse"
    elif len(others) == len(curve.points) - 1:
        rest = "no other step is shown to be worse"
    else:
        rest = f"not shown to be worse: {', '.join(others[-_STEPS:])}"
        rest += f" and {len(others) - _STEPS} earlier" if len(others) > _STEPS else ""
    return f"best {best.step}: {point_line(curve, point)}{sure}; {rest}{how}"


def change_line(curve: Curve, change: Change) -> str:
    """The last change in words."""
    found = change.difference
    p = "no p-value" if math.isnan(change.p) else f"p {'< 0.001' if change.p < 0.001 else f'{change.p:.3f}'}"
    paired = "" if found.paired else ", unpaired"
    ends = interval(curve, found.low, found.high, signed=True)
    return (
        f"from {change.before} to {change.after}: {curve.shown(found.value, signed=True) or '0'}{ends}, "
        f"{p}{paired}: {change.verdict}"
    )


def text(training: Training, *, every: bool = False, width: int = WIDTH) -> str:
    """For a terminal, at most `width` columns. With `every`, a line per step as well."""
    lines: list[str] = []

    def add(line: str, indent: int) -> None:
        lines.extend(
            textwrap.wrap(
                plain_line(line), width, initial_indent=" " * indent, subsequent_indent=" " * (indent + 2),
                break_long_words=False, break_on_hyphens=False,
            )
        )  # fmt: skip

    for name in training.names:
        curves = [curve for curve in training.curves if curve.name == name]
        arrow = "↑" if curves[0].metric.higher_is_better else "↓"
        lines += ["", f"{plain_line(name)} {arrow}"] if lines else [f"{plain_line(name)} {arrow}"]
        for curve in curves:
            steps = curve.steps
            reach = (
                f"step {steps[0]}" if len(steps) == 1 else f"{len(steps)} steps, {steps[0]} to {steps[-1]}"
            )
            add(f"{curve.series or 'training'}  {spark([p.value for p in curve.points])}  {reach}", 2)
            if every or len(steps) == 1:
                wide = len(str(steps[-1]))
                for point in curve.points:
                    add(f"{point.step:>{wide}}  {point_line(curve, point)}", 4)
            if curve.best is not None:
                add(best_line(curve, curve.best), 4)
            if curve.change is not None:
                add(change_line(curve, curve.change), 4)
    lines += ["", *_notes(training)]
    return "\n".join(lines).rstrip() + "\n"


def _notes(training: Training) -> list[str]:
    level = f"{100 * training.curves[0].level:g} %" if training.curves else ""
    lines = [
        f"Intervals: {level}. p-values are corrected over all curves (Holm). The best step was chosen by "
        "these numbers, which flatters its value."
    ]
    lines += [f"Note: {note}." for note in training.notes]
    return [part for line in lines for part in textwrap.wrap(plain_line(line), WIDTH)]


def markdown(training: Training) -> str:
    """A table per number: a row per step, a column per series."""
    parts: list[str] = []
    for name in training.names:
        curves = [curve for curve in training.curves if curve.name == name]
        arrow = "↑" if curves[0].metric.higher_is_better else "↓"
        steps = sorted({step for curve in curves for step in curve.steps})
        head = ["step", *(_md(curve.series or "training") for curve in curves)]
        rows = [head, ["---:"] * len(head)]
        for step in steps:
            row = [str(step)]
            for curve in curves:
                point = next((one for one in curve.points if one.step == step), None)
                told = "–" if point is None else point_line(curve, point)
                best = point is not None and curve.best is not None and curve.best.step == step
                row.append(f"**{told}**" if best else told)
            rows.append(row)
        parts.append(f"### {_md(name)} {arrow}\n")
        parts.append("\n".join(f"| {' | '.join(row)} |" for row in rows) + "\n")
        for curve in curves:
            for line in (
                best_line(curve, curve.best) if curve.best else "",
                change_line(curve, curve.change) if curve.change else "",
            ):
                if line:
                    parts.append(f"- {_md(curve.series or 'training')}: {line}")
        parts.append("")
    return "\n".join([*parts, *map(_md, _notes(training))]) + "\n"


def _md(text: str) -> str:
    line = plain_line(text).replace("&", "&amp;").replace("<", "&lt;")
    return "".join(f"\\{sign}" if sign in "\\|*`~[]" else sign for sign in line)


COLUMNS = (
    "task", "metric", "group", "series", "step", "value", "low", "high", "n", "seeds", "scale",
    "higher_is_better", "best", "probability_best", "not_shown_worse_than_best", "runs",
)  # fmt: skip


def rows(training: Training) -> list[dict[str, Any]]:
    """One row per point, in natural units, with `COLUMNS`."""
    found = []
    for curve in training.curves:
        best = curve.best
        for p in curve.points:
            found.append(
                {
                    "task": curve.task, "metric": curve.metric.name, "group": curve.group,
                    "series": curve.series, "step": p.step, "value": p.value, "low": p.low, "high": p.high,
                    "n": p.n, "seeds": p.seeds, "scale": curve.metric.scale,
                    "higher_is_better": curve.metric.higher_is_better,
                    "best": best is not None and best.step == p.step,
                    "probability_best": best.probability[p.step] if best else math.nan,
                    "not_shown_worse_than_best": best is None or p.step in (best.step, *best.alike),
                    "runs": " ".join(str(one.run.path) for one in p.measured),
                }
            )  # fmt: skip
    return found


def to_csv(training: Training) -> str:
    """`rows` as CSV; texts that a spreadsheet would take for formulas are made safe."""
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for row in rows(training):
        writer.writerow({k: safe_cell(v) if isinstance(v, str) else _blank(v) for k, v in row.items()})
    return out.getvalue()


def to_json(training: Training) -> str:
    """All of it; what is not a number is null."""
    curves = []
    for curve in training.curves:
        points = rows(Training((curve,)))
        change = curve.change
        curves.append(
            {
                "task": curve.task, "metric": curve.metric.name, "group": curve.group,
                "series": curve.series, "scale": curve.metric.scale,
                "higher_is_better": curve.metric.higher_is_better, "missing": list(curve.missing),
                "points": [
                    {
                        **{k: _blank(row[k], None) for k in ("step", "value", "low", "high", "n", "seeds")},
                        "runs": row["runs"].split(" "),
                    }
                    for row in points
                ],
                "best": curve.best
                and {
                    "step": curve.best.step, "paired": curve.best.paired,
                    "not_shown_to_be_worse": list(curve.best.alike),
                    "probability": {str(k): _blank(v, None) for k, v in curve.best.probability.items()},
                },
                "change": change
                and {
                    "before": change.before, "after": change.after, "verdict": change.verdict,
                    **{
                        k: _blank(getattr(change.difference, k), None)
                        for k in ("value", "low", "high", "p", "n", "paired", "method")
                    },
                    "p_corrected": _blank(change.p, None),
                },
            }
        )  # fmt: skip
    return json.dumps({"curves": curves, "notes": list(training.notes)}, indent=1, ensure_ascii=False) + "\n"


def _blank(value: Any, nothing: Any = "") -> Any:
    return nothing if isinstance(value, float) and not math.isfinite(value) else value
