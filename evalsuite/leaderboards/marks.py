"""What a reader must know of a number beside its value: which data it lacks, and why there is none."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from evalsuite.judging.state import missing_of
from evalsuite.leaderboards.published import RUN, is_published
from evalsuite.store import Counts, RunReader, TaskResult
from evalsuite.store.manifest import TaskRecord
from evalsuite.task import TaskInfo

SUBSET, FAILED, UNFINISHED, PUBLISHED, ABSENT = "†", "‡", "§", "¶", "∗"
UNREAD, LACKING, DOUBTFUL = "◊", "‖", "‼"


def partial(info: TaskInfo, record: TaskRecord | None) -> str:
    """Why the data were not the benchmark's official split; empty where they were, or where there is none."""
    available = record.available if record is not None else 0
    if info.count and available and available != info.count:
        return f"{available:,} of the official {info.count:,} samples"
    if info.drawn and not info.count:
        return f"a random subset of {available:,} samples"
    return ""


def undeclared(info: TaskInfo, record: TaskRecord | None) -> str:
    """That nothing says how large the official split is, so that it is unknown whether it is complete."""
    if info.count is not None or info.drawn or record is None:
        return ""
    return f"{record.available:,} samples; how many the official split has is not declared"


def stale(result: TaskResult, counts: Mapping[str, Counts]) -> int:
    """Answers and failures that came after the scores were made."""
    now = counts.get(result.task)
    if now is None:
        return 0
    return abs(now.answered - result.answered) + abs(now.failed - result.failed)


def lost(run: RunReader, result: TaskResult) -> dict[str, str]:
    """Metrics of a scored task that have no number, with the reason."""
    found = missing_of(run, result)
    headline = result.info.headline.name
    if (
        headline not in found
        and result.n
        and not any(e.metric.name == headline and not e.group for e in result.estimates)
    ):
        found[headline] = "its scorer gave no number"
    return found


def unscored(run: RunReader, counts: Mapping[str, Counts], key: str) -> str:
    """Why a task of a run has no scores at all, and what makes them."""
    count = counts[key]
    done = count.answered + count.failed
    if done < count.total:
        asked = f"{done} of {count.total} samples asked"
        return f"not finished ({asked}) and not scored: the same command resumes it"
    return f"not scored: `evalsuite score {run.path}` needs no model"


def marks_of(record: Mapping[str, Any]) -> str:
    """The signs behind a number of the frame."""
    return (
        (SUBSET if record["limit"] is not None else "")
        + (FAILED if record["failures"] else "")
        + (UNFINISHED if record["missing"] or _told(record, "stale") else "")
        + (UNREAD if counted(record, "unread") else "")
        + (LACKING if _told(record, "lacks") else "")
        + (PUBLISHED if is_published(record) else "")
        + (SUBSET if record["limit"] is None and _told(record, "partial") else "")
        + (ABSENT if _told(record, "reason") else "")
        + (DOUBTFUL if _told(record, "doubts") else "")
    )


def remarks_of(record: Mapping[str, Any]) -> str:
    """The same in words, for the tidy frame; empty where nothing needs saying."""
    marks = [
        f"--limit {record['limit']}" if record["limit"] is not None else "",
        _told(record, "partial"),
        _told(record, "undeclared"),
        f"{record['failures']} of {record['total']} samples failed" if record["failures"] else "",
        f"{record['missing']} of {record['total']} samples missing" if record["missing"] else "",
        f"{counted(record, 'stale')} answers came after the scores" if counted(record, "stale") else "",
        f"{counted(record, 'unread')} of {record['total']} answers unread"
        if counted(record, "unread")
        else "",
        _told(record, "lacks"),
        _told(record, "answers"),
        _told(record, "doubts"),
        _told(record, "reason"),
        "as published, not measured here" if is_published(record) else "",
    ]
    return "; ".join(filter(None, marks))


def notes_of(
    records: Sequence[Mapping[str, Any]],
    names: Mapping[tuple[str, str], str],
    left_out: Iterable[tuple[str, str]] = (),
) -> list[str]:
    """A line for every sign that occurs, then what has no sign: undeclared sizes, runs that were left out.

    Args:
        records: rows of the frame.
        names: model and run -> row of the table.
        left_out: run -> reason, of runs that have no row.
    """
    found: dict[str, dict[str, None]] = {}

    def add(kind: str, text: str) -> None:
        found.setdefault(kind, {})[text] = None

    for record in records:
        if is_published(record):
            add("published", f"{str(record['run']).removeprefix(RUN)}, {record['method']}")
        name = names.get((record["model"], record["run"]), str(record["model"]))
        what = f"{name} on {record['task']}"
        if record["limit"] is not None:
            add("subset", f"--limit {record['limit']}")
        if text := _told(record, "partial"):
            add("subset", f"{record['task']}: {text}")
        if text := _told(record, "undeclared"):
            add("undeclared", f"{record['task']}: {text}")
        if record["failures"]:
            add("failed", f"{what} ({record['failures']} of {record['total']})")
        if record["missing"]:
            add("unfinished", f"{what} ({record['missing']} of {record['total']} missing)")
        if count := counted(record, "stale"):
            add("unfinished", f"{what} ({count} answers came after the scores: `evalsuite score`)")
        if count := counted(record, "unread"):
            add("unread", f"{what} ({count} of {record['total']})")
        if text := _told(record, "lacks"):
            add("lacking", f"{what}, {record['metric']} ({text})")
        if text := _told(record, "doubts"):
            add("doubtful", f"{what}: {text}")
        if text := _told(record, "answers"):
            add("answers", f"{what} {text}")
        if text := _told(record, "reason"):
            add("absent", f"{what} has no {record['metric']} ({text})")
    lines = {
        "subset": f"{SUBSET} a subset of the benchmark ({{}})",
        "failed": f"{FAILED} failed samples, not in the score: {{}}",
        "unfinished": f"{UNFINISHED} unfinished: {{}}",
        "unread": f"{UNREAD} unread answers, counted as the scorer counts them: {{}}",
        "lacking": f"{LACKING} incomplete: {{}}",
        "published": f"{PUBLISHED} as published, not measured here ({{}})",
        "absent": f"{ABSENT} no number: {{}}",
        "doubtful": f"{DOUBTFUL} {{}}",
        "answers": "answers: {}",
        "undeclared": "size of the split not checked: {}",
    }
    footer = [
        line.format(
            ("; " if kind in ("published", "absent", "doubtful", "answers") else ", ").join(found[kind])
        )
        for kind, line in lines.items()
        if kind in found
    ]
    return [*footer, *(f"left out: {run}: {reason.rstrip('.')}" for run, reason in left_out)]


def _told(record: Mapping[str, Any], name: str) -> str:
    """A text of the frame; frames that were made elsewhere may lack the column."""
    value = record.get(name)
    if isinstance(value, str):
        return value
    return str(value) if counted(record, name) else ""


def counted(record: Mapping[str, Any], name: str) -> int:
    """A count of the frame; 0 where it is empty or its frame lacks the column."""
    value = record.get(name)
    if not isinstance(value, int | float) or isinstance(value, bool) or math.isnan(value):
        return 0
    return int(value)
