"""`evalsuite import` and `evalsuite export`: predictions and images from elsewhere, and to scorers."""

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
    predictions: Annotated[
        Path, typer.Option(help="File with the predictions, MMMU's folder of them, or a folder of images.")
    ],
    form: Annotated[
        str,
        typer.Option(
            "--format",
            help="vqa, vizwiz, gqa, docvqa, coco, llava, pope, mmbench, mmvet, mmmu, lmms-eval or "
            "vlmevalkit; detected by default. Of images: dpg, geneval, t2i-compbench, wise, oneig, "
            "unigenbench, genai, mjhq, gedit or imgedit.",
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
        typer.Option("--partial", help="Leave out questions without a prediction, prompts without images."),
    ] = False,
    ignore_unknown: Annotated[
        bool, typer.Option("--ignore-unknown", help="Ignore predictions, and images, of other benchmarks.")
    ] = False,
    reasoning: ReasoningOption = None,
    plugin: PluginOption = None,
) -> None:
    """Import predictions or images made elsewhere as a run, and score it."""
    from evalsuite.exchange import LAYOUTS, import_images, import_predictions
    from evalsuite.spec import TaskSpec

    spec = TaskSpec(
        name=task, protocol=protocol, rules=rules, data=data, options=pairs(task_option, "--task-option")
    )
    if form in LAYOUTS:
        scored = import_images(
            run,
            spec,
            predictions,
            form,
            model=model,
            partial=partial,
            ignore_unknown=ignore_unknown,
            registry=registry_with(plugin),
        )
    else:
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
            "inspect (.eval log); folders of images for official scorers: dpg, geneval, t2i-compbench, wise, "
            "oneig, unigenbench, genai, mjhq, gedit, imgedit.",
        ),
    ],
    out: Annotated[
        Path,
        typer.Option(
            "--out", "-o", help="File to write, replacing an earlier export there; of images a new folder."
        ),
    ],
    task: Annotated[
        str | None, typer.Option("--task", "-t", help="Task of the run. Default: its only one.")
    ] = None,
    plugin: PluginOption = None,
) -> None:
    """Export a run for an evaluation server, an official scorer or another harness.

    Servers take complete runs only; the formats of images and of other harnesses
    take what there is, lm-eval all tasks of the run in one file.
    """
    from evalsuite.errors import SpecError
    from evalsuite.exchange import LAYOUTS, REPORTS, export_images, export_predictions, export_report
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
    if form in LAYOUTS:
        images = export_images(run, task, form, out, registry=registry_with(plugin) if plugin else None)
        lacking = f" ({images.without} samples without images are left out)" if images.without else ""
        say(f"{out}: {images.files} files of {images.samples} samples{lacking}")
        return
    count = export_predictions(run, task, form, out, registry=registry_with(plugin) if plugin else None)
    say(f"{out}: {count} answers")
