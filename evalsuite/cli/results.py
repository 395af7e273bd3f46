"""`evalsuite leaderboard`, `evalsuite gallery` and `evalsuite badge`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from evalsuite.cli.common import (
    AllMetricsOption,
    GroupsOption,
    OnlyTasksOption,
    PluginOption,
    messages,
    output,
    registry_with,
)
from evalsuite.durable import write_file
from evalsuite.errors import SpecError

_SUFFIXES = {"tex": "latex", "markdown": "md", "htm": "html"}


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    app.command("leaderboard")(leaderboard)
    app.command("gallery")(gallery)
    app.command("badge")(badge)


def leaderboard(
    paths: Annotated[
        list[Path], typer.Argument(metavar="RUN_OR_FOLDER...", help="Runs, or folders of runs.")
    ],
    kind: Annotated[
        str | None,
        typer.Option("--format", "-f", help="md, latex, html (tables); csv, json, parquet (all numbers)."),
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="File to write.")] = None,
    task: OnlyTasksOption = None,
    suite: Annotated[
        str | None,
        typer.Option("--suite", help="Only this suite's tasks, with the average that its file declares."),
    ] = None,
    all_metrics: AllMetricsOption = False,
    groups: GroupsOption = False,
    published: Annotated[
        list[str] | None,
        typer.Option("--published", help="Published results beside the runs, e.g. dreamllm; repeatable."),
    ] = None,
    intervals: Annotated[
        bool, typer.Option("--intervals/--no-intervals", help="Show confidence intervals.")
    ] = True,
    rounded_: Annotated[
        bool, typer.Option("--rounded", help="Show no more digits than the intervals support.")
    ] = False,
    transpose: Annotated[
        bool, typer.Option("--transpose", help="Models as columns (Markdown, LaTeX).")
    ] = False,
    width: Annotated[
        str | None,
        typer.Option(help=r"Maximum width of a LaTeX table, a TeX length. Default: \linewidth."),
    ] = None,
    plugin: PluginOption = None,
) -> None:
    """Show the leaderboard of runs. Numbers that were measured differently never share a column."""
    from evalsuite.leaderboards import load, render, table
    from evalsuite.leaderboards.rendering import FORMATS
    from evalsuite.leaderboards.style import rounded, without_intervals
    from evalsuite.leaderboards.terminal import console

    if kind is None and out is not None:
        suffix = out.suffix.lstrip(".").lower()
        kind = _SUFFIXES.get(suffix, suffix)
        if kind not in FORMATS:
            endings = ", ".join(f".{one}" for one in dict.fromkeys((*_SUFFIXES, *FORMATS)) if one != "latex")
            raise SpecError(
                f"{out}: no format of a leaderboard has the ending {out.suffix!r}.",
                f"Give --format, or an ending among {endings}.",
            )
    frame = load(paths)
    if published:
        from evalsuite.leaderboards import with_published
        from evalsuite.published import find_publication, publications

        known = publications(registry_with(plugin))
        frame = with_published(frame, [find_publication(known, name) for name in published])
    if suite:
        from evalsuite.leaderboards.average import tasks_shown, with_average

        entry = registry_with(plugin).suite(suite)
        frame = with_average(frame, entry)
        task = task or tasks_shown(frame, entry)
        if not task:
            raise SpecError(f"No run has a task of the suite {suite!r}.", "See `evalsuite show suite`.")
    shown = table(frame, task or (), all_metrics=all_metrics, groups=groups)
    shown = rounded(shown) if rounded_ else shown
    shown = shown if intervals else without_intervals(shown)
    if kind is None:
        if transpose or width is not None:
            raise SpecError(
                f"{'--transpose' if transpose else '--width'} is not for the terminal.",
                "Name a file with --out, or a format with --format.",
            )
        output().print(console(shown))
        return
    numbers = frame[frame["task"].isin(task)] if task else frame
    content = render(numbers, shown, kind, width=width, transposed=transpose)
    if out is not None:
        write_file(out, content)
        messages().print(f"written: {out}", markup=False)
    elif kind == "parquet" and sys.stdout.isatty():
        raise SpecError("Parquet is not for a terminal.", "Use --out FILE.parquet.")
    else:
        sys.stdout.buffer.write(content)


def gallery(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Runs, side by side.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="PNG or WebP file to write; 300 samples a file.")],
    task: Annotated[
        str | None, typer.Option("--task", "-t", help="Task. Default: the first that generates images.")
    ] = None,
    count: Annotated[int, typer.Option("--count", "-n", min=1, help="Number of samples.")] = 24,
    columns: Annotated[int, typer.Option(min=1, help="Samples per line.")] = 6,
    size: Annotated[int, typer.Option(min=16, help="Edge of an image in pixels.")] = 128,
    every: Annotated[
        bool, typer.Option("--every", help="All images of a sample, not only the first.")
    ] = False,
    judged: Annotated[
        bool, typer.Option("--judged", help="Questions, replies and grades beside every image.")
    ] = False,
    by: Annotated[
        str, typer.Option(metavar="LABEL", help="Order by a label's values, --count samples of each.")
    ] = "",
    plugin: PluginOption = None,
) -> None:
    """Draw a grid of generated or edited images with their prompts."""
    from evalsuite.gallery import draw

    registry = registry_with(plugin) if plugin else None
    shown = draw(
        runs,
        out,
        task=task,
        count=count,
        columns=columns,
        size=size,
        every=every,
        judged=judged,
        by=by,
        registry=registry,
    )
    messages().print(f"written: {out} ({shown} samples)", markup=False)


def badge(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run.")],
    task: Annotated[str, typer.Option("--task", "-t", help="Task whose number is shown.")],
    out: Annotated[Path, typer.Option("--out", "-o", help=".svg, or .json for the endpoint of shields.io.")],
    metric: Annotated[str | None, typer.Option(help="Metric. Default: the task's headline.")] = None,
    rules: Annotated[
        str | None, typer.Option(help="Scoring rules, where the run was scored by several.")
    ] = None,
) -> None:
    """Write a badge with one number, its interval and its marks."""
    from evalsuite.leaderboards import load
    from evalsuite.leaderboards.badge import badge as make
    from evalsuite.leaderboards.badge import kind_of

    write_file(out, make(load([run]), task, metric=metric, rules=rules, kind=kind_of(out)).encode())
    messages().print(f"written: {out}", markup=False)
