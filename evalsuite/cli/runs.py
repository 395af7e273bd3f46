"""`evalsuite runs`: what runs hold, whether they are intact, and dropping a worker's answers."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from evalsuite.cli.as_json import JsonOption, print_json
from evalsuite.cli.common import output, say
from evalsuite.cli.judging import account, usage
from evalsuite.errors import SpecError
from evalsuite.grids import Grid

if TYPE_CHECKING:
    from evalsuite.store import RunReader
    from evalsuite.store.manifest import Session

runs = typer.Typer(help="Inspect runs.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    app.add_typer(runs, name="runs")


_WIDE = 120
"""Columns of a terminal that has room for the names of a run's tasks."""


@runs.command("list")
def list_runs(
    paths: Annotated[
        list[Path], typer.Argument(metavar="RUN_OR_FOLDER...", help="Runs, or folders of runs.")
    ],
    as_json: JsonOption = False,
) -> None:
    """Show how far runs are."""
    from evalsuite.leaderboards.frame import open_runs, scored_tasks

    left_out: dict[str, str] = {}
    rows: list[dict[str, Any]] = []
    for reader in open_runs(paths, left_out):
        with reader:
            counts = reader.counts().values()
            sessions = reader.manifest.sessions
            rows.append(
                {
                    "run": str(reader.path),
                    "model": reader.model_name,
                    "tasks": list(reader.task_keys),
                    "samples": sum(c.total for c in counts),
                    "answered": sum(c.answered for c in counts),
                    "failed": sum(c.failed for c in counts),
                    "scored": scored_tasks(reader),
                    "last_session": _last(sessions[-1], reader.statuses()[-1]) if sessions else "",
                }
            )
    if as_json:
        print_json({"runs": rows, "left_out": left_out})
        return
    console = output()
    names = console.width >= _WIDE
    table = Grid("run", "model", "tasks", "answered", "failed", "scored", "last session")
    for row in rows:
        table.add_row(
            row["run"],
            row["model"],
            ", ".join(row["tasks"]) if names or len(row["tasks"]) == 1 else str(len(row["tasks"])),
            f"{row['answered']}/{row['samples']}",
            str(row["failed"]),
            row["scored"],
            _minute(row["last_session"]),
        )
    console.print(table)
    for path, reason in left_out.items():
        output().print(f"left out: {path}: {reason}", markup=False)


def _last(session: Session, status: str) -> str:
    """How and when a session ended; of one that was killed, and of a running one, when it began."""
    return f"{status} {session.ended}" if session.ended else f"{status}, begun {session.started}"


def _minute(session: str) -> str:
    """A session's end for people, `finished 2026-01-31 12:00 UTC`: its time to the minute."""
    return re.sub(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d)\S*", r"\1 \2 UTC", session)


@runs.command("show")
def show_run(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a run.")],
    whole: Annotated[
        bool, typer.Option("--all", help="Show every breakdown and every failed sample.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Show a run's model, tasks, settings, progress and failures."""
    from evalsuite.store import RunReader

    with RunReader(run) as reader:
        if as_json:
            print_json(_contents(reader))
        else:
            _show(reader, whole)


def _contents(reader: RunReader) -> dict[str, Any]:
    """A run for programs: the manifest as it is stored, counts, numbers, notes and failures."""
    from evalsuite.cli.as_json import records
    from evalsuite.leaderboards.frame import frame_of

    return {
        "run": str(reader.path),
        "manifest": reader.manifest,
        "counts": reader.counts(),
        "numbers": records(frame_of([reader], unscored=True)),
        "statuses": reader.statuses(),
        "notes": reader.notes(),
        "failures": [
            {"task": failed.task, "sample": failed.sample, "error": failed.error}
            for failed in reader.failures()
        ],
    }


def _show_usage(reader: RunReader) -> None:
    """What served models and judges took, and how far the judging is."""
    from evalsuite.errors import StoreError
    from evalsuite.judging.state import judging_states, state_summary
    from evalsuite.running.usage import usage_of

    console = output()
    for key in reader.task_keys:
        if took := usage(usage_of(reader, key)):
            console.print(f"used       {key}: {took}", markup=False)
    try:
        states = judging_states(reader)
    except StoreError as error:  # its server answered under two names
        console.print(f"judged     {error}", markup=False)
        return
    for state in states:
        console.print(f"judged     {state.task}: {account(state.account)}", markup=False)
        if how_far := state_summary(state):
            console.print(f"           {how_far}", markup=False)


def _show_features(reader: RunReader) -> None:
    """What the run keeps of its images, and how large that is."""
    from evalsuite.store.feature_files import stored_features

    console = output()
    for found in stored_features(reader.path):
        size = f"{found.size / 1e6:,.1f} MB"
        if found.kind is None:
            console.print(f"features   {found.file.name}: without its header, {size}", markup=False)
            continue
        kind = found.kind
        what = f"{kind.network} ({kind.preprocess})" if kind.preprocess else kind.network
        shape = f"{found.rows} × {kind.dim}"
        console.print(f"features   {what}, {kind.output} of {kind.of}: {shape}, {size}", markup=False)


_FEW = 20
"""Failed samples that are shown without `--all`."""


def _show(reader: RunReader, whole: bool) -> None:
    from rich.text import Text

    from evalsuite.judging.state import missing_of
    from evalsuite.leaderboards.frame import run_remarks
    from evalsuite.store.results import KEPT

    console = output()
    manifest = reader.manifest
    model = manifest.model
    console.print(f"model      {reader.model_name}", markup=False)
    if model is not None:
        console.print(
            f"weights    {model.fingerprint[:16]}  {model.parameters or '?'} parameters", markup=False
        )
        details = ", ".join(f"{name}={value}" for name, value in model.details.items())
        console.print(f"details    {details or '-'}", markup=False)
    console.print(f"seed       {reader.spec.seed}")
    console.print(f"limit      {reader.spec.limit or 'none'}")
    table = Grid("task", "version", "protocol", "rules", "split", "data", "samples", "answered", "failed")
    counts = reader.counts()
    for task in manifest.tasks:
        info, count = task.info, counts[task.key]
        table.add_row(
            task.key, info.version, info.protocol, info.rules, info.split, task.data_fingerprint[:12],
            str(task.total), str(count.answered), str(count.failed),
        )  # fmt: skip
    console.print(table)
    numbers = Grid("metric", "group", "value", "low", "high", "n", "interval by")
    parts = 0
    for result in reader.metrics():
        for e in result.numbers():
            if e.group and not whole:
                parts += 1
                continue
            scale = e.metric.scale
            shown = [
                "–" if math.isnan(end) else f"{end * scale:.{e.metric.digits}f}"
                for end in (e.value, e.low, e.high)
            ]
            by = f", judged by {result.judge}" if result.judge else ""
            name = f"{result.task} {e.metric.name} ({result.rules}{by})"
            numbers.add_row(name, e.group, *shown, str(e.n), e.method)
    console.print(numbers)
    for key, text in run_remarks(reader):
        console.print(f"remark     {key}: {text}", markup=False)
    if parts:
        console.print(f"           and {parts} numbers of parts (--all shows them)")
    for result in reader.metrics():
        for metric, reason in missing_of(reader, result).items():
            console.print(f"left out   {result.task} {metric}: {reason}", markup=False)
        for metric, lack in result.notes.items():
            console.print(f"incomplete {result.task} {metric}: {lack}", markup=False)
        if result.unread:
            console.print(
                f"unread     {result.task} ({result.rules}): {result.unread} of {result.n} answers could not "
                "be read; they count as the scorer counts them",
                markup=False,
            )
    for result in reader.metrics():
        kept = KEPT in result.form
        if result.form:
            console.print(f"form       {result.task}: {result.form}", markup=False)
        if result.answers is not None and (counted := result.answers.summary(kept)):
            console.print(f"answers    {result.task} ({result.rules}): {counted}", markup=False)
    _show_usage(reader)
    _show_features(reader)
    for session, status in zip(manifest.sessions, reader.statuses(), strict=True):
        where = session.environment
        commit = f"{where.git_commit[:12] or '-'}{' (changed)' if where.git_dirty else ''}"
        console.print(
            f"session    {session.started} to {session.ended or '?'} {status}, {where.machine}, "
            f"torch {where.packages.get('torch', '-')}, commit {commit}",
            markup=False,
        )
    for session in manifest.sessions:
        for one in session.workers:
            gpus = f", {', '.join(one.gpus)}" if one.gpus else ""
            how = one.ended or "running"
            console.print(
                f"worker     {one.worker}: {one.host}{gpus}, {one.answers} answers, {how}", markup=False
            )
    for note in reader.notes():
        console.print(f"note       {note.task}: {note.text}", markup=False)
    failures = reader.failures()
    listed = failures if whole else failures[:_FEW]
    for record in listed:
        console.print(Text(f"failed     {record.task} {record.sample}: {record.error}", style="red"))
    if len(failures) > len(listed):
        console.print(f"           and {len(failures) - len(listed)} more failed (--all shows them)")


@runs.command("drop")
def drop_answers(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a run.")],
    worker: Annotated[
        int, typer.Option("--worker", min=0, help="Number of the worker, as `runs show` gives it.")
    ],
) -> None:
    """Remove the answers of a worker that was sick; the run's command asks again.

    Scores stand as they are, marked as outdated, until the run has been finished and scored again.
    """
    from evalsuite.store import RunWriter

    with RunWriter.for_scoring(run) as writer:
        found = writer.drop_worker(worker)
    for task, count in found.items():
        say(f"{task}: answers to {count} samples removed")
    say(
        "Run the same command again: it asks them once more, and scores."
        if found
        else f"Worker {worker} has no answers in {run}."
    )


@runs.command("verify")
def verify_runs(
    paths: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Runs, or folders of runs.")],
) -> None:
    """Verify that runs are intact: database, images, counts, features. Exit status 1 if one is not.

    Damaged rows of features are no damage of the run: the next `evalsuite score` computes them again.
    """
    from evalsuite.leaderboards.frame import runs_in
    from evalsuite.store import verify

    sound = True
    for path in runs_in(paths):
        found = verify(path)
        sound = sound and found.sound
        say(
            f"{path}: {'sound' if found.sound else 'DAMAGED'}, {found.records} records, {found.images} images"
            + (f", {found.features} rows of features" if found.features else "")
            + (f", {found.stray_images} stray files" if found.stray_images else "")
        )
        for problem in found.problems:
            say(f"  {problem}")
        if found.damaged_features:
            say(
                f"  {found.damaged_features} damaged rows of features: `evalsuite score {path}` computes "
                "them again"
            )
        if found.lost_samples:
            say(
                f"  {found.lost_samples} answered samples have lost images: the run's command with "
                "--retry-failed generates them again"
            )
    raise typer.Exit(0 if sound else 1)


@runs.command("prune")
def prune_runs(
    paths: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Runs, or folders of runs.")],
    features: Annotated[
        bool, typer.Option("--features", help="Delete kept features of images; scoring computes them again.")
    ] = False,
) -> None:
    """Delete what a run can compute again."""
    from evalsuite.leaderboards.frame import runs_in
    from evalsuite.store.feature_files import prune

    if not features:
        raise SpecError("Nothing to delete was named.", "Say what: --features.")
    for path in runs_in(paths):
        say(f"{path}: {prune(path) / 1e6:,.1f} MB of features deleted")
