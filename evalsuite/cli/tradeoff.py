"""`evalsuite tradeoff`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from evalsuite.cli.common import messages


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("tradeoff")(tradeoff)


def tradeoff(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Runs of the same task.")],
    x: Annotated[str, typer.Option("-x", help="Metric along the horizontal axis.")],
    y: Annotated[str, typer.Option("-y", help="Metric along the vertical axis.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Plot to write: .png, .svg or .pdf.")],
    task: Annotated[
        str | None, typer.Option("--task", "-t", help="Task; the first with both metrics by default.")
    ] = None,
    along: Annotated[
        str | None,
        typer.Option(help="Model option along a curve. Default: the one in which runs of a model differ."),
    ] = None,
) -> None:
    """Plot one metric against another, one point per run: their trade-off."""
    from evalsuite.api.results import plot_tradeoff

    found = plot_tradeoff(runs, x, y, out, task=task, along=along)
    messages().print(f"written: {out} ({len(found.points)} runs)", markup=False)
