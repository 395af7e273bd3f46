"""A run spread over Ray workers: the same requests as in one process, asked by many."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from evalsuite.engine import Progress, TaskPlan
from evalsuite.engine.driver import Account
from evalsuite.engine.pool import WorkerInfo
from evalsuite.engine.sizing import lease_size
from evalsuite.errors import CheckpointError, SpecError
from evalsuite.running.asking import driver
from evalsuite.spec import ExecutionOptions, RunSpec
from evalsuite.store import RunWriter
from evalsuite.store.environment import collect
from evalsuite.store.manifest import WorkerRecord


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
    from evalsuite.ray.cluster import connect, visible_gpus, workers_for
    from evalsuite.ray.pool import RayPool

    wanted = None if options.workers in (None, "auto") else int(options.workers or 0)
    cluster = options.ray_address is not None
    progress.on_stage("starting workers")
    kind = connect(options.ray_address, workers=wanted, cpus_per_worker=options.cpus_per_worker)
    count = workers_for(wanted, options.gpus_per_worker, options.cpus_per_worker, cluster=cluster)
    gpus = options.gpus_per_worker if visible_gpus() else 0.0
    pool = RayPool(
        kind, spec, options, {plan.key: plan.task for plan in plans}, count=count, first=writer.next_worker(),
        gpus=gpus, cpus=options.cpus_per_worker, silence=options.worker_timeout,
        growing=cluster and wanted is None,
    )  # fmt: skip
    progress.on_stage(f"loading {spec.model.name} on {count} workers")
    account = Account()
    gate = _Gate(writer, spec, options, kind, account)
    asking = driver(
        pool, writer, plans, finished, options, progress, gate.admit, workers=count, account=account
    )
    try:
        asking.run()
    finally:
        gate.record(living="finished")


@dataclass(slots=True)
class _Gate:
    """Admits workers that have the model and the code of the first one.

    Args:
        writer: records the model of the first, and every worker before it gets work, so that its number is
            never used again, whatever is killed.
        kind: of the pool, for the record.
        account: of the driver.
    """

    writer: RunWriter
    spec: RunSpec
    options: ExecutionOptions
    kind: str
    account: Account
    _first: WorkerInfo | None = None
    _gpus: frozenset[str] = frozenset()

    def admit(self, info: WorkerInfo) -> list[str]:
        """Notes on the worker.

        Raises CheckpointError or SpecError, with what differs, for a worker that gets no work.
        """
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
        kinds, notes = info.gpu_kinds, []
        if self._gpus and kinds and kinds != self._gpus:
            if self.options.same_gpus:
                raise SpecError(
                    f"Its GPU is of another kind ({', '.join(sorted(kinds))}).", "Leave out --same-gpus."
                )
            notes.append(f"answers come from several kinds of GPU: {', '.join(sorted(kinds | self._gpus))}")
        self._gpus |= kinds
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
