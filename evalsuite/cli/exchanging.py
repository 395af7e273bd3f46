"""`evalsuite import` and `evalsuite export`: predictions from elsewhere and to evaluation servers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from evalsuite.cli.common import (
    PluginOption,
    ReasoningOption,
    pairs,
    reasoning_of,
    registry_with,
    say,
    show_numbers,
)


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    app.command("import")(import_)
    app.command("export")(export)


def import_(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of the new run.")],
    task: Annotated[str, typer.Option("--task", "-t", help="Task that the predictions answer.")],
    predictions: Annotated[Path, typer.Option(help="File with the predictions, or MMMU's folder of them.")],
    form: Annotated[
        str,
        typer.Option(
            "--format",
            help="vqa, vizwiz, gqa, docvqa, coco, llava, pope, mmbench, mmvet, mmmu, lmms-eval or "
            "vlmevalkit; detected by default.",
        ),
    ] = "",
    model: Annotated[
        str, typer.Option("--model", "-m", help="Model name in leaderboards. Default: the file's name.")
    ] = "",
    protocol: Annotated[str | None, typer.Option(help="Protocol; only its post-processing matters.")] = None,
    rules: Annotated[str | None, typer.Option(help="Named scoring rules.")] = None,
    data: Annotated[Path | None, typer.Option(help="Folder with the benchmark's files.")] = None,
    task_option: Annotated[
        list[str] | None, typer.Option("--task-option", help="Option of the task, KEY=VALUE; repeatable.")
    ] = None,
    partial: Annotated[
        bool,
        typer.Option("--partial", help="Accept a partial file: leave out questions without a prediction."),
    ] = False,
    ignore_unknown: Annotated[
        bool, typer.Option("--ignore-unknown", help="Ignore predictions for questions of other benchmarks.")
    ] = False,
    reasoning: ReasoningOption = None,
    plugin: PluginOption = None,
) -> None:
    """Import predictions made elsewhere as a run, and score it."""
    from evalsuite.exchange import import_predictions
    from evalsuite.spec import TaskSpec

    spec = TaskSpec(
        name=task, protocol=protocol, rules=rules, data=data, options=pairs(task_option, "--task-option")
    )
    scored = import_predictions(
        run,
        spec,
        predictions,
        form,
        model=model,
        partial=partial,
        ignore_unknown=ignore_unknown,
        reasoning=reasoning_of(reasoning) or "strip",
        registry=registry_with(plugin),
    )
    for key, reason in scored.errors.items():
        say(f"error: {run}: {key}: {reason}", err=True)
    show_numbers([run])
    raise typer.Exit(1 if scored.errors else 0)


def export(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a run.")],
    form: Annotated[
        str,
        typer.Option(
            "--format",
            help="evalai, coco, mmvet, mmbench (for servers); lm-eval (results), lmms-eval (samples), "
            "inspect (.eval log).",
        ),
    ],
    out: Annotated[
        Path, typer.Option("--out", "-o", help="File to write; an earlier export there is replaced.")
    ],
    task: Annotated[
        str | None, typer.Option("--task", "-t", help="Task of the run. Default: its only one.")
    ] = None,
    plugin: PluginOption = None,
) -> None:
    """Export a run in an evaluation server's or another harness's format.

    Servers take complete runs only; the formats of other harnesses take what
    there is, lm-eval all tasks of the run in one file.
    """
    from evalsuite.errors import SpecError
    from evalsuite.exchange import REPORTS, export_predictions, export_report
    from evalsuite.store import RunReader

    if form == "lm-eval" or (form in REPORTS and task is not None):
        written = export_report(run, form, out, task=task, registry=registry_with(plugin) if plugin else None)
        say(f"{out}: {written}")
        return
    if task is None:
        with RunReader(run) as reader:
            keys = reader.task_keys
        if len(keys) != 1:
            raise SpecError(f"{run} has several tasks: {', '.join(keys)}.", "Name one with --task.")
        task = keys[0]
    if form in REPORTS:
        written = export_report(run, form, out, task=task, registry=registry_with(plugin) if plugin else None)
        say(f"{out}: {written}")
        return
    count = export_predictions(run, task, form, out, registry=registry_with(plugin) if plugin else None)
    say(f"{out}: {count} answers")
