"""`evalsuite judge` grades stored responses by an LLM-as-a-judge, `evalsuite runs judgements` shows them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from evalsuite.cli.common import PluginOption, messages, pairs, registry_with, say, show_numbers
from evalsuite.cli.scale_options import (
    CpusPerWorkerOption,
    GpusPerWorkerOption,
    RayAddressOption,
    WorkersOption,
    WorkerTimeoutOption,
    require_workers,
)
from evalsuite.durable import write_file
from evalsuite.plain import plain

if TYPE_CHECKING:
    from evalsuite.judging.asking import JudgeOutcome
    from evalsuite.store import Cost, Judging, TaskResult


def register(app: typer.Typer, runs: typer.Typer) -> None:
    """Adds the commands; `runs` is the group of those that look at runs."""
    app.command("judge")(judge)
    runs.command("judgements")(judgements)


def judge(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Runs to judge.")],
    model: Annotated[
        str | None, typer.Option("--judge", "-j", help="Judge model, by the name its server knows.")
    ] = None,
    judge_model: Annotated[
        str | None,
        typer.Option(
            help="Judge with a model of evalsuite, in this process or on --workers: `name` or `name:FOLDER`.",
            rich_help_panel="Judge in evalsuite",
        ),
    ] = None,
    option: Annotated[
        list[str] | None,
        typer.Option(
            "--option",
            help="Option of that model, KEY=VALUE; repeatable.",
            rich_help_panel="Judge in evalsuite",
        ),
    ] = None,
    device: Annotated[
        str,
        typer.Option(help="Device of the judge model.", rich_help_panel="Judge in evalsuite"),
    ] = "auto",
    dtype: Annotated[
        str, typer.Option(help="Dtype of the judge model.", rich_help_panel="Judge in evalsuite")
    ] = "auto",
    batch_size: Annotated[
        str,
        typer.Option(help="Maximum batch size, or `auto`.", rich_help_panel="Judge in evalsuite"),
    ] = "32",
    base_url: Annotated[
        list[str] | None,
        typer.Option(
            envvar="OPENAI_BASE_URL",
            help="Base URL of an OpenAI-compatible server, including /v1; repeat it where several serve the "
            "judge. Default: https://api.openai.com/v1.",
        ),
    ] = None,
    task: Annotated[
        list[str] | None,
        typer.Option("--task", "-t", help="Only this task; repeatable. Default: all that have a judge."),
    ] = None,
    rules: Annotated[str | None, typer.Option(help="Scoring rules that use a judge.")] = None,
    key_env: Annotated[
        str, typer.Option(help="Environment variable with the API key; the key is never stored.")
    ] = "OPENAI_API_KEY",
    times: Annotated[int, typer.Option("--runs", min=1, help="Judge passes per answer.")] = 1,
    price_in: Annotated[
        float | None,
        typer.Option(min=0, help="Price per million prompt tokens; without it the cost is unknown."),
    ] = None,
    price_out: Annotated[
        float | None, typer.Option(min=0, help="Price per million generated tokens.")
    ] = None,
    parameter: Annotated[
        list[str] | None,
        typer.Option(
            "--parameter",
            help="KEY=VALUE that overrides the protocol; part of the judge's name; repeatable.",
        ),
    ] = None,
    limit_name: Annotated[
        str, typer.Option(help="max_tokens, or max_completion_tokens for models that require it.")
    ] = "max_tokens",
    in_flight: Annotated[int, typer.Option(min=1, help="Maximum concurrent requests.")] = 8,
    timeout: Annotated[float, typer.Option(min=0.001, help="Timeout of one attempt, in seconds.")] = 120.0,
    retries: Annotated[
        int, typer.Option(min=0, help="Maximum retries of a request after a transient error.")
    ] = 6,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Retry failed judgements.")] = False,
    max_failures: Annotated[
        float,
        typer.Option(min=0, help="Maximum failed judgements: a fraction below 1, otherwise a count."),
    ] = 0.0,
    workers: WorkersOption = None,
    ray_address: RayAddressOption = None,
    gpus_per_worker: GpusPerWorkerOption = None,
    cpus_per_worker: CpusPerWorkerOption = None,
    worker_timeout: WorkerTimeoutOption = None,
    plugin: PluginOption = None,
) -> None:
    """Grade stored responses with an LLM-as-a-judge, and score them by its judgements.

    Every judgement is saved as it arrives: run the same command again to
    resume, and only what is missing is asked. Several judges of one run are
    kept separate, each with its own numbers.

    Exit status: 0 success; 1 more judgements failed than --max-failures
    (or answers whose numbers are off the judge's scale), or a task could not
    be scored; 2 error; 130 interrupted.
    """
    from evalsuite.api.running import judge_named, judge_title
    from evalsuite.cli.progress import RunProgress
    from evalsuite.errors import SpecError
    from evalsuite.judging.asking import JudgeOptions, judge_run
    from evalsuite.running.builder import execution_options

    if limit_name not in ("max_tokens", "max_completion_tokens"):
        raise SpecError(f"--limit-name {limit_name!r} is not known.", "max_tokens or max_completion_tokens.")
    named = judge_named(
        model, judge_model, base_url=base_url or (), key_env=key_env, timeout=timeout, retries=retries,
        concurrency=in_flight,
        limit_name="max_tokens" if limit_name == "max_tokens" else "max_completion_tokens",
        options=pairs(option, "--option"), device=device, dtype=dtype, batch_size=batch_size,
    )  # fmt: skip
    scale = {
        "workers": workers, "ray_address": ray_address, "gpus_per_worker": gpus_per_worker,
        "cpus_per_worker": cpus_per_worker, "worker_timeout": worker_timeout,
    }  # fmt: skip
    execution = execution_options({name: value for name, value in scale.items() if value is not None})
    require_workers(scale, execution)
    options = JudgeOptions(
        runs=times,
        parameters={name: _value(text) for name, text in pairs(parameter, "--parameter").items()},
        price_in=price_in,
        price_out=price_out,
        retry_failed=retry_failed,
        execution=execution,
    )
    registry = registry_with(_plugins(plugin, runs)) if plugin else None
    outcomes: list[JudgeOutcome] = []
    for path in runs:
        progress = RunProgress(f"{path.name} by {judge_title(named)}")
        try:
            outcomes.append(
                judge_run(
                    path,
                    named,
                    options,
                    tasks=task or (),
                    rules=rules,
                    registry=registry,
                    plugins=[one.absolute() for one in plugin or ()],
                    progress=progress,
                )
            )
        except KeyboardInterrupt:
            messages().print(f"{path}: interrupted; run the same command again to resume", markup=False)
            raise
    show_numbers(runs)
    for outcome in outcomes:
        _tell(outcome)
    failed = any(
        outcome.too_many_failures(max_failures) or outcome.off_scale > max_failures or outcome.scored.errors
        for outcome in outcomes
    )
    raise typer.Exit(1 if failed else 0)


def _plugins(given: list[Path], runs: list[Path]) -> list[Path]:
    """The plugin files of the command line, and those that the runs were measured with."""
    from evalsuite.store import RunReader

    found = [path.absolute() for path in given]
    for run in runs:
        with RunReader(run) as reader:
            found += [path.absolute() for path in reader.spec.plugins]
    return list(dict.fromkeys(found))


def judgements(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a run.")],
    task: Annotated[str | None, typer.Option("--task", "-t", help="Only this task.")] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="File to write; else standard output.")
    ] = None,
) -> None:
    """Write the judgements, one JSON object per line: judge, task, sample, reply, tokens, failures."""
    import json
    from dataclasses import asdict

    from evalsuite.errors import StoreError
    from evalsuite.store import RunReader

    lines: list[str] = []
    with RunReader(run) as reader:
        for key in [task] if task else reader.task_keys:
            reader.manifest.task(key)
            for one in reader.judges(key):
                for row in reader.judgements(one, key):
                    entry = {"judge": one.named(one.model), **asdict(row)}
                    lines.append(json.dumps(entry, ensure_ascii=False))
    if not lines:
        raise StoreError(f"{run} has no judgements.", "`evalsuite judge` makes them.")
    text = "\n".join(lines) + "\n"
    if out is None:
        typer.echo(plain(text) if sys.stdout.isatty() else text, nl=False)
        return
    write_file(out, text)
    messages().print(f"written: {out} ({len(lines)} judgements)", markup=False)


def _value(text: str) -> Any:
    """A number, true, false or null where it is one, else the text itself."""
    import json

    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _tell(outcome: JudgeOutcome) -> None:
    for key, reason in outcome.scored.errors.items():
        say(f"error: {outcome.path}: {key} is not scored: {reason}", err=True)
    for result in outcome.scored.results:
        if result.judging is not None and result.judging.judge == outcome.judge:
            tally = outcome.tallies[result.task]
            say(
                f"{outcome.path}: {result.task}: {account(result.judging)}; {tally.asked} of them new",
                err=True,
            )
            if tally.failed:
                say(f"{outcome.path}: {result.task}: {tally.failed} requests to the judge failed", err=True)
            if result.unscored:
                say(_unscored(outcome.path, result), err=True)
    for key, tally in outcome.tallies.items():
        if tally.open:
            say(
                f"{outcome.path}: {key}: {tally.open} of {tally.known} judgements failed "
                f"(`evalsuite runs judgements {outcome.path}` shows why; --retry-failed retries them)",
                err=True,
            )


def _unscored(path: Path, result: TaskResult) -> str:
    """How many answers of a judged task have no score, with the most frequent reason."""
    from collections import Counter

    from evalsuite.store import RunReader

    with RunReader(path) as reader:
        failures = reader.scores(result.task, result.rules, result.judge)["failure"]
        reasons = Counter(reason for reason in failures if reason)
    reason, count = reasons.most_common(1)[0]
    return f"{path}: {result.task}: {result.unscored} answers have no score; {count} of them: {reason}"


def account(judging: Judging) -> str:
    """What a judge took, in one line."""
    tokens = "unknown tokens"
    if judging.prompt_tokens is not None and judging.completion_tokens is not None:
        tokens = f"{judging.prompt_tokens:,} + {judging.completion_tokens:,} tokens"
    cost = "unknown" if judging.cost is None else f"{judging.cost:.4g}"
    runs = f" in {judging.runs} runs" if judging.runs > 1 else ""
    failed = f", {judging.failed} failed" if judging.failed else ""
    retries = f", {judging.retries} retries" if judging.retries else ""
    return f"{judging.questions} judgements by {judging.served}{runs}{failed}, {tokens}{retries}, cost {cost}"


def usage(cost: Cost) -> str:
    """What the answers of a served model took, in one line; empty for a local model."""
    if not cost.served and cost.prompt_tokens is None and not cost.retries:
        return ""
    tokens = "unknown tokens"
    if cost.prompt_tokens is not None:
        generated = "unknown" if cost.completion_tokens is None else f"{cost.completion_tokens:,}"
        tokens = f"{cost.prompt_tokens:,} + {generated} tokens"
    charged = "unknown" if cost.charged is None else f"{cost.charged:.4g}"
    served = f"answered by {' and '.join(cost.served)}, " if cost.served else ""
    return f"{served}{tokens}, {cost.retries} retries, cost {charged}"
