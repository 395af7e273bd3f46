"""`evalsuite watch`: measures the checkpoints of a training as they appear."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from evalsuite.cli.common import (
    PluginOption,
    SeriesOption,
    TrainSeedOption,
    messages,
    pairs,
    registry_with,
    say,
    show_numbers,
)
from evalsuite.cli.logging import LogOption, LogProjectOption, destinations, log_runs
from evalsuite.errors import SpecError

if TYPE_CHECKING:
    from evalsuite.watching import Watched


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("watch")(watch)


def watch(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Output folder of the training.")],
    model: Annotated[
        str, typer.Option("--model", "-m", help="Adapter that loads its checkpoints, e.g. dreamllm.")
    ],
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Folder of the runs: one per checkpoint, named like it.")
    ],
    suite: Annotated[str | None, typer.Option(help="Named list of tasks.")] = None,
    task: Annotated[list[str] | None, typer.Option("--task", "-t", help="Task; repeatable.")] = None,
    config: Annotated[Path | None, typer.Option(help="YAML file with settings of `evalsuite run`.")] = None,
    newest: Annotated[
        bool, typer.Option("--newest", help="Measure only the newest checkpoint at a time. Default: all.")
    ] = False,
    until: Annotated[
        int | None, typer.Option(min=0, help="End after a checkpoint of this step or a later one.")
    ] = None,
    idle_timeout: Annotated[
        float | None,
        typer.Option(min=0, help="End after so many seconds without a new checkpoint. 0: what is there."),
    ] = None,
    poll: Annotated[float, typer.Option(min=0.1, help="Seconds between two looks at the folder.")] = 5.0,
    marker: Annotated[
        str, typer.Option(help="File that the training writes into a checkpoint when it is whole.")
    ] = "",
    settle: Annotated[
        float,
        typer.Option(min=0, help="Seconds without a change until one without trainer_state.json is whole."),
    ] = 20.0,
    limit: Annotated[int | None, typer.Option(min=1, help="Maximum samples per task.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of all sampling. Default: 0.")] = None,
    protocol: Annotated[str | None, typer.Option(help="Prompt protocol of all tasks, by name.")] = None,
    rules: Annotated[str | None, typer.Option(help="Scoring rules of all tasks, by name.")] = None,
    data: Annotated[Path | None, typer.Option(help="Folder with the benchmark's files.")] = None,
    option: Annotated[
        list[str] | None, typer.Option("--option", help="Option of the model, KEY=VALUE; repeatable.")
    ] = None,
    task_option: Annotated[
        list[str] | None, typer.Option("--task-option", help="Option of the tasks, KEY=VALUE; repeatable.")
    ] = None,
    device: Annotated[str | None, typer.Option(help="cpu, cuda, cuda:1, mps or auto (default).")] = None,
    dtype: Annotated[str | None, typer.Option(help="float32, bfloat16, float16 or auto (default).")] = None,
    batch_size: Annotated[str | None, typer.Option(help="Maximum batch size, or `auto`.")] = None,
    max_failures: Annotated[
        float | None, typer.Option(min=0, help="Maximum failed samples, fraction or count. Default: 0.")
    ] = None,
    series: SeriesOption = None,
    train_seed: TrainSeedOption = None,
    log_to: LogOption = None,
    log_project: LogProjectOption = None,
    plugin: PluginOption = None,
) -> None:
    """Measure new checkpoints of a training as they appear, each exactly once.

    Only checkpoints that are written to the end are measured. Killed and
    started again, it resumes; `evalsuite track OUT` shows
    the curves.

    Exit status: 0 all were measured; 1 a checkpoint was not, or not whole;
    2 error; 130 interrupted.
    """
    from evalsuite.cli.progress import RunProgress
    from evalsuite.running.builder import Asked, read_file
    from evalsuite.watching import Plan
    from evalsuite.watching import watch as watch_folder

    if ":" in model:
        raise SpecError(
            f"--model {model!r} names a checkpoint.", f"Name the adapter only: {model.partition(':')[0]}."
        )
    logs = destinations(log_to, log_project)
    file = read_file(config)
    execution = {"batch_size": batch_size, "max_failures": max_failures}
    asked = Asked(
        suite=suite, tasks=task or (), limit=limit, seed=seed, protocol=protocol, rules=rules, data=data,
        options=pairs(option, "--option"), task_options=pairs(task_option, "--task-option"), device=device,
        dtype=dtype, plugins=plugin or (), series=series, train_seed=train_seed,
        execution={name: value for name, value in execution.items() if value is not None},
        spelling=lambda name: f"--{name.replace('_', '-')}",
    )  # fmt: skip
    registry = registry_with([*file.plugins, *asked.plugins])
    how = Plan(model, out, registry, asked, file, RunProgress)
    how.planned(folder.absolute() / "checkpoint-0")  # wrong settings are an error now, not at a checkpoint
    console = messages()

    def told(one: Watched) -> None:
        name = one.checkpoint.path.name
        if one.problem:
            say(f"error: {name}: {one.problem}", err=True)
        if one.outcome is not None:
            if one.outcome.results:
                show_numbers([one.outcome.path])
            log_runs([one.outcome.path], logs)

    def waiting(what: str) -> None:
        console.print(f"waiting for {what}", style="dim", markup=False)

    try:
        ended = watch_folder(
            folder.absolute(), how, which="newest" if newest else "all",
            until=until, idle_timeout=idle_timeout, poll=poll, marker=marker, settled=settle, told=told,
            waiting=waiting,
        )  # fmt: skip
    except KeyboardInterrupt:
        console.print("interrupted; run the same command again to go on", markup=False)
        raise
    done = [one for one in ended if not one.problem]
    console.print(f"measured {len(done)} of {len(ended)} checkpoints: {out}", style="dim", markup=False)
    raise typer.Exit(int(len(done) < len(ended)))
