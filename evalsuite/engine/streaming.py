"""The request loop in a thread of its own, as a stream of what it tells: for workers in other processes."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from evalsuite.engine.findings import Findings
from evalsuite.engine.saver import BEHIND, Saver, encoding_threads
from evalsuite.engine.told import Answered, Remark, Told
from evalsuite.errors import UnavailableError

_AHEAD = 4
"""Batches that may wait for whoever reads the stream."""


@dataclass(frozen=True, slots=True)
class Halt:
    """The model can answer nothing more; what was answered came before."""

    reason: str


Streamed = Told | Findings | Halt


def stream(
    tell: Callable[[], Iterator[Told]],
    *,
    alone: Callable[[int], bool],
    news: Callable[[], Findings | None],
    stopping: threading.Event,
) -> Iterator[Streamed]:
    """Runs the loop in a thread; yields what it tells, with images encoded, in order and as it comes.

    Args:
        tell: the loop.
        alone: whether the lease of a ticket is asked one sample at a time; what is told of it has been read
            before the next sample is asked, so that whoever reads knows at which one the process died.
        news: what was found out about batches since it was asked last.
        stopping: the loop ends after the batch in which this is set.

    Raises what the loop raises, except UnavailableError, which ends the stream as a `Halt`.
    """
    told: queue.Queue[Streamed | BaseException | None] = queue.Queue(_AHEAD)

    def hand_over(saver: Saver, event: Told) -> None:
        records = event.records if isinstance(event, Answered) else ()
        saver.call(partial(told.put, event), records)
        wait = not isinstance(event, Remark) and alone(event.ticket)
        for _ in saver.saved(at_most_behind=0 if wait else BEHIND):
            pass
        if wait:
            told.join()
        if (found := news()) is not None:
            saver.call(partial(told.put, found))

    def work() -> None:
        end: Halt | BaseException | None = None
        try:
            with Saver(encoders=encoding_threads()) as saver:
                for event in tell():
                    hand_over(saver, event)
                    if stopping.is_set():
                        break
                for _ in saver.saved(at_most_behind=0):
                    pass
        except UnavailableError as caught:
            end = Halt(str(caught))
        except BaseException as caught:  # handed to the reader, whatever it is
            end = caught
        told.put(end)
        if isinstance(end, Halt):
            told.put(None)

    thread = threading.Thread(target=work, name="request-loop", daemon=True)
    thread.start()
    while (got := told.get()) is not None:
        if isinstance(got, BaseException):
            raise got
        yield got
        told.task_done()  # the reader came back: it has what it was given
    thread.join()
