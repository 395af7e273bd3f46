"""Runs to one destination: each once, and a destination that fails is given up for this time."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from evalsuite.errors import is_interruption, reason_of
from evalsuite.loggers.destinations import Destination, Sink
from evalsuite.loggers.entries import Entry, entry_of
from evalsuite.store import RunReader
from evalsuite.store.logged import read_logged, write_logged

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of logging.

    Args:
        written: runs that were logged now.
        error: why it stopped; None where all is logged.
        waiting: runs that are not logged yet.
    """

    written: int
    error: str | None = None
    waiting: tuple[Path, ...] = ()


def log_all(runs: Sequence[Path], to: Destination) -> Outcome:
    """Logs the runs that `to` does not have yet, in the order of their steps; never raises for what a
    tracker, its library or its server does.

    Raises StoreError where a run cannot be read.
    """
    entries = []
    for path in runs:
        with RunReader(path) as reader:
            entry = entry_of(reader)
        if entry.scalars and read_logged(path).get(to.key) != entry.digest:
            entries.append((path, entry))
    entries.sort(key=lambda pair: (pair[1].series, pair[1].step))
    done: list[Path] = []
    try:
        _write(entries, to, done)
    except BaseException as error:  # wandb ends processes, MLflow raises its own
        if is_interruption(error):
            raise
        _log.debug("logging to %s failed", to, exc_info=True)
        waiting = tuple(path for path, _ in entries if path not in done)
        return Outcome(len(done), reason_of(error, 300), waiting)
    return Outcome(len(done))


def _write(entries: Iterable[tuple[Path, Entry]], to: Destination, done: list[Path]) -> None:
    sink: Sink | None = None
    written: list[tuple[Path, Entry]] = []
    try:
        for path, entry in entries:
            if sink is None:
                sink = to.open()
            sink.write(entry)
            written.append((path, entry))
    finally:
        if sink is not None:
            sink.close()  # what it buffers is there only now
    for path, entry in written:
        write_logged(path, to.key, entry.digest)
        done.append(path)


def forget(runs: Iterable[Path], to: Destination) -> None:
    """So that they are logged again."""
    for path in runs:
        write_logged(path, to.key, None)
