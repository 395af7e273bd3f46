"""`evalsuite run` and `evalsuite score`."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from evalsuite.cli.common import (
    PluginOption,
    ReasoningOption,
    messages,
    pairs,
    print_error,
    reasoning_of,
    registry_with,
    say,
    show_numbers,
)
from evalsuite.errors import EvalsuiteError

if TYPE_CHECKING:
    from evalsuite.running import RunOutcome
    from evalsuite.running.builder import Planned

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
            "--model", "-m", help="Model, as `name` or `name:FOLDER`; repeatable. Default: the suite's."
        ),
    ] = None,
    suite: Annotated[str | None, typer.Option(help="Named list of tasks.")] = None,
    task: Annotated[list[str] | None, typer.Option("--task", "-t", help="Task; repeatable.")] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Folder of the run; several models go to OUT/MODEL."),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(help="YAML file with the same settings; command-line options override the file."),
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(min=1, help="Maximum samples per task: a seeded subset, the same for every model."),
    ] = None,
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
    plugin: PluginOption = None,
    device: Annotated[str | None, typer.Option(help="cpu, cuda, cuda:1, mps or auto (default).")] = None,
    dtype: Annotated[str | None, typer.Option(help="float32, bfloat16, float16 or auto (default).")] = None,
    blind: Annotated[
        bool | None,
        typer.Option("--blind/--no-blind", help="Blind baseline: run the models without the images."),
    ] = None,
    batch_size: Annotated[
        str | None,
        typer.Option(help="Maximum, halved when memory runs out (default: 32); `auto` finds what fits."),
    ] = None,
    prepare_threads: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Threads that prefetch requests. Default: one per core, at most 8, on a GPU; else 1.",
        ),
    ] = None,
    prefetch: Annotated[
        int | None, typer.Option(min=1, help="Maximum prefetched requests in memory. Default: 256.")
    ] = None,
    max_failures: Annotated[
        float | None,
        typer.Option(
            min=0, help="Maximum failed samples: a fraction below 1, otherwise a count. Default: 0."
        ),
    ] = None,
    self_check: Annotated[
        bool | None,
        typer.Option(
            "--self-check/--no-self-check",
            help="Check at the start that a batch gives the same answers as single requests.",
        ),
    ] = None,
    retry_failed: Annotated[bool | None, typer.Option("--retry-failed", help="Retry failed samples.")] = None,
    workers: Annotated[
        str | None,
        typer.Option(help="Number of Ray workers, or `auto` for one per GPU.", rich_help_panel="Scale"),
    ] = None,
    ray_address: Annotated[
        str | None,
        typer.Option(help="Ray cluster, `auto` or HOST:PORT. Default: a local one.", rich_help_panel="Scale"),
    ] = None,
    gpus_per_worker: Annotated[
        float | None,
        typer.Option(
            min=0, help="GPUs of each worker (default: 1; 0.5 shares one).", rich_help_panel="Scale"
        ),
    ] = None,
    cpus_per_worker: Annotated[
        float | None,
        typer.Option(min=0.1, help="Cores of each worker (default: 1).", rich_help_panel="Scale"),
    ] = None,
    worker_timeout: Annotated[
        float | None,
        typer.Option(
            min=1,
            help="Seconds of silence after which other workers take over a worker's samples.",
            rich_help_panel="Scale",
        ),
    ] = None,
    same_gpus: Annotated[
        bool | None,
        typer.Option(
            "--same-gpus", help="Refuse workers with a different GPU model.", rich_help_panel="Scale"
        ),
    ] = None,
    batch_invariant: Annotated[
        bool | None,
        typer.Option(
            "--batch-invariant",
            help="Use batch size 1 where a batch is not bit-identical to single requests, even by rounding.",
        ),
    ] = None,
    image_format: Annotated[
        str | None, typer.Option(help="How images are stored: png (default) or webp; both lossless.")
    ] = None,
    image_level: Annotated[
        int | None,
        typer.Option(min=0, max=9, help="Compression level, 0 (fastest) to 9 (smallest); always lossless."),
    ] = None,
    equal_failures: Annotated[
        int | None,
        typer.Option(
            min=0, help="Stop after N consecutive samples with the same failure; 0: never. Default: 25."
        ),
    ] = None,
    reasoning: ReasoningOption = None,
    image_shards: Annotated[
        int | None,
        typer.Option(
            min=0, help="Images per tar shard; 0: single files. Default: shards from 20,000 images on."
        ),
    ] = None,
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
    file = read_file(config)
    asked = Asked(
        models=model or (), suite=suite, tasks=task or (), out=out, limit=limit, seed=seed, device=device,
        dtype=dtype, blind=blind, protocol=protocol, rules=rules, data=data,
        options=pairs(option, "--option"),
        task_options=pairs(task_option, "--task-option"), plugins=plugin or (),
        reasoning=reasoning_of(reasoning),
        execution={name: value for name, value in execution.items() if value is not None},
        spelling=lambda name: f"--{name.replace('_', '-')}",
    )  # fmt: skip
    registry = registry_with([*file.plugins, *asked.plugins])
    runs, options = plan(asked, file, registry)

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
    _show(outcomes)
    if len(outcomes) < len(ended):
        raise typer.Exit(2)
    raise typer.Exit(max((outcome.exit_code for outcome in outcomes), default=0))


def score(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Runs to re-score.")],
    rules: Annotated[
        str | None, typer.Option(help="Scoring rules, comma-separated. Default: those of the run.")
    ] = None,
    reasoning: ReasoningOption = None,
    workers: Annotated[
        str | None,
        typer.Option(
            help="Ray workers that compute features of images: a number, or `auto` for one per GPU.",
            rich_help_panel="Scale",
        ),
    ] = None,
    ray_address: Annotated[
        str | None,
        typer.Option(help="Ray cluster, `auto` or HOST:PORT. Default: a local one.", rich_help_panel="Scale"),
    ] = None,
    plugin: PluginOption = None,
) -> None:
    """Re-score stored responses: needs the benchmark's data, but no model.

    Features of images that a run keeps are read, not computed again.
    """
    from evalsuite.running.builder import execution_options
    from evalsuite.running.scoring import score_run

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
    raise typer.Exit(1 if failed else 0)


def _show(outcomes: list[RunOutcome]) -> None:
    from evalsuite.store import RunReader

    if any(outcome.results for outcome in outcomes):
        show_numbers([outcome.path for outcome in outcomes])
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
