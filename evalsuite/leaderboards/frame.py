"""All numbers of some runs in one tidy frame."""

from __future__ import annotations

import logging
import math
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalsuite.errors import StoreError
from evalsuite.leaderboards.marks import lost, marks_of, partial, remarks_of, stale, undeclared, unscored
from evalsuite.store import Counts, RunReader, TaskResult, list_runs
from evalsuite.store.forms import form_of
from evalsuite.store.manifest import TaskRecord
from evalsuite.store.results import KEPT
from evalsuite.task import Metric, TaskInfo

if TYPE_CHECKING:
    import pandas

_log = logging.getLogger(__name__)
WARNING = "drop images"
"""In notes that go with a number wherever it is shown."""
_DIGEST = re.compile(r"\b([0-9a-f]{16})[0-9a-f]{24,}\b")

COLUMNS = (
    "model", "task", "title", "version", "protocol", "rules", "judge", "split", "data", "scorer", "form",
    "metric", "group",
    "value", "low", "high", "level", "n", "failures", "missing", "total", "limit", "seed",
    "seconds", "tokens", "images", "headline", "scale", "digits", "higher_is_better", "method",
    "model_fingerprint", "evalsuite", "run", "unread", "lacks",
    "answers", "doubts", "partial", "undeclared", "stale", "reason", "marks", "remarks",
)  # fmt: skip
"""Columns of the frame. `value`, `low`, `high` are in natural units; display multiplies by `scale`. `data`
and `model_fingerprint` are digests, `version` is the task's, `evalsuite` the harness's; `scorer` names what
else decides a score (a metric's network with its weights, runs of a judge); `form` how the model was asked,
where it is not the usual form (see `evalsuite.store.forms`); `answers` counts the answers that were empty,
truncated or refused, in words; `doubts` is what a run's notes say against its model (a server that drops
images); `missing` samples were not asked or judged yet; `seconds` is device time of the whole task; `unread`
answers have a score though the scorer could not parse them (empty where the run was scored before
that was recorded); `lacks` names what the number is not over (groups without all of their members).
`partial`: why the data are not the official split; `undeclared`: that its size is not known; `stale`: answers
that came after the scores; `reason`: why there is no number. `marks` are the signs that tables show for all
this, `remarks` the same in words."""

LEFT_OUT = "left out"
"""Where a frame's `attrs` keep the runs that have no row, with the reason."""


def load(paths: Iterable[Path | str]) -> pandas.DataFrame:
    """The numbers of runs, one row per run, task, rules, metric and group, with `COLUMNS`.

    A task that has no score has a row without a number and with the `reason`. Runs that could not be read are
    named in `attrs["left out"]`, and in the notes of tables.

    Args:
        paths: runs, or folders with runs in them (searched at any depth).

    Raises:
        StoreError: a path is not there, or holds no run that has been scored. A damaged run among others is
            left out with a warning.
    """
    folders = [Path(path) for path in paths]
    left_out: dict[str, str] = {}
    readers = open_runs(folders, left_out)
    where = ", ".join(map(str, folders))
    try:
        scored = any(reader.metrics() for reader in readers)
        frame = frame_of(readers, unscored=True) if scored else None
    finally:
        for reader in readers:
            reader.close()
    if frame is None or frame.empty:
        raise StoreError(f"No run in {where} has been scored yet.", "Finish it, or `evalsuite score RUN`.")
    frame.attrs[LEFT_OUT] = list(left_out.items())
    return frame


def open_runs(folders: Sequence[Path], left_out: dict[str, str] | None = None) -> list[RunReader]:
    """The runs in folders, opened.

    Args:
        left_out: takes the runs that cannot be read, with the reason.

    Raises StoreError when there is none. A damaged run among others is left out with a warning.
    """
    readers, broken = list_runs(runs_in(folders))
    for path, error in broken.items():
        if not readers:
            raise error
        _log.warning("%s is left out: %s", path, error)
        if left_out is not None:
            left_out[str(path)] = str(error)
    return readers


def runs_in(folders: Sequence[Path]) -> list[Path]:
    """The runs in folders (see `find_runs`). Raises StoreError when there is none."""
    runs = [run for folder in folders for run in find_runs(folder)]
    if not runs:
        where = ", ".join(map(str, folders))
        raise StoreError(f"There is no run in {where}.", "Measure one with `evalsuite run --out FOLDER`.")
    return runs


def frame_of(runs: Sequence[RunReader], *, unscored: bool = False) -> pandas.DataFrame:
    """The numbers of open runs, with `COLUMNS`; empty when nothing is scored.

    Args:
        unscored: a row without a number, too, for each task that has no scores by the run's own rules.
    """
    import pandas

    rows = [row for run in runs for row in _of_run(run, unscored)]
    for row in rows:
        row["marks"], row["remarks"] = marks_of(row), remarks_of(row)
    frame = pandas.DataFrame(rows, columns=list(COLUMNS))
    return frame.astype({"limit": "Int64", "unread": "Int64"})


def _of_run(run: RunReader, unscored: bool) -> list[dict[str, Any]]:
    results, counts = run.metrics(), run.counts()
    doubts: dict[str, list[str]] = {}
    for note in run.notes():
        if WARNING in note.text:
            doubts.setdefault(note.task, []).append(note.text)
    rows = [row for result in results for row in _rows(run, result, counts, doubts.get(result.task, []))]
    if unscored:
        scored = {(result.task, result.rules) for result in results}
        absent = (task for task in run.manifest.tasks if (task.key, task.info.rules) not in scored)
        rows += [_unscored(run, task, counts) for task in absent]
    return rows


def _identity(run: RunReader, info: TaskInfo, record: TaskRecord | None) -> dict[str, Any]:
    model = run.manifest.model
    return {
        "model": run.model_name,
        "task": info.name,
        "title": info.title,
        "version": info.version,
        "protocol": info.protocol,
        "rules": info.rules,
        "judge": info.judge,
        "split": info.split,
        "partial": partial(info, record),
        "undeclared": undeclared(info, record),
        "reason": "",
        "model_fingerprint": model.fingerprint if model else "",
        "evalsuite": run.manifest.evalsuite,
        "run": str(run.path),
    }


def _unscored(run: RunReader, task: TaskRecord, counts: Mapping[str, Counts]) -> dict[str, Any]:
    """The row of a task that has no scores."""
    count = counts[task.key]
    return {
        **_identity(run, task.info, task),
        **_of_metric(task.info.headline, task.info),
        "data": task.data_fingerprint,
        "scorer": "",
        "group": "",
        "value": math.nan, "low": math.nan, "high": math.nan, "level": 0.95,
        "n": 0, "failures": count.failed, "missing": count.missing, "total": task.total, "stale": 0,
        "limit": run.spec.limit, "seed": run.spec.seed,
        "seconds": 0.0, "tokens": 0, "images": 0,
        "method": "not scored", "unread": None, "lacks": "", "form": "", "answers": "", "doubts": "",
        "reason": unscored(run, counts, task.key),
    }  # fmt: skip


def _of_metric(metric: Metric, info: TaskInfo) -> dict[str, Any]:
    return {
        "metric": metric.name,
        "headline": metric.name == info.headline.name,
        "scale": metric.scale,
        "digits": metric.digits,
        "higher_is_better": metric.higher_is_better,
    }


def _rows(
    run: RunReader, result: TaskResult, counts: Mapping[str, Counts], doubts: Sequence[str]
) -> list[dict[str, Any]]:
    from evalsuite.stats import Estimate

    info = result.info
    record = next((task for task in run.manifest.tasks if task.key == result.task), None)
    common = {
        **_identity(run, info, record),
        "data": result.data_fingerprint,
        "scorer": _told(result.details),
        "stale": stale(result, counts),
        "failures": result.failures,
        "missing": result.unfinished,
        "total": result.total,
        "limit": result.limit,
        "seed": result.seed,
        "seconds": result.cost.seconds,
        "tokens": result.cost.tokens,
        "images": result.cost.images,
        "unread": result.unread,
        "form": result.form or form_of(run.manifest.model, info.capability),
        "answers": result.answers.summary(KEPT in result.form) if result.answers else "",
        "doubts": "; ".join(doubts),
    }
    numbers = result.numbers()
    if not result.n and not any(e.metric.name == info.headline.name and not e.group for e in numbers):
        # Of whom nothing could be scored must not be missing among the others: the marks say why.
        numbers = [Estimate(info.headline, "", math.nan, math.nan, math.nan, 0, "no samples"), *numbers]
    known = {metric.name: metric for metric in info.metrics}
    have = {e.metric.name for e in numbers if not e.group and not math.isnan(e.value)}
    without = {name: why for name, why in lost(run, result).items() if name in known and name not in have}
    absent = [
        Estimate(known[name], "", math.nan, math.nan, math.nan, 0, "not computed")
        for name in without
        if name not in {e.metric.name for e in numbers if not e.group}
    ]
    return [
        {
            **common,
            **_of_metric(e.metric, info),
            "reason": without.get(e.metric.name, "") if not e.group else "",
            "group": e.group,
            "value": e.value,
            "low": e.low,
            "high": e.high,
            "level": e.level,
            "n": e.n,
            "method": e.method,
            "lacks": result.notes.get(e.metric.name, ""),
        }
        for e in (*numbers, *absent)
    ]


def _told(details: Mapping[str, Any]) -> str:
    """A scorer's details on one line; digests are cut to what distinguishes them.

    Where weights came from does not matter once their digest is known, nor what lay beside the images of a
    folder (`read`).
    """
    parts = []
    for name, value in sorted(details.items()):
        if (name == "source" and "sha256" in details) or name == "read":
            continue
        said = f"({_told(value)})" if isinstance(value, Mapping) else _DIGEST.sub(r"\1", str(value))
        parts.append(f"{name} {said}")
    return ", ".join(parts)


def find_runs(path: Path) -> list[Path]:
    """A path that is a run, or a file, or absent, is itself; a folder is the runs in it, at any depth, behind
    links too, each once."""
    if not path.is_dir() or (path / "run.json").exists():
        return [path]
    found: dict[str, Path] = {}
    for follow in (False, True):  # what is really there goes by its own name, not by that of a link to it
        entered: set[str] = set()
        for folder, below, files in os.walk(path, followlinks=follow):
            if (real := os.path.realpath(folder)) in entered:  # a link that leads back
                below.clear()
                continue
            entered.add(real)
            below.sort()
            if "run.json" in files:
                found.setdefault(real, Path(folder))
    return sorted(found.values())


def run_remarks(run: RunReader) -> list[tuple[str, str]]:
    """What a reader must know of a run's numbers, by task: which data they lack, what failed, what is
    missing."""
    frame = frame_of([run], unscored=True)
    heads = frame[frame["headline"] & (frame["group"] == "")]
    found = dict.fromkeys(
        (f"{row['task']} ({row['rules']})", str(row["remarks"]))
        for row in heads.to_dict("records")
        if row["remarks"]
    )
    return list(found)


def scored_tasks(run: RunReader) -> str:
    """Whether a run is scored, in a word or two: yes, no, which of its tasks are not, or that answers came
    later."""
    results, counts = run.metrics(), run.counts()
    own = [
        next((r for r in results if (r.task, r.rules) == (task.key, task.info.rules)), None)
        for task in run.manifest.tasks
    ]
    with_number = [r for r in own if r is not None and r.info.headline.name not in lost(run, r)]
    if not any(own):
        return "no"
    late = sum(stale(result, counts) for result in own if result is not None)
    phrase = "yes" if len(with_number) == len(own) else f"{len(with_number)} of {len(own)} tasks"
    return f"{phrase}, {late} answers came later" if late else phrase
