"""A comparison and a flipped sample in a notebook."""

from __future__ import annotations

from evalsuite.comparison.comparing import Comparison
from evalsuite.comparison.flips import Flip
from evalsuite.comparison.wording import foot, p_text, summary
from evalsuite.notebook.html import page, sample_html, table, text


def comparison_html(comparison: Comparison) -> str:
    """The table with verdicts, the gates that are not passed, the notes."""
    rows = []
    for row in comparison.rows:
        arrow = "↑" if row.metric.higher_is_better else "↓"
        rows.append(
            (
                text(row.task), f"{text(' '.join(filter(None, (row.metric.name, row.group))))} {arrow}",
                row.shown(row.difference.a), row.shown(row.difference.b),
                f"<b>{row.shown(row.difference.value, signed=True)}</b>", row.interval, text(p_text(row.p)),
                f'<span class="{row.verdict.replace(" ", "-")}">{row.verdict}</span>',
                f"{row.difference.n}{'' if row.difference.paired else ' unpaired'}",
            )
        )  # fmt: skip
    head = ("task", "metric", "base", "candidate", "difference", "interval", "p", "verdict", "n")
    kind = "better" if comparison.passed else "failed"
    failed = "".join(
        f'<div class="failed">{text(" ".join(filter(None, (c.task, c.metric, c.group))))} ({c.rule}): '
        f"{text(c.message)}</div>"
        for c in comparison.failed
    )
    notes = "".join(f"<div>{text(note)}</div>" for note in comparison.notes)
    return page(
        f"<div><b>{text(comparison.base)} → {text(comparison.candidate)}</b> "
        f'<span class="{kind}">{text(summary(comparison))}</span></div>{table(head, rows)}{failed}{notes}'
        f'<div class="faint">{text(foot(comparison))}</div>'
    )


def flip_html(flip: Flip) -> str:
    """The sample in both runs, side by side."""
    title = (
        f"<div><b>{text(flip.direction)}</b> {text(flip.metric)} {flip.before:.4g} → {flip.after:.4g}</div>"
    )
    return page(title + table(("base", "candidate"), [(sample_html(flip.base), sample_html(flip.candidate))]))
