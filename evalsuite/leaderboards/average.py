"""The average that a suite's leaderboard prints over its tasks, as a column beside them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from evalsuite.leaderboards.columns import complete
from evalsuite.leaderboards.marks import counted, marks_of, remarks_of

if TYPE_CHECKING:
    import pandas

    from evalsuite.task.entry import AveragePart, SuiteAverage, SuiteEntry

_FULL = 100.0
_HEAD = ("model", "model_fingerprint", "evalsuite", "run", "level")
_SUMMED = ("failures", "missing", "seconds", "tokens", "images", "n", "total")
_SAID = ("partial", "undeclared", "lacks", "doubts", "answers")


def with_average(frame: pandas.DataFrame, suite: SuiteEntry) -> pandas.DataFrame:
    """The frame of `load` with a row for each model: the suite's average, under the suite's name as task.

    A part is a task's number, under the protocol and rules that the suite names, times 100 and divided by its
    maximum. A model that lacks one of them has no average, and the row says which; so has one whose runs
    measured a part twice. The interval treats the parts as independent: the distances of their ends from
    their values add up as squares. A part without an interval counts as exact; where none has one, neither
    has the average.

    Returns the frame as it is for a suite without an average.
    """
    if suite.average is None:
        return frame
    import pandas

    frame = complete(frame)
    whole = [{str(key): value for key, value in one.items()} for one in frame.to_dict("records")]
    records = [one for one in whole if one["group"] == ""]
    rows = []
    for members in _by_model(records, suite):
        found = [_candidates(members, suite, part) for part in suite.average.of]
        if any(found):  # a model of other tasks has no row
            rows.append(_row(suite, suite.average, members, found))
    if not rows:
        return frame
    added = pandas.DataFrame(rows, columns=list(frame.columns)).astype(frame.dtypes.to_dict())
    joined = pandas.concat([frame, added], ignore_index=True)
    joined.attrs = dict(frame.attrs)
    return joined


def _by_model(records: Sequence[dict[str, Any]], suite: SuiteEntry) -> Iterable[list[dict[str, Any]]]:
    """The records of each model; run by run where runs measure a part of the average more than once, which
    then stand in rows of their own."""
    models: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for one in records:
        models.setdefault((one["model"], one["model_fingerprint"]), []).append(one)
    assert suite.average is not None
    for members in models.values():
        twice = any(len(_candidates(members, suite, part)) > 1 for part in suite.average.of)
        if not twice:
            yield members
            continue
        for run in dict.fromkeys(one["run"] for one in members):
            yield [one for one in members if one["run"] == run]


def _candidates(
    members: Sequence[dict[str, Any]], suite: SuiteEntry, part: AveragePart
) -> list[dict[str, Any]]:
    """The numbers that a part may stand for."""
    asked = next(task for task in suite.tasks if task.name == part.task)
    return [
        one
        for one in members
        if one["task"] == part.task
        and (one["metric"] == part.metric if part.metric else one["headline"])
        and (asked.rules is None or one["rules"] == asked.rules)
        and (asked.protocol is None or one["protocol"] == asked.protocol)
        and not math.isnan(one["value"])
    ]


def _row(
    suite: SuiteEntry,
    average: SuiteAverage,
    members: Sequence[dict[str, Any]],
    found: Sequence[Sequence[dict[str, Any]]],
) -> dict[str, Any]:
    """A frame's row."""
    parts = [one[0] for one in found if len(one) == 1]
    value, low, high = _mean(average, parts) if len(parts) == len(found) else (math.nan,) * 3
    limits = [one["limit"] for one in parts if one["limit"] is not None and one["limit"] == one["limit"]]
    row: dict[str, Any] = {
        **{name: members[0][name] for name in _HEAD},
        **{name: sum(one[name] for one in parts) for name in _SUMMED},
        **{name: "; ".join(_said(parts, name)) for name in _SAID},
        "task": suite.name,
        "title": suite.title,
        "version": "", "protocol": "", "rules": "", "split": "", "data": "", "scorer": "", "form": "",
        "judge": _judges(parts),
        "metric": average.name,
        "group": "",
        "value": value, "low": low, "high": high,
        "limit": min(map(int, limits)) if limits else None,
        "seed": 0,
        "unread": sum(counted(one, "unread") for one in parts),
        "stale": sum(counted(one, "stale") for one in parts),
        "headline": True, "scale": 1.0, "digits": average.digits, "higher_is_better": True,
        "method": "mean of the parts, taken as independent",
        "reason": _why_not(average, found),
    }  # fmt: skip
    row["marks"], row["remarks"] = marks_of(row), remarks_of(row)
    return row


def _mean(average: SuiteAverage, parts: Sequence[dict[str, Any]]) -> tuple[float, float, float]:
    """Value, low, high, of 100."""
    factors = [one["scale"] * _FULL / how.out_of for one, how in zip(parts, average.of, strict=True)]
    count = len(parts)
    value = sum(one["value"] * factor for one, factor in zip(parts, factors, strict=True)) / count
    if all(math.isnan(one["low"]) for one in parts):
        return value, math.nan, math.nan
    widths = {
        end: math.sqrt(
            sum(
                ((one[end] - one["value"]) * factor) ** 2
                for one, factor in zip(parts, factors, strict=True)
                if not math.isnan(one[end])
            )
        )
        / count
        for end in ("low", "high")
    }
    return value, value - widths["low"], value + widths["high"]


def _said(parts: Sequence[dict[str, Any]], name: str) -> list[str]:
    return [f"{one['task']}: {one[name]}" for one in parts if isinstance(one[name], str) and one[name]]


def _judges(parts: Sequence[dict[str, Any]]) -> str:
    """Who judged; empty where nobody did."""
    return ", ".join(dict.fromkeys(one["judge"] for one in parts if one["judge"]))


def _why_not(average: SuiteAverage, found: Sequence[Sequence[dict[str, Any]]]) -> str:
    """Why there is no average; empty where there is one."""
    lacking = [part.task for part, one in zip(average.of, found, strict=True) if not one]
    twice = [part.task for part, one in zip(average.of, found, strict=True) if len(one) > 1]
    said = []
    if lacking:
        said.append(f"{len(found) - len(lacking)} of {len(found)} parts: without {', '.join(lacking)}")
    if twice:
        said.append(f"measured in several ways: {', '.join(twice)}")
    return "; ".join(said)


def tasks_shown(frame: pandas.DataFrame, suite: SuiteEntry) -> list[str]:
    """The suite's tasks that the frame has, in the suite's order, and its average behind them."""
    have = set(frame["task"])
    return [name for name in (*(task.name for task in suite.tasks), suite.name) if name in have]


__all__: Sequence[str] = ("tasks_shown", "with_average")
