"""`evalsuite track`: checkpoints over training."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from evalsuite.cli.common import (
    AllMetricsOption,
    GroupsOption,
    OnlyTasksOption,
    PluginOption,
    ResamplesOption,
    messages,
    registry_with,
    say,
)
from evalsuite.cli.logging import LogOption, LogProjectOption, destinations, log_runs
from evalsuite.durable import write_file
from evalsuite.errors import SpecError, suggest

_KINDS = (".png", ".svg", ".pdf", ".csv", ".json", ".md")


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("track")(track)


def track(
    paths: Annotated[
        list[Path],
        typer.Argument(metavar="RUN_OR_FOLDER...", help="Runs of checkpoints, or folders of runs."),
    ],
    out: Annotated[
        list[Path] | None,
        typer.Option("--out", "-o", help="File to write: .png, .svg, .pdf, .csv, .json or .md; repeatable."),
    ] = None,
    task: OnlyTasksOption = None,
    all_metrics: AllMetricsOption = False,
    groups: GroupsOption = False,
    exact: Annotated[
        bool,
        typer.Option(
            "--exact", help="Compute metrics that are no means again to test their last change: slow."
        ),
    ] = False,
    every: Annotated[bool, typer.Option("--steps", help="Print a line per step.")] = False,
    resamples: ResamplesOption = 2000,
    log_to: LogOption = None,
    log_project: LogProjectOption = None,
    plugin: PluginOption = None,
) -> None:
    """Show curves over the checkpoints of a training, with the best step and the last change.

    A run knows its step by --step of `evalsuite run`, or by the folder of
    its checkpoint (checkpoint-1000, step_1000, trainer_state.json).
    """
    from evalsuite import tracking
    from evalsuite.tracking import drawing, rendering

    for path in out or ():
        if path.suffix.lower() not in _KINDS:
            raise SpecError(f"{path} is none of {', '.join(_KINDS)}.", suggest(path.suffix, _KINDS))
    logs = destinations(log_to, log_project)
    registry = registry_with(plugin) if plugin else None
    found = tracking.track(
        paths,
        tasks=task or (),
        all_metrics=all_metrics,
        groups=groups,
        exact=exact,
        resamples=resamples,
        registry=registry,
    )
    say(rendering.text(found, every=every), nl=False)
    texts = {".csv": rendering.to_csv, ".json": rendering.to_json, ".md": rendering.markdown}
    for path in out or ():
        kind = path.suffix.lower()
        if kind in texts:
            write_file(path, texts[kind](found))
        else:
            drawing.draw(found, path)
        messages().print(f"written: {path}", markup=False)
    if logs:
        runs = [one.run.path for curve in found.curves for point in curve.points for one in point.measured]
        log_runs(list(dict.fromkeys(runs)), logs)
