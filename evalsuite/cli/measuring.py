"""`evalsuite run` and `evalsuite score`."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from evalsuite.cli import completion
from evalsuite.cli.common import (
    PluginOption,
    ReasoningOption,
    SeriesOption,
    StepOption,
    TrainSeedOption,
    messages,
    pairs,
    print_error,
    reasoning_of,
    registry_with,
    say,
    show_numbers,
)
from evalsuite.cli.logging import LogOption, LogProjectOption, destinations, log_runs
from evalsuite.cli.scale_options import (
    CpusPerWorkerOption,
    GpusPerWorkerOption,
    RayAddressOption,
    WorkersOption,
    WorkerTimeoutOption,
    require_workers,
)
from evalsuite.errors import EvalsuiteError

if TYPE_CHECKING:
    from evalsuite.running import RunOutcome
    from evalsuite.running.builder import Planned
    from evalsuite.task.entry import SuiteEntry

WHAT, SAMPLES, THROUGHPUT = "What to run", "Samples and prompts", "Throughput"
FAILURES, STORED, SCALE = "Failures", "Stored images", "Scale"
"""Headings of the help of `evalsuite run`."""

_REASONS = 5
"""Number of failure reasons that are printed; the run holds all of them."""


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    app.command("run")(run)
    app.command("score")(score)


def run(
    model: Annotated[
        list[str] | None,
        typer.Option(
            "--model",
            "-m",
            help="Model, as `name` or `name:FOLDER`; repeatable. Default: the suite's.",
            rich_help_panel=WHAT,
            autocompletion=completion.models,
        ),
    ] = None,
    suite: Annotated[
        str | None,
        typer.Option(help="Named list of tasks.", rich_help_panel=WHAT, autocompletion=completion.suites),
    ] = None,
    task: Annotated[
        list[str] | None,
        typer.Option(
            "--task", "-t", help="Task; repeatable.", rich_help_panel=WHAT, autocompletion=completion.tasks
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", help="Folder of the run; several models go to OUT/MODEL.", rich_help_panel=WHAT
        ),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            help="YAML file with the same settings; command-line options override the file.",
            rich_help_panel=WHAT,
        ),
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Maximum samples per task: a seeded subset, the same for every model.",
            rich_help_panel=SAMPLES,
        ),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Seed of all sampling. Default: 0.", rich_help_panel=SAMPLES)
    ] = None,
    protocol: Annotated[
        str | None,
        typer.Option(
            help="Prompt protocol of all tasks, by name.",
            rich_help_panel=SAMPLES,
            autocompletion=completion.protocols,
        ),
    ] = None,
    rules: Annotated[
        str | None,
        typer.Option(
            help="Scoring rules of all tasks, by name.",
            rich_help_panel=SAMPLES,
            autocompletion=completion.rules,
        ),
    ] = None,
    data: Annotated[
        Path | None, typer.Option(help="Folder with the benchmark's files.", rich_help_panel=SAMPLES)
    ] = None,
    option: Annotated[
        list[str] | None,
        typer.Option("--option", help="Option of the model, KEY=VALUE; repeatable.", rich_help_panel=SAMPLES),
    ] = None,
    task_option: Annotated[
        list[str] | None,
        typer.Option(
            "--task-option", help="Option of the tasks, KEY=VALUE; repeatable.", rich_help_panel=SAMPLES
        ),
    ] = None,
    plugin: PluginOption = None,
    device: Annotated[
        str | None, typer.Option(help="cpu, cuda, cuda:1, mps or auto (default).", rich_help_panel=THROUGHPUT)
    ] = None,
    dtype: Annotated[
        str | None,
        typer.Option(help="float32, bfloat16, float16 or auto (default).", rich_help_panel=THROUGHPUT),
    ] = None,
    blind: Annotated[
        bool | None,
        typer.Option(
            "--blind/--no-blind",
            help="Blind baseline: run the models without the images.",
            rich_help_panel=SAMPLES,
        ),
    ] = None,
    batch_size: Annotated[
        str | None,
        typer.Option(
            help="Maximum, halved when memory runs out (default: 32); `auto` finds what fits.",
            rich_help_panel=THROUGHPUT,
        ),
    ] = None,
    prepare_threads: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Threads that prefetch requests. Default: one per core, at most 8, on a GPU; else 1.",
            rich_help_panel=THROUGHPUT,
        ),
    ] = None,
    prefetch: Annotated[
        int | None,
        typer.Option(
            min=1, help="Maximum prefetched requests in memory. Default: 256.", rich_help_panel=THROUGHPUT
        ),
    ] = None,
    max_failures: Annotated[
        float | None,
        typer.Option(
            min=0,
            help="Maximum failed samples: a fraction below 1, otherwise a count. Default: 0.",
            rich_help_panel=FAILURES,
        ),
    ] = None,
    self_check: Annotated[
        bool | None,
        typer.Option(
            "--self-check/--no-self-check",
            help="Check at the start that a batch gives the same answers as single requests.",
            rich_help_panel=THROUGHPUT,
        ),
    ] = None,
    retry_failed: Annotated[
        bool | None, typer.Option("--retry-failed", help="Retry failed samples.", rich_help_panel=FAILURES)
    ] = None,
    workers: WorkersOption = None,
    ray_address: RayAddressOption = None,
    gpus_per_worker: GpusPerWorkerOption = None,
    cpus_per_worker: CpusPerWorkerOption = None,
    worker_timeout: WorkerTimeoutOption = None,
    same_gpus: Annotated[
        bool | None,
        typer.Option("--same-gpus", help="Refuse workers with a different GPU model.", rich_help_panel=SCALE),
    ] = None,
    batch_invariant: Annotated[
        bool | None,
        typer.Option(
            "--batch-invariant",
            help="Use batch size 1 where a batch is not bit-identical to single requests, even by rounding.",
            rich_help_panel=THROUGHPUT,
        ),
    ] = None,
    image_format: Annotated[
        str | None,
        typer.Option(
            help="How images are stored: png (default) or webp; both lossless.", rich_help_panel=STORED
        ),
    ] = None,
    image_level: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=9,
            help="Compression level, 0 (fastest) to 9 (smallest); always lossless.",
            rich_help_panel=STORED,
        ),
    ] = None,
    equal_failures: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Stop after N consecutive samples with the same failure; 0: never. Default: 25.",
            rich_help_panel=FAILURES,
        ),
    ] = None,
    reasoning: ReasoningOption = None,
    image_shards: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Images per tar shard; 0: single files. Default: shards from 20,000 images on.",
            rich_help_panel=STORED,
        ),
    ] = None,
    step: StepOption = None,
    series: SeriesOption = None,
    train_seed: TrainSeedOption = None,
    log_to: LogOption = None,
    log_project: LogProjectOption = None,
) -> None:
    """Evaluate models on benchmarks, and show the leaderboard.

    Run the same command again to resume an interrupted run: only missing
    samples are evaluated.

    Exit status: 0 success; 1 more samples failed than --max-failures, or a
    task could not be scored; 2 error; 130 interrupted.
    """
    from evalsuite.cli.progress import RunProgress
    from evalsuite.running.builder import Asked, plan, read_file
    from evalsuite.running.several import measure_all

    execution = {
        "batch_size": batch_size, "prepare_threads": prepare_threads, "prefetch": prefetch,
        "max_failures": max_failures, "self_check": self_check, "retry_failed": retry_failed,
        "image_shards": image_shards, "workers": workers, "ray_address": ray_address,
        "gpus_per_worker": gpus_per_worker, "cpus_per_worker": cpus_per_worker,
        "worker_timeout": worker_timeout, "same_gpus": same_gpus,
        "batch_invariant": batch_invariant, "image_format": image_format, "image_level": image_level,
        "equal_failures": equal_failures,
    }  # fmt: skip
    logs = destinations(log_to, log_project)
    file = read_file(config)
    asked = Asked(
        models=model or (), suite=suite, tasks=task or (), out=out, limit=limit, seed=seed, device=device,
        dtype=dtype, blind=blind, protocol=protocol, rules=rules, data=data,
        options=pairs(option, "--option"),
        task_options=pairs(task_option, "--task-option"), plugins=plugin or (),
        reasoning=reasoning_of(reasoning), step=step, series=series, train_seed=train_seed,
        execution={name: value for name, value in execution.items() if value is not None},
        spelling=lambda name: f"--{name.replace('_', '-')}",
    )  # fmt: skip
    registry = registry_with([*file.plugins, *asked.plugins])
    runs, options = plan(asked, file, registry)
    require_workers(execution, options)

    def progress(planned: Planned) -> RunProgress:
        name = planned.spec.model.name
        if planned.left_out:
            left_out = f"{name}: cannot do {', '.join(planned.left_out)}: left out"
            messages().print(left_out, markup=False)
        return RunProgress(name)

    def failed(planned: Planned, error: EvalsuiteError) -> None:
        print_error(type(error)(f"{planned.spec.model.name}: {error.what}", error.remedy))

    try:
        ended = measure_all(runs, options, registry, progress, failed)
    except KeyboardInterrupt:
        messages().print("interrupted; run the same command again to resume", markup=False)
        raise
    outcomes = [one.outcome for one in ended if one.outcome is not None]
    used = asked.suite or (file.suite if not asked.tasks else None)
    _show(outcomes, registry.suite(used) if used else None)
    log_runs([outcome.path for outcome in outcomes], logs)
    if len(outcomes) < len(ended):
        raise typer.Exit(2)
    raise typer.Exit(max((outcome.exit_code for outcome in outcomes), default=0))


def score(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Runs to re-score.")],
    rules: Annotated[
        str | None, typer.Option(help="Scoring rules, comma-separated. Default: those of the run.")
    ] = None,
    reasoning: ReasoningOption = None,
    log_to: LogOption = None,
    log_project: LogProjectOption = None,
    workers: WorkersOption = None,
    ray_address: RayAddressOption = None,
    plugin: PluginOption = None,
) -> None:
    """Re-score stored responses: needs the benchmark's data, but no model.

    Features of images that a run keeps are read, not computed again.
    """
    from evalsuite.running.builder import execution_options
    from evalsuite.running.scoring import score_run

    logs = destinations(log_to, log_project)
    asked = {"workers": workers, "ray_address": ray_address}
    options = execution_options(
        {name: value for name, value in asked.items() if value is not None},
        spelling=lambda name: f"--{name.replace('_', '-')}",
    )

    registry = registry_with(plugin) if plugin else None
    how = reasoning_of(reasoning)
    failed = False
    for run_path in runs:
        for named in rules.split(",") if rules else [None]:
            scored = score_run(run_path, named.strip() if named else None, registry, how, options)
            for key, reason in scored.errors.items():
                failed = True
                say(f"error: {run_path}: {key}: {reason}", err=True)
    show_numbers(runs)
    log_runs(runs, logs)
    raise typer.Exit(1 if failed else 0)


def _show(outcomes: list[RunOutcome], suite: SuiteEntry | None = None) -> None:
    from evalsuite.store import RunReader

    if any(outcome.results for outcome in outcomes):
        show_numbers([outcome.path for outcome in outcomes], suite)
    console = messages()
    for outcome in outcomes:
        for key, reason in outcome.scoring_errors.items():
            say(f"error: {outcome.path}: {key} is not scored: {reason}", err=True)
        if outcome.missing:
            say(f"error: {outcome.path}: {outcome.missing} samples were not asked", err=True)
        if outcome.failed:
            with RunReader(outcome.path) as reader:
                reasons = Counter(f"{record.task}: {record.error}" for record in reader.failures())
            verdict = "more than allowed" if outcome.too_many_failures else "allowed"
            console.print(
                f"{outcome.path}: {outcome.failed} failed samples ({verdict}: {outcome.failures_allowed:g})",
                style="red" if outcome.too_many_failures else "yellow",
                markup=False,
            )
            for reason, count in reasons.most_common(_REASONS):
                console.print(f"  {count} x {reason}", markup=False)
            more = len(reasons) - _REASONS
            if more > 0:
                line = f"  and {more} other reasons: `evalsuite runs show {outcome.path} --all`"
                console.print(line, markup=False)
    if outcomes:
        console.print(
            f"runs: {', '.join(str(outcome.path) for outcome in outcomes)}", style="dim", markup=False
        )
