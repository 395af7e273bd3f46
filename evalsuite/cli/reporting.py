"""`evalsuite report`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from evalsuite.cli.common import OnlyTasksOption, PluginOption, messages, registry_with


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
    task: OnlyTasksOption = None,
    max_samples: Annotated[
        int | None, typer.Option(min=0, help="Maximum samples per task to show. Default: all.")
    ] = None,
    compare: Annotated[
        list[str] | None,
        typer.Option(help="Model to compare with others, in pairs; repeatable. Default: the four best."),
    ] = None,
    live: Annotated[
        bool,
        typer.Option("--live", help="Write it again while a run goes on; open pages load themselves again."),
    ] = False,
    interval: Annotated[float, typer.Option(min=1, help="Seconds between two reports of --live.")] = 10.0,
    no_images: Annotated[bool, typer.Option("--no-images", help="Leave out the images.")] = False,
    plugin: PluginOption = None,
) -> None:
    """Write an HTML report on runs: leaderboard, tasks, every sample. Opens from disk, needs no server."""
    from evalsuite.report import Written, follow_runs, write_report

    registry = registry_with(plugin) if plugin else None
    console = messages()

    def write(*, live: bool = False) -> Written:
        return write_report(
            paths, out, title=title, tasks=task or (), max_samples=max_samples, images=not no_images,
            compare=compare or (), live=live, registry=registry,
        )  # fmt: skip

    if live:

        def told(line: str) -> None:
            console.print(line, style="dim", markup=False)

        told(f"open {out / 'index.html'}; Ctrl-C ends")
        written = follow_runs(paths, write, interval=interval, told=told)
    else:
        written = write()
    console.print(
        f"written: {out / 'index.html'} ({written.tasks} tasks, {written.samples:,} samples, "
        f"{written.images:,} images, {written.bytes / 1e6:,.1f} MB)",
        markup=False,
    )
