"""What runs say: leaderboards, reproductions, explanations, trade-offs, judgements."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalsuite.api.common import registry_of

if TYPE_CHECKING:
    import pandas

    from evalsuite.comparison.sides import Where
    from evalsuite.explaining import Explanation
    from evalsuite.notebook.frames import Leaderboard
    from evalsuite.registry import Registry
    from evalsuite.reproduction import Reproduction
    from evalsuite.tradeoff import Tradeoff


def leaderboard(
    paths: Where | Iterable[Where],
    *,
    tasks: Sequence[str] = (),
    suite: str | None = None,
    all_metrics: bool = False,
    groups: bool = False,
    registry: Registry | None = None,
) -> Leaderboard:
    """The numbers of runs as one tidy frame, one row per run, task, rules, metric and group.

    Values are in natural units; multiply by `scale` for display. A notebook shows the pivot, models by tasks
    with intervals, and `figure()` plots it; in every other way it is a frame of pandas.

    Args:
        paths: runs, or folders with runs in them.
        tasks: only these; all when empty.
        suite: only this suite's tasks, with the average that its file declares.
        all_metrics: every metric instead of each task's headline.
        groups: breakdowns too.

    Raises:
        StoreError: there is no scored run.
        SpecError: no run has one of `tasks`, or there is no such suite.
    """
    from evalsuite.comparison.sides import paths_of
    from evalsuite.errors import SpecError, suggest
    from evalsuite.leaderboards import load
    from evalsuite.notebook.frames import Leaderboard

    frame = load(paths_of(paths))
    if suite:
        from evalsuite.leaderboards.average import tasks_shown, with_average

        entry = registry_of(registry).suite(suite)
        frame = with_average(frame, entry)
        tasks = tasks or tasks_shown(frame, entry)
    for name in tasks:
        if name not in set(frame["task"]):
            raise SpecError(f"No run has a task {name!r}.", suggest(name, set(frame["task"])))
    kept = frame["task"].isin(tasks) if tasks else frame["task"].notna()
    if not all_metrics:
        kept &= frame["headline"]
    if not groups:
        kept &= frame["group"] == ""
    return Leaderboard(frame[kept].reset_index(drop=True))


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
    """Runs what a published table needs, or reuses runs, and compares cell by cell.

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
    from evalsuite.running.builder import execution_options

    known = registry_of(registry)
    found = find_table(publications(known, map(Path, files)), table)
    subjects = subjects_of(found.table, model, rows, options=options, device=device, dtype=dtype)
    folder = (
        Path(out) if out is not None else Path("runs/reproduce") / f"{found.publication.name}-{found.name}"
    )
    return measure(
        found.table, subjects, known, folder, columns=columns, reuse=paths_of(reuse), seed=seed,
        limit=limit, dry_run=dry_run, execution=execution_options(execution),
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

    known = registry_of(registry)
    tables = publications(known, map(Path, files)) if published else {}
    return explain_number(
        Path(path), task, known, cell=published, publications=tables, metric=metric, others=paths_of(others)
    )


def list_runs(paths: Where | Iterable[Where]) -> pandas.DataFrame:
    """How far runs are, one row each: run, model, tasks, samples, answered, failed.

    Raises StoreError when there is no run.
    """
    import pandas

    from evalsuite.comparison.sides import paths_of
    from evalsuite.leaderboards.frame import open_runs

    rows = []
    for reader in open_runs(paths_of(paths)):
        with reader:
            counts = reader.counts().values()
            rows.append(
                (
                    str(reader.path), reader.model_name, reader.task_keys, sum(c.total for c in counts),
                    sum(c.answered for c in counts), sum(c.failed for c in counts),
                )
            )  # fmt: skip
    return pandas.DataFrame(rows, columns=["run", "model", "tasks", "samples", "answered", "failed"])


def judgements(run: Path | str, task: str | None = None) -> pandas.DataFrame:
    """What judges said about a run's answers, one row each: judge, task, sample, text, failure, tokens, cost.

    Args:
        run: its folder.
        task: only this one.

    Raises:
        StoreError: it is no run, or has no such task.
    """
    from dataclasses import asdict

    import pandas

    from evalsuite.store import RunReader

    rows = []
    with RunReader(Path(run)) as reader:
        for key in [task] if task else reader.task_keys:
            reader.manifest.task(key)
            for judge in reader.judges(key):
                rows += [
                    {"judge": judge.named(judge.model), **asdict(row)}
                    for row in reader.judgements(judge, key)
                ]
    return pandas.DataFrame(rows)


def plot_tradeoff(
    runs: Where | Iterable[Where],
    x: str,
    y: str,
    out: Path | str | None = None,
    *,
    task: str | None = None,
    along: str | None = None,
) -> Tradeoff:
    """One metric over another, a point per run: what one costs in the other.

    Args:
        runs: runs of the same task.
        x, y: names of metrics.
        out: plot to write (.png, .svg or .pdf); None: none.
        task: its key in the runs; the first with both metrics by default.
        along: model option that goes along a curve; the one in which runs of a model differ by default.

    Raises:
        SpecError: no such task or metric, or runs that measured it differently.
        StoreError: a run is not scored, or the plot cannot be written.
    """
    from evalsuite.comparison.sides import paths_of
    from evalsuite.tradeoff import draw, gather

    found = gather(paths_of(runs), x, y, task=task, option=along)
    if out is not None:
        draw(found, Path(out))
    return found
