"""`evalsuite leaderboard` and `evalsuite gallery`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from evalsuite.cli.common import PluginOption, messages, output, registry_with
from evalsuite.durable import write_file
from evalsuite.errors import SpecError

_SUFFIXES = {"tex": "latex", "markdown": "md", "htm": "html"}


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    app.command("leaderboard")(leaderboard)
    app.command("gallery")(gallery)


def leaderboard(
    paths: Annotated[
        list[Path], typer.Argument(metavar="RUN_OR_FOLDER...", help="Runs, or folders of runs.")
    ],
    kind: Annotated[
        str | None,
        typer.Option("--format", "-f", help="md, latex, html (tables); csv, json, parquet (all numbers)."),
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="File to write.")] = None,
    task: Annotated[
        list[str] | None, typer.Option("--task", "-t", help="Only this task; repeatable.")
    ] = None,
    all_metrics: Annotated[
        bool, typer.Option("--all-metrics", help="Every metric instead of each task's headline.")
    ] = False,
    groups: Annotated[bool, typer.Option("--groups", help="Include breakdowns.")] = False,
    published: Annotated[
        list[str] | None,
        typer.Option("--published", help="Published results beside the runs, e.g. dreamllm; repeatable."),
    ] = None,
    plugin: PluginOption = None,
) -> None:
    """Show the leaderboard of runs. Numbers that were measured differently never share a column."""
    from evalsuite.leaderboards import load, render, table
    from evalsuite.leaderboards.rendering import console

    if kind is None and out is not None:
        suffix = out.suffix.lstrip(".").lower()
        kind = _SUFFIXES.get(suffix, suffix)
    frame = load(paths)
    if published:
        from evalsuite.leaderboards import with_published
        from evalsuite.published import find_publication, publications

        known = publications(registry_with(plugin))
        frame = with_published(frame, [find_publication(known, name) for name in published])
    shown = table(frame, task or (), all_metrics=all_metrics, groups=groups)
    if kind is None:
        output().print(console(shown))
        return
    content = render(frame[frame["task"].isin(task)] if task else frame, shown, kind)
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
