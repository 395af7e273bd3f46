"""A run spread over Ray workers: the same requests as in one process, asked by many."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import InitVar, dataclass, field
from typing import TYPE_CHECKING

from evalsuite.engine import Progress, TaskPlan
from evalsuite.engine.driver import Account
from evalsuite.engine.pool import WorkerInfo
from evalsuite.engine.sizing import lease_size
from evalsuite.running.admission import Gate
from evalsuite.running.asking import driver
from evalsuite.spec import ExecutionOptions, RunSpec
from evalsuite.store import RunWriter
from evalsuite.store.manifest import WorkerRecord
from evalsuite.task import Task

if TYPE_CHECKING:
    from evalsuite.ray.pool import RayPool


def is_distributed(options: ExecutionOptions) -> bool:
    """Whether workers answer instead of the process itself."""
    return options.workers is not None or options.ray_address is not None


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
    pool, count = open_pool(
        spec, options, {plan.key: plan.task for plan in plans}, progress, first=writer.next_worker()
    )
    account = Account()
    gate = WorkerGate(writer, options, pool.kind, account, spec)
    asking = driver(
        pool, writer, plans, finished, options, progress, gate.admit, workers=count, account=account
    )
    try:
        asking.run()
    finally:
        gate.record(living="finished")


def open_pool(
    spec: RunSpec, options: ExecutionOptions, tasks: Mapping[str, Task], progress: Progress, first: int = 0
) -> tuple[RayPool, int]:
    """Ray workers that load the model of `spec`, and how many they are.

    Args:
        tasks: by key.
        first: number of the first worker.

    Raises:
        UnavailableError: Ray or its cluster cannot be used.
        SpecError: there are more workers than devices.
    """
    from evalsuite.ray.cluster import connect, visible_gpus, workers_for
    from evalsuite.ray.pool import RayPool

    wanted = None if options.workers in (None, "auto") else int(options.workers or 0)
    cluster = options.ray_address is not None
    progress.on_stage("starting workers")
    kind = connect(options.ray_address, workers=wanted, cpus_per_worker=options.cpus_per_worker)
    count = workers_for(wanted, options.gpus_per_worker, options.cpus_per_worker, cluster=cluster)
    pool = RayPool(
        kind, spec, options, tasks, count=count, first=first,
        gpus=options.gpus_per_worker if visible_gpus() else 0.0, cpus=options.cpus_per_worker,
        silence=options.worker_timeout, growing=cluster and wanted is None,
    )  # fmt: skip
    progress.on_stage(f"loading {spec.model.name} on {count} workers")
    return pool, count


@dataclass(slots=True)
class WorkerGate:
    """Records every worker before it gets work, so that its number is never used again, whatever is killed.

    Args:
        writer: records the model of the first, and all workers.
        kind: of the pool.
        account: of the driver.
    """

    writer: RunWriter
    options: ExecutionOptions
    kind: str
    account: Account
    spec: InitVar[RunSpec]
    _gate: Gate = field(init=False)

    def __post_init__(self, spec: RunSpec) -> None:
        self._gate = Gate(
            spec.plugins, self.options.same_gpus, lambda info: self.writer.set_model(info.model)
        )

    def admit(self, info: WorkerInfo) -> list[str]:
        """Notes on the worker. Raises as `Gate.admit`."""
        notes = self._gate.admit(info)
        self.account.workers[info.worker] = info
        self.record()
        return notes

    def record(self, living: str = "") -> None:
        """Puts the workers into the run's record; `living` says how those end that have not died."""
        size = lease_size(self.options.batch_size)
        self.writer.set_workers(self.kind, size, _records(self.account, living))


def _records(account: Account, living: str) -> list[WorkerRecord]:
    return [
        WorkerRecord(
            worker=number, node=info.node, host=info.host, gpus=info.gpus, versions=dict(info.versions),
            fingerprint=info.model.fingerprint, answers=account.answers.get(number, 0),
            ended=account.ended.get(number, living),
        )
        for number, info in sorted(account.workers.items())
    ]  # fmt: skip
