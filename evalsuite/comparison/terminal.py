"""A comparison in the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalsuite.comparison.comparing import Comparison
from evalsuite.comparison.wording import foot, p_text, summary
from evalsuite.grids import Grid

if TYPE_CHECKING:
    from rich.console import RenderableType

_STYLES = {"better": "green", "worse": "red", "equivalent": "cyan", "no evidence": "dim"}


def console(comparison: Comparison) -> RenderableType:
    """The table, the gates that are not passed, the notes."""
    from rich.console import Group
    from rich.text import Text

    numbers = ("base", "candidate", "difference", "interval", "p")
    table = Grid(
        "task",
        "metric",
        *numbers,
        "verdict",
        "n",
        "gate",
        keys=2,
        right=numbers,
        whole=("metric", "interval", "verdict"),
    )
    failed = {(check.task, check.metric, check.group) for check in comparison.failed}
    gated = {(check.task, check.metric, check.group) for check in comparison.checks}
    for row in comparison.rows:
        key = (row.task, row.metric.name, row.group)
        arrow = "↑" if row.metric.higher_is_better else "↓"
        gate = Text("FAIL", "bold red") if key in failed else Text("pass" if key in gated else "", "green")
        table.add_row(
            Text(row.task), Text(" ".join(filter(None, (row.metric.name, row.group, arrow)))),
            row.shown(row.difference.a), row.shown(row.difference.b),
            row.shown(row.difference.value, signed=True), row.interval, p_text(row.p),
            Text(row.verdict, _STYLES[row.verdict]),
            f"{row.difference.n}{'' if row.difference.paired else ' unpaired'}", gate,
        )  # fmt: skip
    lines: list[RenderableType] = [Text(f"{comparison.base} → {comparison.candidate}", "bold"), table]
    lines += [
        Text(f"FAIL {' '.join(filter(None, (c.task, c.metric, c.group)))} ({c.rule}): {c.message}", "red")
        for c in comparison.failed
    ]
    lines += [Text(note, "yellow") for note in comparison.notes]
    lines.append(Text(foot(comparison), "dim"))
    lines.append(Text(summary(comparison), "bold green" if comparison.passed else "bold red"))
    return Group(*lines)
