"""All numbers of some runs in one tidy frame."""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalsuite.errors import StoreError
from evalsuite.store import RunReader, TaskResult, list_runs

if TYPE_CHECKING:
    import pandas

_log = logging.getLogger(__name__)
_DIGEST = re.compile(r"\b([0-9a-f]{16})[0-9a-f]{24,}\b")

COLUMNS = (
    "model", "task", "title", "version", "protocol", "rules", "judge", "split", "data", "scorer", "metric",
    "group",
    "value", "low", "high", "level", "n", "failures", "missing", "total", "limit", "seed",
    "seconds", "tokens", "images", "headline", "scale", "digits", "higher_is_better", "method",
    "model_fingerprint", "evalsuite", "run",
)  # fmt: skip
"""Columns of the frame. `value`, `low`, `high` are in natural units; display multiplies by `scale`. `data`
and `model_fingerprint` are digests, `version` is the task's, `evalsuite` the harness's; `scorer` tells what
else decides a score (a metric's network with its weights, runs of a judge); `missing` samples were not asked
yet; `seconds` is device time of the whole task."""


def load(paths: Iterable[Path | str]) -> pandas.DataFrame:
    """The numbers of runs, one row per run, task, rules, metric and group, with `COLUMNS`.

    Args:
        paths: runs, or folders with runs in them (searched at any depth).

    Raises:
        StoreError: a path is not there, or holds no run that has been scored. A damaged run among others is
            left out with a warning.
    """
    folders = [Path(path) for path in paths]
    readers = open_runs(folders)
    where = ", ".join(map(str, folders))
    try:
        frame = frame_of(readers)
    finally:
        for reader in readers:
            reader.close()
    if frame.empty:
        raise StoreError(f"No run in {where} has been scored yet.", "Finish it, or `evalsuite score RUN`.")
    return frame


def open_runs(folders: Sequence[Path]) -> list[RunReader]:
    """The runs in folders, opened.

    Raises StoreError when there is none. A damaged run among others is left out with a warning.
    """
    readers, broken = list_runs(runs_in(folders))
    for path, error in broken.items():
        if not readers:
            raise error
        _log.warning("%s is left out: %s", path, error)
    return readers


def runs_in(folders: Sequence[Path]) -> list[Path]:
    """The runs in folders (see `find_runs`). Raises StoreError when there is none."""
    runs = [run for folder in folders for run in find_runs(folder)]
    if not runs:
        where = ", ".join(map(str, folders))
        raise StoreError(f"There is no run in {where}.", "Measure one with `evalsuite run --out FOLDER`.")
    return runs


def frame_of(runs: Sequence[RunReader]) -> pandas.DataFrame:
    """The numbers of open runs, with `COLUMNS`; empty when nothing is scored."""
    import pandas

    rows = [row for run in runs for result in run.metrics() for row in _rows(run, result)]
    frame = pandas.DataFrame(rows, columns=list(COLUMNS))
    return frame.astype({"limit": "Int64"})


def _rows(run: RunReader, result: TaskResult) -> list[dict[str, Any]]:
    from evalsuite.stats import Estimate

    info, model = result.info, run.manifest.model
    common = {
        "model": run.model_name,
        "task": info.name,
        "title": info.title,
        "version": info.version,
        "protocol": info.protocol,
        "rules": info.rules,
        "judge": info.judge,
        "split": info.split,
        "data": result.data_fingerprint,
        "scorer": _told(result.details),
        "failures": result.failures,
        "missing": result.unfinished,
        "total": result.total,
        "limit": result.limit,
        "seed": result.seed,
        "seconds": result.cost.seconds,
        "tokens": result.cost.tokens,
        "images": result.cost.images,
        "model_fingerprint": model.fingerprint if model else "",
        "evalsuite": run.manifest.evalsuite,
        "run": str(run.path),
    }
    numbers = result.numbers()
    if not result.n and not any(e.metric.name == info.headline.name and not e.group for e in numbers):
        # Of whom nothing could be scored must not be missing among the others: the marks say why.
        numbers = [Estimate(info.headline, "", math.nan, math.nan, math.nan, 0, "no samples"), *numbers]
    return [
        {
            **common,
            "metric": e.metric.name,
            "group": e.group,
            "value": e.value,
            "low": e.low,
            "high": e.high,
            "level": e.level,
            "n": e.n,
            "headline": e.metric.name == info.headline.name,
            "scale": e.metric.scale,
            "digits": e.metric.digits,
            "higher_is_better": e.metric.higher_is_better,
            "method": e.method,
        }
        for e in numbers
    ]


def _told(details: Mapping[str, Any]) -> str:
    """A scorer's details on one line; digests are cut to what tells them apart.

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
    """A path that is a run, or a file, or absent, is itself; a folder is the runs in it, at any depth."""
    if not path.is_dir() or (path / "run.json").exists():
        return [path]
    return sorted(found.parent for found in path.rglob("run.json"))
