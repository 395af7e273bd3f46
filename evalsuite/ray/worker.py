"""What an actor does: load the model once, take tasks from the driver, answer leases through the request
loop."""

from __future__ import annotations

import os
import pickle
import platform
import queue
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass

from evalsuite.engine import Source
from evalsuite.engine.findings import Findings
from evalsuite.engine.hashing import sample_hash
from evalsuite.engine.leases import Lease
from evalsuite.engine.plan import TaskPlan
from evalsuite.engine.pool import Begun, WorkerInfo
from evalsuite.engine.streaming import Message, stream
from evalsuite.errors import EvalsuiteError
from evalsuite.model.reasoning import without_reasoning
from evalsuite.spec import ExecutionOptions, RunSpec
from evalsuite.task import Sample


@dataclass(frozen=True, slots=True)
class LoadError:
    """Why a worker could not be made; a value, because an exception loses its remedy on the way."""

    kind: type[EvalsuiteError]
    what: str
    remedy: str


class LeaseWorker:
    """A worker of a run, in whatever process it lives.

    Args:
        number: of the worker in the run.
        spec: the run's, resolved.
        options: how the driver carries it out; batch size, threads and self-check apply to each worker.
    """

    def __init__(self, number: int, spec: RunSpec, options: ExecutionOptions) -> None:
        self._number = number
        self._spec = spec
        self._options = options
        self._plans: dict[str, TaskPlan] = {}
        self._leases: queue.SimpleQueue[Source | None] = queue.SimpleQueue()
        self._alone: dict[int, bool] = {}
        self._stopping = threading.Event()

    def load(self, node: str) -> WorkerInfo | LoadError:
        """Loads plugins and the model; says what and where it is."""
        from evalsuite.registry import load_registry
        from evalsuite.running.answering import answering
        from evalsuite.running.resolving import build_model
        from evalsuite.store import environment

        try:
            self._registry = load_registry(self._spec.plugins)
            model = build_model(self._spec, self._registry)
        except EvalsuiteError as error:
            return LoadError(type(error), error.what, error.remedy)
        self._answering = answering(model, self._spec, self._options, self._registry)
        found = environment.collect(self._spec.plugins)
        return WorkerInfo(
            self._number,
            node,
            socket.gethostname(),
            os.getpid(),
            environment.gpus(),
            {"python": platform.python_version(), **found.packages, "git": found.git_commit},
            found.plugins,
            self._answering.info,
        )

    def learn(self, key: str, pickled: bytes | None) -> str:
        """Takes a task from the driver: pickled, or None to build it from this machine's data.

        Returns the fingerprint of the data that it stands for; empty for a pickled one, which is the
        driver's.
        """
        from evalsuite.running.resolving import build_task, task_keys

        if pickled is not None:
            task = pickle.loads(pickled)
            fingerprint = ""
        else:
            spec = dict(zip(task_keys(self._spec), self._spec.tasks, strict=True))[key]
            task = build_task(spec, self._registry)
            fingerprint = task.fingerprint()
        self._plans[key] = TaskPlan(key, task, fingerprint, None, 0, 0)
        return fingerprint

    def sees(self, sample: Sample, expected: str) -> bool:
        """Whether this machine reads the same bytes for a sample as the driver does."""
        try:
            return sample_hash(sample) == expected
        except EvalsuiteError:
            return False

    def give(self, lease: Lease, begun: Begun, findings: Findings) -> None:
        """Takes a lease, to be answered after those before it, and what other workers found out."""
        if self._spec.reasoning == "strip":
            begun = {name: tuple(map(without_reasoning, found)) for name, found in begun.items()}
        self._answering.worker.learn(findings)
        self._alone[lease.ticket] = lease.alone
        self._leases.put(Source(self._plans[lease.task], lease, begun))

    def stop(self) -> None:
        """Ends `answer` after the batch that is being answered."""
        self._stopping.set()
        self._leases.put(None)

    def answer(self) -> Iterator[Message]:
        """Answers leases as they come, until `stop`; yields what is answered and noted."""
        yield from stream(
            lambda: self._answering.loop.run(self._take),
            alone=lambda ticket: self._alone[ticket],
            news=self._answering.worker.news,
            stopping=self._stopping,
        )

    def _take(self, may_wait: bool) -> Source | None:
        try:
            return self._leases.get(block=may_wait)
        except queue.Empty:
            return None
