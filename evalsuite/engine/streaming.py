"""The request loop in a thread of its own, as a stream of what it tells: for workers in other processes."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from evalsuite.engine.findings import Findings
from evalsuite.engine.saver import BEHIND, Saver, encoding_threads
from evalsuite.engine.told import Answered, Remark, Told
from evalsuite.errors import UnavailableError
from evalsuite.request import ChoiceResponse, Response, TextResponse

_AHEAD = 4
"""Batches that may wait for whoever reads the stream."""
_PACE = 0.5
"""Seconds between messages, unless something is urgent. A message costs a driver about a millisecond,
whatever is in it: at one for every batch of 0.1 s, a driver would be full with 64 workers."""
_LIGHT = 4096
"""Characters of an answer that may wait for others; images and rows of features go by themselves."""


@dataclass(frozen=True, slots=True)
class Halt:
    """The model can answer nothing more; what was answered came before."""

    reason: str


Streamed = Told | Findings | Halt
Message = tuple[Streamed, ...]
"""What is sent together, in the order in which it happened."""


def stream(
    tell: Callable[[], Iterator[Told]],
    *,
    alone: Callable[[int], bool],
    news: Callable[[], Findings | None],
    stopping: threading.Event,
) -> Iterator[Message]:
    """Runs the loop in a thread; yields what it tells, with images encoded, in order and as it comes.

    Short answers of batches that take less than half a second are sent together, twice a second; a lease that
    is through, or is asked alone, and images are sent at once.

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
    ended, due = False, 0.0
    while not ended:
        got = _gathered(told, alone, due)
        message = tuple(one for one in got if not (one is None or isinstance(one, BaseException)))
        if message:
            yield message
        due = time.monotonic() + _PACE
        for _ in got:
            told.task_done()  # the reader came back: it has what it was given
        if isinstance(error := got[-1], BaseException):
            raise error
        ended = error is None
    thread.join()


def _gathered(
    told: queue.Queue[Streamed | BaseException | None], alone: Callable[[int], bool], due: float
) -> list[Streamed | BaseException | None]:
    """Waits for something, and until `due` for more, unless it is urgent; the end is last, if it is there."""
    found = [told.get()]
    while not _urgent(found[-1], alone):
        try:
            found.append(told.get(timeout=max(0.0, due - time.monotonic())))
        except queue.Empty:
            break
    return found


def _urgent(one: Streamed | BaseException | None, alone: Callable[[int], bool]) -> bool:
    match one:
        case Answered(ticket, records):
            return alone(ticket) or not all(_light(record.response) for record in records)
        case Remark() | Findings():
            return False
        case _:  # the end, or the driver is to act: hand out another lease, know whom a death blames
            return True


def _light(response: Response | None) -> bool:
    match response:
        case TextResponse(text):
            return len(text) <= _LIGHT
        case ChoiceResponse() | None:
            return True
        case _:
            return False
