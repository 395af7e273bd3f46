"""`evalsuite report`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from evalsuite.cli.common import PluginOption, messages, registry_with


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("report")(report)


def report(
    paths: Annotated[
        list[Path], typer.Argument(metavar="RUN_OR_FOLDER...", help="Runs, or folders of runs.")
    ],
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Folder of the site; an earlier report there is replaced.")
    ],
    title: Annotated[str, typer.Option(help="Title of the report.")] = "Evaluation report",
    task: Annotated[
        list[str] | None, typer.Option("--task", "-t", help="Only this task; repeatable.")
    ] = None,
    max_samples: Annotated[
        int | None, typer.Option(min=0, help="Maximum samples per task to show. Default: all.")
    ] = None,
    no_images: Annotated[bool, typer.Option("--no-images", help="Leave out the images.")] = False,
    plugin: PluginOption = None,
) -> None:
    """Write an HTML report on runs: leaderboard, tasks, every sample. Opens from disk, needs no server."""
    from evalsuite.report import write_report

    registry = registry_with(plugin) if plugin else None
    written = write_report(
        paths,
        out,
        title=title,
        tasks=task or (),
        max_samples=max_samples,
        images=not no_images,
        registry=registry,
    )
    messages().print(
        f"written: {out / 'index.html'} ({written.tasks} tasks, {written.samples:,} samples, "
        f"{written.images:,} images, {written.bytes / 1e6:,.1f} MB)",
        markup=False,
    )
