"""A report that follows runs: written again as they grow, for the last time when they have ended."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

from evalsuite.errors import StoreError
from evalsuite.leaderboards.frame import open_runs
from evalsuite.report.site import Written

_SHARE = 4.0
"""A report that took long is followed by a pause of so many times its own time: the run needs the machine."""


class Writes(Protocol):
    """Writes the report; `live` pages load themselves again."""

    def __call__(self, *, live: bool) -> Written: ...


def follow_runs(
    runs: Iterable[Path | str],
    write: Writes,
    *,
    interval: float = 10.0,
    told: Callable[[str], None] = lambda line: None,
    wait: Callable[[float], None] = time.sleep,
) -> Written:
    """Writes a report again and again until no process writes into the runs any more.

    The last report is an ordinary one; Ctrl-C, too, leaves such a one behind. A folder without a run is
    waited for.

    Args:
        runs: runs, or folders with runs in them.
        write: writes the report.
        interval: seconds between two reports; longer where writing takes long.
        told: takes a line on how far the runs are.
        wait: sleeps.

    Raises:
        StoreError: the report cannot be written, or was ended before there was a run.
    """
    paths = [Path(run) for run in runs]
    try:
        while True:
            progress = _progress(paths)
            if progress is None:
                told("waiting for a run")
                wait(interval)
                continue
            going_on, line = progress
            if not going_on:
                break
            start = time.monotonic()
            write(live=True)
            took = time.monotonic() - start
            told(line)
            wait(max(interval, _SHARE * took))
    except KeyboardInterrupt:
        told("interrupted; the last report is written")
    return write(live=False)


def _progress(paths: list[Path]) -> tuple[bool, str] | None:
    """Whether a process writes into one of the runs, and a line on all; None where there is no run yet."""
    with ExitStack() as stack:
        try:
            readers = open_runs(paths)
        except StoreError:
            return None
        for reader in readers:
            stack.callback(reader.close)
        going_on = any("running" in reader.statuses() for reader in readers)
        counts = [count for reader in readers for count in reader.counts().values()]
    done, total = sum(count.answered for count in counts), sum(count.total for count in counts)
    return going_on, f"{done:,} of {total:,} samples answered"
