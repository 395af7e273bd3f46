"""`evalsuite synergy`: what a unified model generates right, reads right, and gains by doing both."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from evalsuite.cli.common import output
from evalsuite.grids import Grid

if TYPE_CHECKING:
    from evalsuite.comparison.synergy import Line


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("synergy")(synergy)


def synergy(
    runs: Annotated[
        list[Path],
        typer.Argument(metavar="RUN...", help="Runs, or folders of runs; the first is the base of gains."),
    ],
) -> None:
    """Show what models generate right and read right, and what one does for the other.

    Within a run: generated right; read right of own, another run's and true images, and where generated
    right; the gain of generating first. Every further run against the first: of runs of a model that was
    trained on both tasks, behind one that was trained on one, that is the gain of joint training. Differences
    are paired by sample, with 95 % intervals.
    """
    from contextlib import ExitStack

    from evalsuite.comparison.synergy import synergy as numbers
    from evalsuite.leaderboards.frame import runs_in
    from evalsuite.store import RunReader

    with ExitStack() as stack:
        lines = numbers([stack.enter_context(RunReader(path)) for path in runs_in(runs)])
    for run in dict.fromkeys(line.run for line in lines):
        table = Grid("", "task", "value", "95 % interval", "samples", "p")
        for line in (line for line in lines if line.run == run):
            table.add_row(line.what, line.task, f"{line.value:.1f}", _interval(line), f"{line.n:,}", _p(line))
        output().print(run, markup=False, highlight=False, style="bold")
        output().print(table)


def _interval(line: Line) -> str:
    return "–" if math.isnan(line.low) else f"{line.low:.1f} to {line.high:.1f}"


def _p(line: Line) -> str:
    return "" if math.isnan(line.p) else f"{line.p:.3f}"
