"""Ray actors as a pool of workers: started, fed and watched by the driver, never restarted by Ray.

`max_restarts=0` and `max_task_retries=0`: Ray's own restarts fail the calls that are waiting, and would ask
again what killed a worker without anybody knowing. What a worker answers comes as one stream of objects for
as long as it lives; what a dead worker had sent is read to the end before its death is reported.
"""

from __future__ import annotations

import os
import pickle
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from evalsuite.engine.findings import Findings
from evalsuite.engine.hashing import sample_hash
from evalsuite.engine.inlining import with_bytes
from evalsuite.engine.leases import Lease
from evalsuite.engine.pool import (
    Began,
    Begun,
    Died,
    Event,
    Finished,
    Found,
    Noted,
    Ready,
    Refused,
    Saved,
    Silent,
    Stopped,
    WorkerInfo,
)
from evalsuite.engine.streaming import Halt, Message, Streamed
from evalsuite.engine.told import Answered, Asking, Remark, Through
from evalsuite.errors import UnavailableError
from evalsuite.ray.cluster import require_ray, resources, room_for
from evalsuite.ray.worker import LeaseWorker, LoadError
from evalsuite.spec import ExecutionOptions, RunSpec
from evalsuite.task import Task

_LEAST_SILENCE = 600.0
_TIMES_SLOWEST = 10.0
_LOOK_EVERY = 15.0
"""Seconds between looks at whether machines have joined the cluster."""
_PATIENCE = 120.0
"""Seconds in which a worker must take a task."""


class _Worker(LeaseWorker):
    """The worker as an actor: it knows which node of the cluster it is on."""

    def where(self) -> str:
        """The node, while the model is being loaded."""
        import ray

        return str(ray.get_runtime_context().get_node_id())

    def load(self, node: str) -> WorkerInfo | LoadError:
        return super().load(node or self.where())


@dataclass(slots=True)
class _Actor:
    """An actor and what the driver waits for from it."""

    number: int
    handle: Any
    place: Any
    loading: Any
    node: str = ""
    info: WorkerInfo | None = None
    stream: Any = None
    """What it answers."""
    tickets: set[int] = field(default_factory=set)
    """Of the leases that it holds."""
    knows: dict[str, bool] = field(default_factory=dict)
    """Task -> whether its images are shipped as bytes, because this machine does not see them."""
    give: Any = None
    """Its method of that name, with what Ray is to know about calls of it."""
    heard: float = 0.0
    reported_silent: bool = False


class RayPool:
    """Actors that answer leases.

    Args:
        kind: what `connect` called the cluster.
        spec, options: the run's.
        tasks: by key, as the driver built them; sent to a worker once, pickled.
        count: workers to have.
        first: number of the first worker.
        gpus, cpus: of each worker; a fraction of a GPU shares it.
        silence: seconds without a word after which a worker that holds a lease is silent; None: ten times the
            slowest batch seen, at least 600.
        growing: machines that join the cluster later get workers, too.
    """

    def __init__(
        self,
        kind: str,
        spec: RunSpec,
        options: ExecutionOptions,
        tasks: Mapping[str, Task],
        *,
        count: int,
        first: int = 0,
        gpus: float = 0.0,
        cpus: float = 1.0,
        silence: float | None = None,
        growing: bool = False,
    ) -> None:
        self._ray = require_ray()
        self._kind = kind
        self._spec, self._options = spec, options
        self._tasks = tasks
        self._pickled: dict[str, Any] = {}
        self._next = first
        self._gpus, self._cpus = gpus, cpus
        self._silence = silence
        self._slowest = 0.0
        self._growing = growing
        self._looked = time.monotonic()
        self._actors: dict[int, _Actor] = {}
        self._waiting: list[Event] = []
        self._lost: list[int] = []
        for _ in range(count):
            self.replace(frozenset())

    @property
    def kind(self) -> str:
        return self._kind

    @property
    def starting(self) -> int:
        return sum(actor.info is None for actor in self._actors.values())

    @property
    def next_number(self) -> int:
        """The number that the next worker will have."""
        return self._next

    def replace(self, avoid: frozenset[str]) -> bool:
        ray = self._ray
        number, self._next = self._next, self._next + 1
        options: dict[str, Any] = {
            "max_restarts": 0, "max_task_retries": 0, "num_cpus": self._cpus, "num_gpus": self._gpus,
            "runtime_env": {"env_vars": {"OMP_NUM_THREADS": str(max(1, int(self._cpus)))}},
        }  # fmt: skip
        if avoid:
            nodes = [node["NodeID"] for node in ray.nodes() if node["Alive"] and node["NodeID"] not in avoid]
            if not nodes:
                return False
            strategy = ray.util.scheduling_strategies.NodeLabelSchedulingStrategy
            labels = ray.util.scheduling_strategies.In(*nodes)
            options["scheduling_strategy"] = strategy(hard={"ray.io/node-id": labels})
        # Two groups: a task is learnt while a lease is being answered.
        kind = ray.remote(concurrency_groups={"answer": 1, "control": 1})(_Worker)
        actor = kind.options(**options).remote(number, self._spec, self._options)
        place = actor.where.options(concurrency_group="control").remote()
        self._actors[number] = _Actor(number, actor, place, actor.load.remote(""), heard=time.monotonic())
        return True

    def send(self, worker: int, lease: Lease, begun: Begun, findings: Findings) -> None:
        actor = self._actors[worker]
        try:
            shipped = with_bytes(lease) if self._teach(actor, lease) else lease
        except (self._ray.exceptions.RayActorError, self._ray.exceptions.GetTimeoutError):
            # Dead or out of reach: `events` reports it. The lease counts as sent, and comes back then.
            self._lost.append(worker)
            return
        actor.give.remote(shipped, dict(begun), findings)
        if not actor.tickets:
            actor.heard = time.monotonic()
        actor.tickets.add(lease.ticket)

    def events(self, timeout: float) -> Sequence[Event]:
        found, self._waiting = self._waiting, []
        for worker in dict.fromkeys(self._lost):
            if (actor := self._actors.pop(worker, None)) is not None:
                self._ray.kill(actor.handle, no_restart=True)
                found.append(Died(worker, self._node(actor), "it could not be reached"))
        self._lost.clear()
        waited = self._wait(0.0 if found else timeout)
        found += waited
        if not waited:
            found += self._silent()
        if self._growing:
            self._grow()
        return found

    def _grow(self) -> None:
        """Makes workers for what has joined the cluster since this was looked at last."""
        if time.monotonic() - self._looked < _LOOK_EVERY:
            return
        self._looked = time.monotonic()
        for _ in range(len(self._actors), room_for(*resources(), self._gpus, self._cpus)):
            self.replace(frozenset())

    def close(self, grace: float) -> Iterable[Event]:
        until = time.monotonic() + grace
        found: list[Event] = list(self._waiting)
        if grace:
            for actor in self._actors.values():
                actor.handle.stop.options(concurrency_group="control").remote()
        while (left := until - time.monotonic()) > 0 and any(a.tickets for a in self._actors.values()):
            found += [event for event in self._wait(min(left, 1.0)) if isinstance(event, Saved | Noted)]
        for actor in self._actors.values():
            self._ray.kill(actor.handle, no_restart=True)
        self._actors.clear()
        return found

    def _teach(self, actor: _Actor, lease: Lease) -> bool:
        """Sends the task when the worker does not know it, and finds out whether it sees the images."""
        key = lease.task
        if key not in actor.knows:
            if key not in self._pickled:
                try:
                    self._pickled[key] = self._ray.put(pickle.dumps(self._tasks[key]))
                except (pickle.PicklingError, TypeError, AttributeError):
                    self._pickled[key] = None  # the worker builds its own
            learn = actor.handle.learn.options(concurrency_group="control")
            fingerprint = self._ray.get(learn.remote(key, self._pickled[key]), timeout=_PATIENCE)
            if fingerprint and fingerprint != self._tasks[key].fingerprint():
                self._waiting.append(
                    Noted(actor.number, key, f"worker {actor.number} has other data of {key}")
                )
                raise UnavailableError(
                    f"Worker {actor.number} has other data of {key} than this machine.",
                    "Give all machines the same files, or define the task so that it can be pickled.",
                )
            first = lease.samples[0]
            try:
                expected = sample_hash(first)
                sees = actor.handle.sees.options(concurrency_group="control")
                inline = not self._ray.get(sees.remote(first, expected), timeout=_PATIENCE)
            except Exception as error:
                if isinstance(error, self._ray.exceptions.RayActorError):
                    raise
                inline = False  # broken here too: its own failure, wherever it is asked
            actor.knows[key] = inline
            if inline:
                where = f"worker {actor.number} on {actor.node}"
                text = f"{where} does not see the images of {key}; it is sent their bytes"
                self._waiting.append(Noted(actor.number, key, text))
        return actor.knows[key]

    def _wait(self, timeout: float) -> list[Event]:
        pending: dict[Any, _Actor] = {}
        for actor in self._actors.values():
            if actor.info is None:
                pending[actor.loading] = actor
            else:
                pending[actor.stream] = actor
        if not pending:
            time.sleep(min(timeout, 0.05))
            return []
        ready, _ = self._ray.wait(list(pending), num_returns=1, timeout=timeout)
        if not ready:
            return []
        actor = pending[ready[0]]
        if actor.info is None:
            return self._loaded(actor)
        # Ray looks in this order: whoever was heard is asked last.
        self._actors[actor.number] = self._actors.pop(actor.number)
        return self._read(actor)

    def _loaded(self, actor: _Actor) -> list[Event]:
        try:
            got = self._ray.get(actor.loading)
        except Exception as error:  # the process died, or Ray could not make it
            del self._actors[actor.number]
            return [Died(actor.number, self._node(actor), _reason(error) + _about_token(), loading=True)]
        if isinstance(got, LoadError):
            del self._actors[actor.number]
            self._ray.kill(actor.handle, no_restart=True)
            return [Refused(actor.number, self._node(actor), got.kind(got.what, got.remedy))]
        actor.info = got
        actor.node = got.node
        actor.heard = time.monotonic()
        actor.give = actor.handle.give.options(concurrency_group="control", num_returns=0)
        answer = actor.handle.answer.options(num_returns="streaming", concurrency_group="answer")
        actor.stream = answer.remote()
        return [Ready(got)]

    def _read(self, actor: _Actor) -> list[Event]:
        """One message of a worker, or its end; each call of Ray's costs as much as what it brings."""
        found: list[Event] = []
        now = time.monotonic()
        self._slowest = max(self._slowest, now - actor.heard if actor.tickets else 0.0)
        actor.heard, actor.reported_silent = now, False
        end: Event | None = None
        try:
            message: Message = self._ray.get(next(actor.stream))
            for got in message:
                found += self._told(actor, got)
                if isinstance(got, Halt):
                    end = Stopped(actor.number, got.reason)
        except StopIteration:
            end = Stopped(actor.number, "it was told to stop")
        except self._ray.exceptions.RayTaskError as error:
            # The loop itself failed: a bug of an adapter or of ours; the worker lives.
            end = Stopped(actor.number, _reason(error))
        except Exception as error:  # the process is gone
            end = Died(actor.number, self._node(actor), _reason(error))
        if end is not None:
            del self._actors[actor.number]
            self._ray.kill(actor.handle, no_restart=True)
            found.append(end)
        return found

    @staticmethod
    def _told(actor: _Actor, got: Streamed) -> list[Event]:
        match got:
            case Answered(ticket, records):
                return [Saved(actor.number, ticket, records)]
            case Asking(ticket, sample):
                return [Began(actor.number, ticket, sample)]
            case Remark(task, text):
                return [Noted(actor.number, task, text)]
            case Through(ticket):
                actor.tickets.discard(ticket)
                return [Finished(actor.number, ticket)]
            case Findings():
                return [Found(actor.number, got)]
            case _:
                return []

    def _silent(self) -> list[Event]:
        limit = self._silence or max(_LEAST_SILENCE, _TIMES_SLOWEST * self._slowest)
        now = time.monotonic()
        found: list[Event] = []
        for actor in self._actors.values():
            if actor.tickets and now - actor.heard > limit and not actor.reported_silent:
                actor.reported_silent = True
                found.append(Silent(actor.number, now - actor.heard))
        return found

    def _node(self, actor: _Actor) -> str:
        """Where a worker is; empty where it is gone before it could say so."""
        if not actor.node:
            try:
                actor.node = self._ray.get(actor.place, timeout=0)
            except Exception:  # it is gone, and took that with it
                return ""
        return actor.node


def _reason(error: BaseException) -> str:
    """Why an actor is gone, in one line without Ray's advice."""
    text = str(error).strip()
    for line in text.splitlines():
        if "exit" in line.lower() or "SIG" in line or "kill" in line.lower() or "Error" in line:
            text = line
            break
    first = (text.splitlines() or [type(error).__name__])[0]
    return re.split(r"\s+(?:Some common causes|There are some potential)", first)[0].strip()[:300]


def _about_token() -> str:
    """What else may have ended a worker that never was: Ray says nothing of it."""
    if os.environ.get("RAY_AUTH_MODE") != "token":
        return ""
    return "; a cluster without a token refuses a driver that has one: RAY_AUTH_MODE=disabled"
