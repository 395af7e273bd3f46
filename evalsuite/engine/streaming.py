"""The request loop over one lease, as a stream of what it saves and notes: for workers in other processes."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from evalsuite.engine.engine import Sink
from evalsuite.engine.plan import Source
from evalsuite.errors import UnavailableError
from evalsuite.store.records import Record

_AHEAD = 4
"""Batches that may wait for whoever reads the stream."""


@dataclass(frozen=True, slots=True)
class StreamedNote:
    """A note of the loop."""

    task: str
    text: str


@dataclass(frozen=True, slots=True)
class StreamedStop:
    """The model can answer nothing more; what was answered came before."""

    reason: str


Streamed = tuple[Record, ...] | StreamedNote | StreamedStop


class _Queue:
    """A sink that hands everything to the reader of the stream, and waits when it is slow."""

    def __init__(self) -> None:
        self._queue: queue.Queue[Streamed | BaseException | None] = queue.Queue(_AHEAD)

    def save(self, records: Sequence[Record]) -> None:
        if records:
            self._queue.put(tuple(records))

    def note(self, task: str, text: str) -> None:
        self._queue.put(StreamedNote(task, text))

    def end(self, error: BaseException | None) -> None:
        if isinstance(error, UnavailableError):
            self._queue.put(StreamedStop(str(error)))
            error = None
        self._queue.put(error)

    def __iter__(self) -> Iterator[Streamed]:
        while True:
            got = self._queue.get()
            if got is None:
                return
            if isinstance(got, BaseException):
                raise got
            yield got


def stream(ask: Callable[[Source, Sink], None], source: Source) -> Iterator[Streamed]:
    """Runs `ask(source, sink)` in a thread and yields what the sink is given, in order, as it comes.

    Raises what `ask` raises, except UnavailableError, which ends the stream as a `StreamedStop`.
    """
    sink = _Queue()

    def work() -> None:
        error: BaseException | None = None
        try:
            ask(source, sink)
        except BaseException as caught:  # handed to the reader, whatever it is
            error = caught
        sink.end(error)

    thread = threading.Thread(target=work, name="request-loop", daemon=True)
    thread.start()
    yield from sink
    thread.join()
