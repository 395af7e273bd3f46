"""Who runs batches: here the process itself; another executor may run the same worker in other processes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

from evalsuite.engine.batching import Batch, Scope
from evalsuite.engine.sizing import BatchSizes
from evalsuite.engine.worker import BatchResult, Worker


class Executor(Protocol):
    """Runs batches and says how large they may be.

    `execute` may take several batches ahead and yield results in another order, one result per batch.
    """

    def limit(self, scope: Scope) -> int:
        """The largest batch of this scope that should be cut, at least 1."""
        ...

    def execute(self, batches: Iterable[Batch]) -> Iterator[BatchResult]: ...


class LocalExecutor:
    """Runs batches in this process, one after the other, in the calling thread.

    Args:
        worker: the model.
        sizes: how large a batch may be.
    """

    def __init__(self, worker: Worker, sizes: BatchSizes) -> None:
        self._worker = worker
        self._sizes = sizes

    def limit(self, scope: Scope) -> int:
        return self._worker.limit(scope, self._sizes.limit(scope))

    def execute(self, batches: Iterable[Batch]) -> Iterator[BatchResult]:
        for batch in batches:
            result = self._worker.run(batch)
            self._sizes.learn(batch.scope, len(batch.items), self._worker.fits(batch.scope))
            yield result
