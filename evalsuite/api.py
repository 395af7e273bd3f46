"""What the command line does, as functions for notebooks and scripts; `evalsuite` offers them as its own.

Light to import: a function imports what it needs when it is called.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas

    from evalsuite.comparison.sides import Where
    from evalsuite.explaining import Explanation
    from evalsuite.notebook import Run
    from evalsuite.registry import Registry
    from evalsuite.reproduction import Reproduction
    from evalsuite.spec import ExecutionOptions


def run(
    model: str,
    tasks: str | Sequence[str] = (),
    out: Path | str = "run",
    *,
    suite: str | None = None,
    limit: int | None = None,
    seed: int = 0,
    protocol: str | None = None,
    rules: str | None = None,
    data: Path | str | None = None,
    options: Mapping[str, str] | None = None,
    task_options: Mapping[str, str] | None = None,
    device: str = "auto",
    dtype: str = "auto",
    plugins: Iterable[Path | str] = (),
    registry: Registry | None = None,
    **execution: Any,
) -> Run:
    """Measures a model, or goes on with a run that was interrupted, and scores it.

    Args:
        model: as on the command line: `dreamllm-mini`, `dreamllm:FOLDER`.
        tasks: names of tasks.
        out: folder of the run.
        suite: a named list of tasks; those that the model cannot do are left out.
        limit: at most so many samples per task, the same for every model.
        seed: of all sampling, and of the subset that `limit` draws.
        protocol, rules: named protocol and scoring rules, for all tasks.
        data: folder with the benchmark's files.
        options, task_options: further options of the model and of the tasks.
        device, dtype: as on the command line.
        plugins: Python files with tasks or models of one's own.
        registry: where names are found; None loads installed plugins and `plugins`.
        execution: fields of `evalsuite.spec.ExecutionOptions`, such as `batch_size` and `max_failures`.

    Raises:
        SpecError, DataError, StoreError, CheckpointError, UnavailableError: as `evalsuite run` tells them.
        EvalsuiteError: more samples failed than `max_failures`, or a task could not be scored; what was
            measured is kept, and `load_run` reads it.
    """
    from evalsuite.errors import EvalsuiteError
    from evalsuite.notebook import load_run
    from evalsuite.registry import load_registry
    from evalsuite.running import run as measure
    from evalsuite.spec import ModelSpec, RunSpec, TaskSpec

    how = _execution(execution)
    files = tuple(Path(path) for path in plugins)
    known = registry or load_registry(files)
    specs: list[TaskSpec] = []
    if suite is not None:
        entry, _ = known.model(model)
        specs += [
            task for task in known.suite(suite).tasks
            if known.task(task.name).capability in entry.capabilities
        ]  # fmt: skip
    specs += [TaskSpec(name=name) for name in ([tasks] if isinstance(tasks, str) else tasks)]
    given = {
        name: value
        for name, value in (("protocol", protocol), ("rules", rules), ("data", data and Path(data)))
        if value is not None
    }
    changed = tuple(
        task.model_copy(update={**given, "options": {**task.options, **(task_options or {})}})
        for task in specs
    )
    spec = RunSpec(
        model=ModelSpec(name=model, device=device, dtype=dtype, options=dict(options or {})),
        tasks=changed, seed=seed, limit=limit, plugins=files,
    )  # fmt: skip
    outcome = measure(spec, Path(out), how, known)
    if outcome.exit_code:
        told = "; ".join(f"{key}: {reason}" for key, reason in outcome.scoring_errors.items())
        counts = f"{outcome.failed} samples failed, {outcome.failures_allowed:g} were allowed"
        raise EvalsuiteError(
            f"{out}: {told or counts}.", "What was measured is kept: evalsuite.load_run shows it."
        )
    return load_run(out, registry)


def score(path: Path | str, rules: str | None = None, registry: Registry | None = None) -> Run:
    """Scores a run again from its stored answers, without its model.

    Args:
        path: folder of the run.
        rules: named scoring rules; those of its specification by default.

    Raises:
        StoreError, SpecError, DataError: as `evalsuite score` tells them.
        EvalsuiteError: a task could not be scored; the others are.
    """
    from evalsuite.errors import EvalsuiteError
    from evalsuite.notebook import load_run
    from evalsuite.running.scoring import score_run

    scored = score_run(Path(path), rules, registry)
    if scored.errors:
        key, reason = next(iter(scored.errors.items()))
        raise EvalsuiteError(f"{path}: {key} is not scored: {reason}", "The other tasks are.")
    return load_run(path, registry)


def leaderboard(
    paths: Where | Iterable[Where],
    *,
    tasks: Sequence[str] = (),
    all_metrics: bool = False,
    groups: bool = False,
) -> pandas.DataFrame:
    """The numbers of runs as one tidy frame, one row per run, task, rules, metric and group.

    Values are in natural units; multiply by `scale` for display. `evalsuite.leaderboards.table` makes the
    pivot of it that the command line shows.

    Args:
        paths: runs, or folders with runs in them.
        tasks: only these; all when empty.
        all_metrics: every metric instead of each task's headline.
        groups: breakdowns too.

    Raises:
        StoreError: there is no scored run.
        SpecError: no run has one of `tasks`.
    """
    from evalsuite.comparison.sides import paths_of
    from evalsuite.errors import SpecError, suggest
    from evalsuite.leaderboards import load

    frame = load(paths_of(paths))
    for name in tasks:
        if name not in set(frame["task"]):
            raise SpecError(f"No run has a task {name!r}.", suggest(name, set(frame["task"])))
    kept = frame["task"].isin(tasks) if tasks else frame["task"].notna()
    if not all_metrics:
        kept &= frame["headline"]
    if not groups:
        kept &= frame["group"] == ""
    return frame[kept].reset_index(drop=True)


def reproduce(
    table: str,
    model: str | None = None,
    out: Path | str | None = None,
    *,
    rows: Sequence[str] = (),
    columns: Sequence[str] = (),
    reuse: Where | Iterable[Where] = (),
    seed: int = 0,
    limit: int | None = None,
    dry_run: bool = False,
    options: Mapping[str, str] | None = None,
    device: str = "auto",
    dtype: str = "auto",
    files: Iterable[Path | str] = (),
    registry: Registry | None = None,
    **execution: Any,
) -> Reproduction:
    """Measures what a published table needs, or uses runs again, and compares cell by cell.

    Args:
        table: `PUBLICATION/TABLE`, such as `dreamllm/table-1`; see `list_published`.
        model: the model to measure; those that the table's rows name by default.
        out: folder of the runs; `runs/reproduce/PUBLICATION-TABLE` by default.
        rows, columns: of the table; all by default.
        reuse: runs, or folders of runs, whose results are used where they fit.
        seed, limit, options, device, dtype: as for `run`.
        dry_run: only say what is needed.
        files: YAML files with published numbers of one's own.
        execution: fields of `evalsuite.spec.ExecutionOptions`.

    Raises SpecError for an unknown table, row, column or setting, StoreError where `reuse` holds no run.
    """
    from evalsuite.comparison.sides import paths_of
    from evalsuite.published import find_table, publications
    from evalsuite.reproduction import measure, subjects_of

    known = _registry(registry)
    found = find_table(publications(known, map(Path, files)), table)
    subjects = subjects_of(found.table, model, rows, options=options, device=device, dtype=dtype)
    folder = (
        Path(out) if out is not None else Path("runs/reproduce") / f"{found.publication.name}-{found.name}"
    )
    return measure(
        found.table, subjects, known, folder, columns=columns,
        reuse=paths_of(reuse), seed=seed, limit=limit, dry_run=dry_run, execution=_execution(execution),
    )  # fmt: skip


def explain(
    path: Path | str,
    task: str,
    *,
    published: str | None = None,
    metric: str | None = None,
    others: Where | Iterable[Where] = (),
    files: Iterable[Path | str] = (),
    registry: Registry | None = None,
) -> Explanation:
    """Takes a number, or its difference from a published one, apart: rules, prompt, decoding, sampling.

    Args:
        path: folder of the run.
        task: its name in the run.
        published: `PUBLICATION/TABLE/ROW/COLUMN`; None takes our number alone apart.
        metric: the column's, or the task's headline, by default.
        others: further runs of the model; what they did otherwise is measured.
        files: YAML files with published numbers of one's own.

    Raises SpecError for an unknown task, metric or cell, DataError when the benchmark's data are missing.
    """
    from evalsuite.comparison.sides import paths_of
    from evalsuite.explaining import explain_number
    from evalsuite.published import publications

    known = _registry(registry)
    tables = publications(known, map(Path, files)) if published else {}
    return explain_number(
        Path(path), task, known, cell=published, publications=tables, metric=metric, others=paths_of(others)
    )


def list_published(files: Iterable[Path | str] = (), registry: Registry | None = None) -> pandas.DataFrame:
    """Published numbers, one row per cell: table, model, column, task, protocol, metric, value, confidence.

    `value` is as the paper prints it.

    Args:
        files: YAML files with published numbers of one's own.
    """
    import pandas

    from evalsuite.published import publications

    rows = [
        (
            f"{one.name}/{name}", row.model, label, column.task, column.protocol, column.metric, cell.value,
            cell.confidence, one.source,
        )
        for one in publications(_registry(registry), map(Path, files)).values()
        for name, table in one.tables.items()
        for row in table.rows
        for label, column in table.columns.items()
        if (cell := row.cell(label)) is not None
    ]  # fmt: skip
    names = ["table", "model", "column", "task", "protocol", "metric", "value", "confidence", "source"]
    return pandas.DataFrame(rows, columns=names)


def list_tasks(registry: Registry | None = None) -> pandas.DataFrame:
    """The tasks there are, one row each: name, family, capability, metrics, protocols, rules, title."""
    import pandas

    rows = [
        (
            entry.name, entry.family, entry.capability, tuple(metric.name for metric in entry.metrics),
            entry.protocols, entry.rules, entry.title,
        )
        for entry in _registry(registry).tasks.values()
    ]  # fmt: skip
    columns = ["name", "family", "capability", "metrics", "protocols", "rules", "title"]
    return pandas.DataFrame(rows, columns=columns)


def list_models(registry: Registry | None = None) -> pandas.DataFrame:
    """The models there are, one row each: name, capabilities, whether it takes an argument, title."""
    import pandas

    rows = [
        (entry.name, tuple(sorted(entry.capabilities)), entry.takes_argument, entry.title)
        for entry in _registry(registry).models.values()
    ]
    return pandas.DataFrame(rows, columns=["name", "capabilities", "takes_argument", "title"])


def list_suites(registry: Registry | None = None) -> pandas.DataFrame:
    """The suites there are, one row each: name, tasks, models, title."""
    import pandas

    rows = [
        (entry.name, tuple(task.name for task in entry.tasks), entry.models, entry.title)
        for entry in _registry(registry).suites.values()
    ]
    return pandas.DataFrame(rows, columns=["name", "tasks", "models", "title"])


_RUN_COLUMNS = ("run", "model", "tasks", "samples", "answered", "failed", "scored")


def list_runs(paths: Where | Iterable[Where]) -> pandas.DataFrame:
    """How far runs are, one row each: run, model, tasks, samples, answered, failed, scored.

    Raises StoreError when there is no run.
    """
    import pandas

    from evalsuite.comparison.sides import paths_of
    from evalsuite.leaderboards.frame import open_runs, scored_tasks

    rows = []
    for reader in open_runs(paths_of(paths)):
        with reader:
            counts = reader.counts().values()
            rows.append(
                (
                    str(reader.path), reader.model_name, reader.task_keys, sum(c.total for c in counts),
                    sum(c.answered for c in counts), sum(c.failed for c in counts), scored_tasks(reader),
                )
            )  # fmt: skip
    return pandas.DataFrame(rows, columns=list(_RUN_COLUMNS))


def _registry(registry: Registry | None) -> Registry:
    from evalsuite.registry import load_registry

    return registry or load_registry()


def _execution(given: Mapping[str, Any]) -> ExecutionOptions:
    from pydantic import ValidationError

    from evalsuite.errors import SpecError, suggest
    from evalsuite.spec import ExecutionOptions

    for name in given:
        if name not in ExecutionOptions.model_fields:
            raise SpecError(f"There is no setting {name!r}.", suggest(name, ExecutionOptions.model_fields))
    try:
        return ExecutionOptions(**given)
    except ValidationError as error:
        fault = error.errors()[0]
        raise SpecError(
            f"{fault['loc'][0]}: {fault['msg']}.", "See evalsuite.spec.ExecutionOptions."
        ) from error
