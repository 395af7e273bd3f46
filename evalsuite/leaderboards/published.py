"""Rows of published tables beside the runs of a leaderboard."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from evalsuite.errors import SpecError
from evalsuite.leaderboards.columns import complete
from evalsuite.published import Publication, PublishedCell, PublishedColumn, PublishedRow

if TYPE_CHECKING:
    import pandas

RUN = "published:"
"""What stands in the frame's column `run` before PUBLICATION/TABLE."""


def is_published(record: Mapping[str, Any]) -> bool:
    """Whether a row of the frame is a published number."""
    return str(record["run"]).startswith(RUN)


def with_published(frame: pandas.DataFrame, publications: Iterable[Publication]) -> pandas.DataFrame:
    """The frame of `load` with a row for each published number of a task that it has.

    A published number shares a column with runs only where task, metric, group, protocol and rules are the
    same and it was not measured with options of its own (shots, a subset); else it has one of its own. It has
    no interval, and no rank.

    Raises SpecError when nothing published is about a task of the frame.
    """
    import pandas

    publications, frame = list(publications), complete(frame)
    rows: list[dict[str, Any]] = []
    seen: set[tuple[Any, ...]] = set()
    for publication in publications:
        for name, table in publication.tables.items():
            for row in table.rows:
                for column_name, column in table.columns.items():
                    cell = row.cell(column_name)
                    measured = frame[(frame["task"] == column.task) & (frame["metric"] == column.metric)]
                    if cell is None or measured.empty:
                        continue
                    made = _row(measured, publication.name, name, row, column, cell)
                    # The same number often stands in several tables of a paper.
                    key = tuple(
                        made[part] for part in ("model", "task", "metric", "group", "protocol", "split")
                    )
                    if key not in seen:
                        seen.add(key)
                        rows.append(made)
    if not rows:
        named = ", ".join(publication.name for publication in publications) or "nothing"
        raise SpecError(
            f"{named} has no number of {', '.join(dict.fromkeys(frame['task']))}.",
            "See `evalsuite published list`.",
        )
    added = pandas.DataFrame(rows, columns=list(frame.columns)).astype(frame.dtypes.to_dict())
    found = pandas.concat([frame, added], ignore_index=True)
    found.attrs = dict(frame.attrs)
    return found


_OF_METRIC = ("task", "title", "metric", "headline", "scale", "digits", "higher_is_better", "level")


def _row(
    measured: pandas.DataFrame,
    publication: str,
    table: str,
    row: PublishedRow,
    column: PublishedColumn,
    cell: PublishedCell,
) -> dict[str, Any]:
    """A frame's row; what the publication does not say is taken from the runs that measured the same."""
    same = measured[
        ((measured["protocol"] == column.protocol) | (column.protocol == ""))
        & (measured["rules"] == column.rules)
    ]
    like = (same if not same.empty else measured).iloc[0]
    phrase = ", ".join(f"{name} {value}" for name, value in column.options.items())
    return {
        **{name: like[name] for name in _OF_METRIC},
        **{name: "" if same.empty else like[name] for name in ("version", "data", "scorer")},
        "model": f"{row.model} ({publication})",
        "protocol": column.protocol or like["protocol"],
        "rules": column.rules,
        "judge": column.options.get("judge", ""),
        "split": f"published, {phrase}" if phrase else like["split"],
        "group": column.group,
        "value": cell.value / like["scale"],
        "low": math.nan,
        "high": math.nan,
        "form": "", "answers": "", "doubts": "",
        "n": 0, "failures": 0, "missing": 0, "total": 0, "limit": None, "seed": 0,
        "seconds": 0.0, "tokens": 0, "images": 0,
        "method": cell.confidence,
        "model_fingerprint": f"published {row.model}",
        "evalsuite": "",
        "run": f"{RUN}{publication}/{table}",
        "partial": "", "undeclared": "", "stale": 0, "reason": "",
        "marks": "¶", "remarks": "as published, not measured here",
    }  # fmt: skip
