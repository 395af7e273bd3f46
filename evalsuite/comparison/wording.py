"""Sentences that all renderings of a comparison share."""

from __future__ import annotations

import math

from evalsuite.comparison.comparing import Comparison

_CORRECTIONS = {
    "holm": "Holm's correction",
    "benjamini-hochberg": "Benjamini and Hochberg's correction",
    "none": "no correction",
}


def summary(comparison: Comparison) -> str:
    """One line: passed or not, and why."""
    failed = comparison.failed
    if not failed:
        count = len(comparison.checks)
        return f"passed: {count} gate{'s' if count != 1 else ''} held"
    names = dict.fromkeys(" ".join(filter(None, (c.task, c.metric, c.group))) for c in failed)
    return f"regression: {', '.join(names)}"


def p_text(p: float) -> str:
    """A p-value with as many digits as it is worth; "–" for none."""
    if math.isnan(p):
        return "–"
    return "<0.001" if p < 0.001 else f"{p:.3f}" if p < 0.1 else f"{p:.2f}"


def foot(comparison: Comparison) -> str:
    """What the columns mean."""
    level = 100 * (1 - comparison.gates.alpha)
    count = sum(row.headline for row in comparison.rows)
    over = f" over {count} tasks" if count > 1 else ""
    return (
        f"Intervals of the difference at {level:g} %; p two-sided, with "
        f"{_CORRECTIONS[comparison.gates.correction]}{over}."
    )
