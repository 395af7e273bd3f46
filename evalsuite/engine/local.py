"""The process itself as a pool of one worker: the device step runs in the thread that asks for events."""

from __future__ import annotations

import contextlib
import os
import platform
from collections import deque
from collections.abc import Generator, Iterable, Mapping, Sequence
from typing import cast

from evalsuite.engine.engine import RequestLoop
from evalsuite.engine.findings import Findings
from evalsuite.engine.leases import Lease
from evalsuite.engine.plan import Source, TaskPlan
from evalsuite.engine.pool import Begun, Event, Finished, Noted, Ready, Saved, WorkerInfo
from evalsuite.engine.told import Answered, Asking, Remark, Told
from evalsuite.model import ModelInfo


class LocalPool:
    """One worker in this process; errors of the model are raised by `events`.

    The device step stays in the caller's thread, because what libraries set for a thread (precision, the
    current device) was set there when the model was loaded, and because Ctrl-C arrives there.

    Args:
        loop: asks the model.
        info: of the model.
        plans: by key of their task.
    """

    kind = ""
    starting = 0

    def __init__(self, loop: RequestLoop, info: ModelInfo, plans: Mapping[str, TaskPlan]) -> None:
        self._loop = loop
        self._plans = plans
        self._leases: deque[Source] = deque()
        self._telling: Generator[Told] | None = None
        here = platform.node()
        self._ready: list[Event] = [Ready(WorkerInfo(0, here, here, os.getpid(), (), {}, {}, info))]

    def send(self, worker: int, lease: Lease, begun: Begun, findings: Findings) -> None:
        self._leases.append(Source(self._plans[lease.task], lease, begun))

    def replace(self, avoid: frozenset[str]) -> bool:
        return False

    def events(self, timeout: float) -> Sequence[Event]:
        """What one more batch brings."""
        if self._ready:
            found, self._ready = self._ready, []
            return found
        if self._telling is None and self._leases:
            self._telling = cast("Generator[Told]", self._loop.run(self._take))
        told = None if self._telling is None else next(self._telling, None)
        match told:
            case None:
                self._telling = None
                return ()
            case Answered(ticket, records):
                return (Saved(0, ticket, records),)
            case Remark(task, text):
                return (Noted(0, task, text),)
            case Asking():  # who dies with this process blames nobody
                return ()
            case _:
                return (Finished(0, told.ticket),)

    def close(self, grace: float) -> Iterable[Event]:
        if self._telling is not None:
            with contextlib.suppress(ValueError):  # interrupted while it was running: it has ended
                self._telling.close()
            self._telling = None
        return ()

    def _take(self, may_wait: bool) -> Source | None:
        return self._leases.popleft() if self._leases else None
