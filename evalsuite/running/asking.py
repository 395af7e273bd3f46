"""Asking what is missing of a run: its leases, and the pool that answers them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from evalsuite.engine import Progress, TaskPlan
from evalsuite.engine.driver import Account, Driver
from evalsuite.engine.leases import Lease, cut
from evalsuite.engine.ledger import Ledger
from evalsuite.engine.local import LocalPool
from evalsuite.engine.pool import Pool, WorkerInfo
from evalsuite.engine.prepare import held_bytes
from evalsuite.engine.saver import BEHIND
from evalsuite.engine.sizing import lease_size
from evalsuite.running.answering import Answering
from evalsuite.spec import ExecutionOptions
from evalsuite.store import RunWriter

LEASE_BYTES = 64 * 2**20
"""A lease ends early with the sample that makes it hold so many bytes of images."""
MOST_BEHIND = 16
"""Batches of many workers that may wait to be saved together."""

Finished = Mapping[str, frozenset[str]]
"""Ids of the samples that are done, by task."""


def ask_here(
    writer: RunWriter,
    plans: Sequence[TaskPlan],
    finished: Finished,
    answering: Answering,
    options: ExecutionOptions,
    progress: Progress,
) -> None:
    """Asks in this process.

    Raises:
        UnavailableError, AdapterError: the model cannot answer further; what was answered is kept.
        StoreError: earlier answers came from another model, or the run cannot be written.
    """
    writer.set_model(answering.info)
    writer.set_workers("", lease_size(options.batch_size), ())
    pool = LocalPool(answering.loop, answering.info, {plan.key: plan for plan in plans})
    driver(pool, writer, plans, finished, options, progress, lambda info: (), numbered=False).run()


def driver(
    pool: Pool,
    writer: RunWriter,
    plans: Sequence[TaskPlan],
    finished: Finished,
    options: ExecutionOptions,
    progress: Progress,
    accept: Callable[[WorkerInfo], Sequence[str]],
    *,
    numbered: bool = True,
    workers: int = 1,
    account: Account | None = None,
) -> Driver:
    """What hands the leases of a run to a pool."""
    size = lease_size(options.batch_size)
    return Driver(
        pool,
        Ledger(_leases(plans, finished, size)),
        writer,
        progress,
        accept,
        begun={plan.key: writer.begun(plan.key) for plan in plans},
        noted={(note.task, note.text) for note in writer.notes()},
        numbered=numbered,
        behind=min(MOST_BEHIND, max(BEHIND, workers)),
        prepare=writer.prepare,
        account=account or Account(),
    )


def _leases(plans: Sequence[TaskPlan], finished: Finished, size: int) -> Iterator[Lease]:
    """Of all tasks one after the other, cut by position among what is missing."""
    for plan in plans:
        done = finished[plan.key]
        if len(done) < plan.total:
            missing = (sample for sample in plan.samples() if sample.id not in done)
            yield from cut(plan.key, missing, size, weigh=held_bytes, most=LEASE_BYTES)
