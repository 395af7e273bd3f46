"""A run spread over Ray workers: the same requests as in one process, asked by many."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from evalsuite.engine import Progress, TaskPlan
from evalsuite.engine.leases import Lease, Ledger, cut
from evalsuite.engine.pool import Account, Driver, WorkerInfo
from evalsuite.engine.sizing import START
from evalsuite.errors import CheckpointError, SpecError
from evalsuite.spec import ExecutionOptions, RunSpec
from evalsuite.store import RunWriter
from evalsuite.store.environment import collect
from evalsuite.store.manifest import WorkerRecord

LEASE_BATCHES = 4
"""Batches to a lease."""


def is_distributed(options: ExecutionOptions) -> bool:
    """Whether workers answer instead of the process itself."""
    return options.workers is not None or options.ray_address is not None


def lease_size(options: ExecutionOptions) -> int:
    """Samples of a lease: fixed by the batch size, never by the number of workers."""
    return LEASE_BATCHES * (options.batch_size if isinstance(options.batch_size, int) else START)


def ask_distributed(
    writer: RunWriter,
    plans: list[TaskPlan],
    finished: Mapping[str, frozenset[str]],
    spec: RunSpec,
    options: ExecutionOptions,
    progress: Progress,
) -> None:
    """Asks what is missing of all tasks through workers.

    Raises:
        UnavailableError: Ray or its cluster cannot be used, or no worker is left; what was answered is kept.
        SpecError: more workers than devices, or workers that differ where they must not.
        CheckpointError: the model can be loaded by none of them.
    """
    from evalsuite.ray.cluster import connect, workers_for
    from evalsuite.ray.pool import RayPool

    wanted = None if options.workers in (None, "auto") else int(options.workers or 0)
    progress.on_stage("starting workers")
    kind = connect(options.ray_address, workers=wanted, cpus_per_worker=options.cpus_per_worker)
    count = workers_for(wanted, options.gpus_per_worker, cluster=options.ray_address is not None)
    from evalsuite.ray.cluster import visible_gpus

    gpus = options.gpus_per_worker if visible_gpus() else 0.0
    size = lease_size(options)
    pool = RayPool(
        kind, spec, options, {plan.key: plan.task for plan in plans}, count=count, first=writer.next_worker(),
        gpus=gpus, cpus=options.cpus_per_worker, silence=options.worker_timeout,
    )  # fmt: skip
    progress.on_stage(f"loading {spec.model.name} on {count} workers")
    gate = _Gate(writer, spec, options, kind, size)
    begun = {plan.key: writer.begun(plan.key) for plan in plans}
    driver = Driver(pool, Ledger(_leases(plans, finished, size)), writer, progress, gate.admit, begun)
    try:
        driver.run()
    finally:
        writer.set_workers(kind, size, _records(driver.account))


@dataclass(slots=True)
class _Gate:
    """Admits workers that have the model and the code of the first one.

    Args:
        writer: records the model of the first, and every worker before it gets work, so that its number is
            never used again, whatever is killed.
        kind, size: pool and lease size, for the record.
    """

    writer: RunWriter
    spec: RunSpec
    options: ExecutionOptions
    kind: str
    size: int
    _first: WorkerInfo | None = None
    _gpus: set[str] = field(default_factory=set)
    _admitted: Account = field(default_factory=Account)

    def admit(self, info: WorkerInfo) -> None:
        """Raises CheckpointError or SpecError, with what differs, for a worker that gets no work."""
        here = collect(self.spec.plugins)
        if info.versions.get("evalsuite") != here.packages.get("evalsuite"):
            raise SpecError(
                f"It has evalsuite {info.versions.get('evalsuite')}, "
                f"the driver {here.packages.get('evalsuite')}.",
                "Install the same version on all machines.",
            )
        changed = [name for name, digest in here.plugins.items() if info.plugins.get(name) != digest]
        if changed:
            raise SpecError(f"Its plugin {changed[0]} differs from the driver's.", "Copy the driver's there.")
        if self._first is None:
            self.writer.set_model(info.model)
            self._first = info
        if info.model.fingerprint != self._first.model.fingerprint:
            raise CheckpointError(
                f"It loaded other weights (fingerprint {info.model.fingerprint[:12]}…, worker "
                f"{self._first.worker} has {self._first.model.fingerprint[:12]}…).",
                "Give all machines the same checkpoint.",
            )
        kinds = {name.rpartition(" (")[0] or name for name in info.gpus}
        if self._gpus and kinds and kinds != self._gpus:
            text = f"answers come from several kinds of GPU: {', '.join(sorted(kinds | self._gpus))}"
            if self.options.same_gpus:
                raise SpecError(
                    f"Its GPU is of another kind ({', '.join(sorted(kinds))}).", "Leave out --same-gpus."
                )
            self.writer.note("", text)
        self._gpus |= kinds
        self._admitted.workers[info.worker] = info
        self._admitted.ended[info.worker] = ""
        self.writer.set_workers(self.kind, self.size, _records(self._admitted))


def _leases(plans: list[TaskPlan], finished: Mapping[str, frozenset[str]], size: int) -> Iterator[Lease]:
    """Of all tasks one after the other, cut by position among what is missing."""
    for plan in plans:
        done = finished[plan.key]
        if len(done) < plan.total:
            yield from cut(plan.key, (sample for sample in plan.samples() if sample.id not in done), size)


def _records(account: Account) -> list[WorkerRecord]:
    return [
        WorkerRecord(
            worker=number, node=info.node, host=info.host, gpus=info.gpus, versions=dict(info.versions),
            fingerprint=info.model.fingerprint, answers=account.answers.get(number, 0),
            ended=account.ended.get(number, "finished"),
        )
        for number, info in sorted(account.workers.items())
    ]  # fmt: skip
