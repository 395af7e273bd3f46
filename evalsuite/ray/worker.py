"""What an actor does: load the model once, take tasks from the driver, answer leases through the request
loop."""

from __future__ import annotations

import os
import pickle
import platform
import socket
from collections.abc import Iterator
from dataclasses import dataclass

from evalsuite.engine import (
    LocalExecutor,
    NullProgress,
    RequestLoop,
    Source,
    blinded,
    sizes_for,
    verdicts_of,
)
from evalsuite.engine.engine import Sink
from evalsuite.engine.hashing import sample_hash
from evalsuite.engine.leases import Lease
from evalsuite.engine.plan import TaskPlan
from evalsuite.engine.pool import Begun, WorkerInfo
from evalsuite.engine.probing import probe
from evalsuite.engine.streaming import Streamed, stream
from evalsuite.engine.worker import Worker
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
        self._probed: set[str] = set()

    def load(self, node: str) -> WorkerInfo | LoadError:
        """Loads plugins and the model; says what and where it is."""
        from evalsuite.cache import cache_folder
        from evalsuite.registry import load_registry
        from evalsuite.running.resolving import build_model
        from evalsuite.store import environment

        try:
            self._registry = load_registry(self._spec.plugins)
            self._model = build_model(self._spec, self._registry)
        except EvalsuiteError as error:
            return LoadError(type(error), error.what, error.remedy)
        checked = self._options.self_check
        self._worker = Worker(
            self._model,
            self_check=checked,
            batch_invariant=self._options.batch_invariant,
            verdicts=verdicts_of(self._model, cache_folder()) if checked else None,
        )
        self._executor = LocalExecutor(
            self._worker, sizes_for(self._options.batch_size, self._model.info, cache_folder())
        )
        info = blinded(self._model.info) if self._spec.model.blind else self._model.info
        found = environment.collect(self._spec.plugins)
        return WorkerInfo(
            self._number,
            node,
            socket.gethostname(),
            os.getpid(),
            environment.gpus(),
            {"python": platform.python_version(), **found.packages, "git": found.git_commit},
            found.plugins,
            info,
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

    def answer(self, lease: Lease, begun: Begun) -> Iterator[Streamed]:
        """Asks about a lease's samples; yields what is saved and noted, batch by batch."""
        if lease.alone:
            for sample in lease.samples:
                yield from self._stream(lease.task, (sample,), begun)
        else:
            yield from self._stream(lease.task, lease.samples, begun)

    def _stream(self, key: str, samples: tuple[Sample, ...], begun: Begun) -> Iterator[Streamed]:
        annotated = self._registry.model(self._spec.model.name)[0].reads_annotations
        if self._spec.reasoning == "strip":
            begun = {name: tuple(map(without_reasoning, found)) for name, found in begun.items()}

        def ask(source: Source, sink: Sink) -> None:
            if key not in self._probed:
                self._probed.add(key)
                blind = self._spec.model.blind
                for text in probe(self._model, key, self._plans[key].task, samples, blind=blind):
                    sink.note(key, text)
            loop = RequestLoop(
                self._model, self._executor, sink, self._options, self._spec.seed, NullProgress(),
                self._spec.model.blind, annotated, self._spec.reasoning,
            )  # fmt: skip
            loop.ask(source)

        yield from stream(ask, Source(self._plans[key], frozenset(), begun, _fresh=iter(samples)))
