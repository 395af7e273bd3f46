"""Measuring, scoring and judging."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypedDict, Unpack, overload

from evalsuite.api.common import registry_of

if TYPE_CHECKING:
    from evalsuite.comparison.sides import Where
    from evalsuite.endpoint import Server
    from evalsuite.engine import Progress
    from evalsuite.judging.asking import JudgeOutcome
    from evalsuite.judging.model import ModelJudge
    from evalsuite.model.reasoning import Reasoning
    from evalsuite.notebook import Run
    from evalsuite.registry import Registry

DEFAULT_OUT = "run"
OPENAI = "https://api.openai.com/v1"


class RunSettings(TypedDict, total=False):
    """The keyword arguments of `run`."""

    suite: str | None
    config: Path | str | None
    limit: int | None
    seed: int | None
    protocol: str | None
    rules: str | None
    data: Path | str | None
    options: Mapping[str, Any] | None
    task_options: Mapping[str, Any] | None
    device: str | None
    dtype: str | None
    blind: bool | None
    reasoning: Reasoning | None
    plugins: Iterable[Path | str]
    registry: Registry | None
    progress: Callable[[str], Progress] | None
    batch_size: int | Literal["auto"]
    prepare_threads: int
    prefetch: int
    max_failures: float
    self_check: bool
    retry_failed: bool
    equal_failures: int
    image_shards: int | None
    image_format: Literal["png", "webp"]
    image_level: int | None
    batch_invariant: bool
    workers: int | Literal["auto"] | None
    ray_address: str | None
    gpus_per_worker: float
    cpus_per_worker: float
    worker_timeout: float | None
    same_gpus: bool


@overload
def run(
    model: str,
    tasks: str | Sequence[str] = (),
    out: Path | str | None = None,
    **settings: Unpack[RunSettings],
) -> Run: ...
@overload
def run(
    model: list[str] | tuple[str, ...] | None = None,
    tasks: str | Sequence[str] = (),
    out: Path | str | None = None,
    **settings: Unpack[RunSettings],
) -> list[Run]: ...
def run(
    model: str | list[str] | tuple[str, ...] | None = None,
    tasks: str | Sequence[str] = (),
    out: Path | str | None = None,
    *,
    suite: str | None = None,
    config: Path | str | None = None,
    limit: int | None = None,
    seed: int | None = None,
    protocol: str | None = None,
    rules: str | None = None,
    data: Path | str | None = None,
    options: Mapping[str, Any] | None = None,
    task_options: Mapping[str, Any] | None = None,
    device: str | None = None,
    dtype: str | None = None,
    blind: bool | None = None,
    reasoning: Reasoning | None = None,
    plugins: Iterable[Path | str] = (),
    registry: Registry | None = None,
    progress: Callable[[str], Progress] | None = None,
    **execution: Any,
) -> Run | list[Run]:
    """Measures models, or resumes runs that were interrupted, and scores them.

    One model gives its `Run`; a list of models, or None for those of `config` or `suite`, gives a list of
    `Run`, in their order.

    Args:
        model: as on the command line: `dreamllm-mini`, `dreamllm:FOLDER`; several as a list.
        tasks: names of tasks.
        out: folder of the run, `run` by default; several models go to `out/MODEL`.
        suite: a named list of tasks; those that a model cannot do are left out.
        config: YAML file with the same settings (docs/configuration.md); arguments override it.
        limit: maximum samples per task: a seeded random subset, the same for every model.
        seed: of all sampling, and of the subset; 0 by default.
        protocol, rules: named protocol and scoring rules, for all tasks.
        data: folder with the benchmark's files.
        options, task_options: further options of the models and of the tasks; `evalsuite show` lists them.
        device, dtype: as on the command line; `auto` by default.
        blind: the models are shown no images.
        reasoning: `keep` scores answers with the reasoning in front of them; `strip` by default.
        plugins: Python files with tasks or models of your own.
        registry: where names are found; None loads installed plugins and `plugins`.
        progress: makes the progress display of a run from a model's name; nothing is printed by default.
        execution: fields of `evalsuite.spec.ExecutionOptions`, such as `batch_size` and `max_failures`.

    Raises:
        SpecError, DataError, StoreError, CheckpointError, UnavailableError: as `evalsuite run` reports them.
        EvalsuiteError: more samples failed than `max_failures`, a task could not be scored, or one of several
            models could not be measured; what was measured is kept, and `load_run` reads it.
    """
    from evalsuite.engine import NullProgress
    from evalsuite.errors import EvalsuiteError
    from evalsuite.notebook import load_run
    from evalsuite.running.builder import Asked, plan, read_file
    from evalsuite.running.runfile import option_texts
    from evalsuite.running.several import measure_all

    file = read_file(Path(config) if config is not None else None)
    asked = Asked(
        models=[model] if isinstance(model, str) else list(model or ()),
        suite=suite,
        tasks=[tasks] if isinstance(tasks, str) else list(tasks),
        out=Path(out) if out is not None else file.out or Path(DEFAULT_OUT),
        limit=limit, seed=seed, device=device, dtype=dtype, blind=blind, protocol=protocol, rules=rules,
        data=Path(data) if data is not None else None,
        options=option_texts(options or {}), task_options=option_texts(task_options or {}),
        plugins=[Path(path) for path in plugins], execution=execution, reasoning=reasoning,
    )  # fmt: skip
    known = registry_of(registry, [*file.plugins, *asked.plugins])
    planned, how = plan(asked, file, known)
    make_progress = progress or (lambda _: NullProgress())
    ended = measure_all(planned, how, known, lambda one: make_progress(one.spec.model.name))
    problems = [one.problem for one in ended if one.problem]
    if problems:
        raise EvalsuiteError(" ".join(problems), "What was measured is kept: evalsuite.load_run shows it.")
    runs = [load_run(one.out, registry) for one in planned]
    return runs[0] if isinstance(model, str) else runs


def score(
    path: Path | str,
    rules: str | None = None,
    registry: Registry | None = None,
    *,
    plugins: Iterable[Path | str] = (),
    reasoning: Reasoning | None = None,
    workers: int | Literal["auto"] | None = None,
    ray_address: str | None = None,
) -> Run:
    """Re-scores a run from its stored responses, without its model.

    Features of images that the run keeps are read, not computed again.

    Args:
        path: folder of the run.
        rules: named scoring rules; those of its specification by default.
        registry: where tasks are found; None loads installed plugins and those of the run.
        plugins: further plugin files.
        reasoning: `keep` scores answers with the reasoning in front of them, `strip` without; None: as
            before.
        workers, ray_address: Ray workers that compute features of images, as for `run`.

    Raises:
        StoreError, SpecError, DataError: as `evalsuite score` reports them.
        EvalsuiteError: a task could not be scored; the others are.
    """
    from evalsuite.errors import EvalsuiteError
    from evalsuite.notebook import load_run
    from evalsuite.running.builder import execution_options
    from evalsuite.running.scoring import score_run

    files = list(plugins)
    known = registry_of(None, files) if registry is None and files else registry
    given = {"workers": workers, "ray_address": ray_address}
    options = execution_options({name: value for name, value in given.items() if value is not None})
    scored = score_run(Path(path), rules, known, reasoning, options)
    if scored.errors:
        key, reason = next(iter(scored.errors.items()))
        raise EvalsuiteError(f"{path}: {key} is not scored: {reason}", "The other tasks are.")
    return load_run(path, known)


class JudgeSettings(TypedDict, total=False):
    """The keyword arguments of `judge`."""

    judge_model: str | None
    options: Mapping[str, Any] | None
    device: str
    dtype: str
    batch_size: int | str
    base_url: str | Sequence[str]
    tasks: str | Sequence[str]
    rules: str | None
    key_env: str
    times: int
    parameters: Mapping[str, Any] | None
    price_in: float | None
    price_out: float | None
    limit_name: Literal["max_tokens", "max_completion_tokens"]
    concurrency: int
    timeout: float
    retries: int
    retry_failed: bool
    registry: Registry | None
    plugins: Iterable[Path | str]
    progress: Callable[[str], Progress] | None
    workers: int | Literal["auto"] | None
    ray_address: str | None
    gpus_per_worker: float
    cpus_per_worker: float
    worker_timeout: float | None


@overload
def judge(runs: Where, model: str | None = None, **settings: Unpack[JudgeSettings]) -> JudgeOutcome: ...
@overload
def judge(
    runs: list[Where] | tuple[Where, ...], model: str | None = None, **settings: Unpack[JudgeSettings]
) -> list[JudgeOutcome]: ...
def judge(
    runs: Where | list[Where] | tuple[Where, ...],
    model: str | None = None,
    *,
    judge_model: str | None = None,
    options: Mapping[str, Any] | None = None,
    device: str = "auto",
    dtype: str = "auto",
    batch_size: int | str = 32,
    base_url: str | Sequence[str] = OPENAI,
    tasks: str | Sequence[str] = (),
    rules: str | None = None,
    key_env: str = "OPENAI_API_KEY",
    times: int = 1,
    parameters: Mapping[str, Any] | None = None,
    price_in: float | None = None,
    price_out: float | None = None,
    limit_name: Literal["max_tokens", "max_completion_tokens"] = "max_tokens",
    concurrency: int = 8,
    timeout: float = 120.0,
    retries: int = 6,
    retry_failed: bool = False,
    registry: Registry | None = None,
    plugins: Iterable[Path | str] = (),
    progress: Callable[[str], Progress] | None = None,
    **workers: Any,
) -> JudgeOutcome | list[JudgeOutcome]:
    """Grades stored responses by an LLM-as-a-judge and scores them; only missing judgements are requested.

    One run gives its `JudgeOutcome`, a list of runs a list.

    Args:
        runs: folders of runs.
        model: the judge, as its server calls it; or
        judge_model: a model of the registry, which judges in this process, with its `options`, `device`,
            `dtype` and `batch_size` (`auto` finds what fits).
        base_url: OpenAI-compatible server, up to and with `/v1`; several share the questions.
        tasks: only these; all that are judged by default.
        rules: scoring rules that a judge belongs to.
        key_env: environment variable with the API key; the key is never stored.
        times: judge passes per answer.
        parameters: what differs from the protocol, such as `temperature`; part of the judge's name.
        price_in, price_out: of a million tokens; None: the cost is unknown.
        limit_name: field that bounds the answer's length.
        concurrency: maximum concurrent requests.
        timeout: seconds one attempt may take.
        retries: of a request after a fault that may pass.
        retry_failed: retry failed judgements.
        registry: where tasks are found; None loads installed plugins, those of the run and `plugins`.
        plugins: further plugin files; workers load them too.
        progress: makes the progress display from a run's name.
        workers: `workers`, `ray_address`, `gpus_per_worker`, `cpus_per_worker`, `worker_timeout`: a
            `judge_model` on Ray workers, as `run` takes them.

    Raises:
        StoreError, SpecError, DataError, UnavailableError: as `evalsuite judge` reports them.
    """
    from evalsuite.comparison.sides import paths_of
    from evalsuite.judging.asking import JudgeOptions, judge_run
    from evalsuite.running.builder import execution_options

    named = judge_named(
        model, judge_model, base_url=base_url, key_env=key_env, timeout=timeout, retries=retries,
        concurrency=concurrency, limit_name=limit_name, options=options, device=device, dtype=dtype,
        batch_size=batch_size,
    )  # fmt: skip
    how = JudgeOptions(
        times, dict(parameters or {}), price_in, price_out, retry_failed, execution_options(workers)
    )
    files = [Path(path) for path in plugins]
    wanted = [tasks] if isinstance(tasks, str) else tasks
    outcomes = [
        judge_run(
            path, named, how, tasks=wanted, rules=rules, registry=registry, plugins=files,
            progress=progress(path.name) if progress else None,
        )
        for path in paths_of(runs)
    ]  # fmt: skip
    return outcomes if isinstance(runs, list | tuple) else outcomes[0]


def judge_named(
    model: str | None,
    judge_model: str | None,
    *,
    base_url: str | Sequence[str],
    key_env: str,
    timeout: float,
    retries: int,
    concurrency: int,
    limit_name: Literal["max_tokens", "max_completion_tokens"],
    options: Mapping[str, Any] | None,
    device: str,
    dtype: str,
    batch_size: int | str,
) -> list[Server] | ModelJudge:
    """The servers of the judge, or the model of the registry. Raises SpecError unless one of them is named,
    and for settings out of range."""
    from evalsuite.endpoint import Server
    from evalsuite.errors import SpecError
    from evalsuite.judging.model import ModelJudge
    from evalsuite.running.builder import execution_options
    from evalsuite.running.runfile import option_texts
    from evalsuite.spec import ModelSpec

    if (model is None) == (judge_model is None):
        raise SpecError(
            "A judge is a model behind a server or one of evalsuite: one of the two.",
            "Name one: --judge NAME --base-url URL, or --judge-model NAME.",
        )
    if judge_model is not None:
        spec = ModelSpec(name=judge_model, device=device, dtype=dtype, options=option_texts(options or {}))
        return ModelJudge(spec, execution_options({"batch_size": batch_size}).batch_size)
    assert model is not None
    if options:
        raise SpecError("--option belongs to --judge-model.", "A server's judge takes --parameter.")
    addresses = [base_url] if isinstance(base_url, str) else list(base_url) or [OPENAI]
    return [
        Server(
            address, model, key_env=key_env, timeout=timeout, retries=retries, in_flight=concurrency,
            limit_name=limit_name,
        )
        for address in dict.fromkeys(addresses)
    ]  # fmt: skip


def judge_title(judge: Sequence[Server] | ModelJudge) -> str:
    """What a progress display calls the judge."""
    from evalsuite.judging.model import ModelJudge

    return judge.model if isinstance(judge, ModelJudge) else judge[0].model
