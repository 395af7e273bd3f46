"""Workers somewhere else, as the driver sees them: what it sends, what comes back. No Ray in here.

A `Pool` has workers that load the model themselves and run the ordinary request loop over leases; `drive`
hands leases out, saves what comes back and replaces workers that die. The driver alone reads samples, writes
the run and scores.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from evalsuite.engine.hashing import sample_hash
from evalsuite.engine.leases import Lease, Ledger
from evalsuite.engine.progress import Progress
from evalsuite.errors import EvalsuiteError, UnavailableError
from evalsuite.model import ModelInfo
from evalsuite.request import Response
from evalsuite.store.records import Record

_log = logging.getLogger(__name__)

Begun = Mapping[str, tuple[Response, ...]]
"""Answers to the first steps of samples that were left half done, by sample id."""


@dataclass(frozen=True, slots=True)
class WorkerInfo:
    """Where a worker runs and what it loaded, for the record.

    Args:
        worker: its number in the run.
        node: the machine, as the pool names it.
        host, pid: where to look for it.
        gpus: names and UUIDs of the GPUs that it sees.
        versions: of Python, evalsuite, torch, transformers …
        plugins: sha256 of each plugin file.
        model: what it loaded; its fingerprint must be the other workers'.
    """

    worker: int
    node: str
    host: str
    pid: int
    gpus: tuple[str, ...]
    versions: Mapping[str, str]
    plugins: Mapping[str, str]
    model: ModelInfo


@dataclass(frozen=True, slots=True)
class Ready:
    """A worker has loaded the model."""

    info: WorkerInfo


@dataclass(frozen=True, slots=True)
class Refused:
    """A worker could not be made: its model does not load, or it has other code than the driver."""

    worker: int
    node: str
    error: EvalsuiteError


@dataclass(frozen=True, slots=True)
class Saved:
    """Records that a worker made, in their order."""

    worker: int
    ticket: int
    records: tuple[Record, ...]


@dataclass(frozen=True, slots=True)
class Noted:
    """Something a reader of the results should know."""

    worker: int
    task: str
    text: str


@dataclass(frozen=True, slots=True)
class Finished:
    """A worker is through with a lease."""

    worker: int
    ticket: int


@dataclass(frozen=True, slots=True)
class Stopped:
    """A worker can answer nothing more (UnavailableError), but was not killed."""

    worker: int
    reason: str


@dataclass(frozen=True, slots=True)
class Died:
    """A worker is gone. Everything it had sent came before, as `Saved`."""

    worker: int
    node: str
    reason: str
    loading: bool = False


@dataclass(frozen=True, slots=True)
class Silent:
    """Nothing came from a worker that holds a lease for longer than the pool's limit."""

    worker: int
    seconds: float


Event = Ready | Refused | Saved | Noted | Finished | Stopped | Died | Silent


class Pool(Protocol):
    """Workers, wherever they are."""

    @property
    def kind(self) -> str:
        """What it is, for the record (`ray 2.60.0, local`)."""
        ...

    @property
    def starting(self) -> int:
        """Workers that are being made."""
        ...

    def send(self, worker: int, lease: Lease, begun: Begun) -> None:
        """Gives a worker a lease; it answers leases in the order in which they were sent."""
        ...

    def replace(self, avoid: frozenset[str]) -> bool:
        """Makes a new worker, not on these nodes; False when there is no room for one."""
        ...

    def events(self, timeout: float) -> Sequence[Event]:
        """What has happened; waits up to `timeout` seconds for something."""
        ...

    def close(self, grace: float) -> Iterable[Event]:
        """Ends all workers; batches that end within `grace` seconds still come."""
        ...


class Store(Protocol):
    """Where the driver puts things; a run's writer is one."""

    def save(self, records: Sequence[Record]) -> None: ...

    def note(self, task: str, text: str) -> None: ...

    def steps(self, task: str, sample: str) -> Sequence[Record]: ...


@dataclass(slots=True)
class Account:
    """What a driven run should record about its workers.

    Args:
        workers: all that were ready once.
        answers: records saved of each worker.
        ended: how each worker ended.
        refused: reasons of workers that were never used.
    """

    workers: dict[int, WorkerInfo] = field(default_factory=dict)
    answers: dict[int, int] = field(default_factory=dict)
    ended: dict[int, str] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Driver:
    """Hands leases to a pool's workers until every sample has its record.

    Args:
        pool: the workers.
        ledger: the leases.
        store: takes the records.
        progress: hears of them.
        accept: called with each worker's info before it gets work; raises EvalsuiteError to refuse it.
        begun: ids, by task, of samples some of whose steps are stored.
        most_deaths_loading: workers that may die while they load on one node before it is left out.
    """

    pool: Pool
    ledger: Ledger
    store: Store
    progress: Progress
    accept: Callable[[WorkerInfo], None]
    begun: Mapping[str, set[str]]
    most_deaths_loading: int = 3
    account: Account = field(default_factory=Account)
    _sent: dict[int, Lease] = field(default_factory=dict)
    _loading_deaths: dict[str, int] = field(default_factory=dict)
    _node_of: dict[int, str] = field(default_factory=dict)
    _last_error: EvalsuiteError | None = None

    def run(self) -> None:
        """Until all is recorded.

        Raises:
            UnavailableError: no worker is left; what was answered is saved.
            EvalsuiteError: the model could be loaded by no worker.
        """
        try:
            while not self.ledger.done:
                self._hand_out()
                self._take(self.pool.events(timeout=1.0))
                self._check_workers()
        except BaseException:
            # Ctrl-C, SIGTERM: what is in flight is paid for.
            self._take(self.pool.close(grace=10.0), ending=True)
            raise
        self._take(self.pool.close(grace=0.0), ending=True)

    def _hand_out(self) -> None:
        for worker, lease in self.ledger.hand_out():
            self._sent[lease.ticket] = lease
            self.pool.send(worker, lease, self._begun(lease))

    def _begun(self, lease: Lease) -> Begun:
        open_ids = self.begun.get(lease.task, set())
        return {
            sample.id: tuple(r.response for r in self.store.steps(lease.task, sample.id) if r.response is not
            None) for sample in lease.samples if sample.id in open_ids
        }  # fmt: skip

    def _take(self, events: Iterable[Event], *, ending: bool = False) -> None:
        """Saves all records that are there in one commit, then deals with the rest."""
        later: list[Event] = []
        records: list[Record] = []
        for event in events:
            if isinstance(event, Saved):
                records += self._new(event)
            else:
                # Records that came before a death are saved before anybody is blamed.
                later.append(event)
        self._save(records)
        for event in later:
            if not ending or isinstance(event, Noted):
                self._handle(event)

    def _new(self, event: Saved) -> list[Record]:
        if event.worker not in self.ledger.workers:
            return []
        keep = self.ledger.accept(event.worker, event.ticket, [(r.sample, r.last) for r in event.records])
        kept = [
            replace(record, worker=event.worker)
            for record, wanted in zip(event.records, keep, strict=True)
            if wanted
        ]
        self.account.answers[event.worker] = self.account.answers.get(event.worker, 0) + len(kept)
        for record in kept:
            ids = self.begun.get(record.task)
            if ids is not None:
                (ids.discard if record.last else ids.add)(record.sample)
        return kept

    def _save(self, records: Sequence[Record]) -> None:
        if not records:
            return
        self.store.save(records)
        for task in dict.fromkeys(record.task for record in records):
            ended = [record for record in records if record.task == task and record.last]
            if ended:
                failed = sum(record.status == "failed" for record in ended)
                self.progress.on_batch(len(ended), failed, task)

    def _handle(self, event: Event) -> None:
        match event:
            case Ready(info):
                self._welcome(info)
            case Refused(worker, node, error):
                self._refuse(worker, node, error)
            case Noted(_, task, text):
                self._note(task, text)
            case Finished(worker, ticket):
                self._sent.pop(ticket, None)
                if worker in self.ledger.workers:
                    self.ledger.finish(worker, ticket)
            case Stopped(worker, reason):
                self._last_error = UnavailableError(reason)
                self.account.ended[worker] = f"unavailable: {reason}"
                if worker in self.ledger.workers:
                    self.ledger.leave(worker)
            case Died():
                self._bury(event)
            case Silent(worker, seconds):
                self._wake(worker, seconds)

    def _welcome(self, info: WorkerInfo) -> None:
        try:
            self.accept(info)
        except EvalsuiteError as error:
            self._refuse(info.worker, info.node, error)
            return
        self.account.workers[info.worker] = info
        self._node_of[info.worker] = info.node
        self._loading_deaths.pop(info.node, None)
        self.ledger.join(info.worker, info.node)

    def _refuse(self, worker: int, node: str, error: EvalsuiteError) -> None:
        text = f"worker {worker} on {node} gets no work: {error}"
        self.account.refused.append(text)
        self._last_error = error
        self._note("", text)

    def _bury(self, event: Died) -> None:
        self.account.ended[event.worker] = event.reason
        if event.loading or event.worker not in self.ledger.workers:
            deaths = self._loading_deaths[event.node] = self._loading_deaths.get(event.node, 0) + 1
            self._last_error = UnavailableError(
                f"A worker on {event.node} died while it loaded the model ({event.reason}).",
                "Its log says why; is there room for the weights?",
            )
            if deaths >= self.most_deaths_loading:
                self._note(
                    "", f"{event.node} gets no more workers: {deaths} died while they loaded the model"
                )
            else:
                self.pool.replace(self._avoided())
            return
        death = self.ledger.die(event.worker)
        held = ", ".join(f"{lease.task}, {len(lease.samples)} samples" for lease in death.requeued)
        self._note(
            "",
            f"worker {event.worker} on {event.node} died ({event.reason}); retried: {held or 'nothing'}",
        )
        if death.poisoned:
            bad = death.poisoned
            where = ", ".join(dict.fromkeys(bad.nodes))
            reason = (
                f"the worker died ({event.reason}) {bad.deaths} times while it answered this sample alone "
                f"(on {where})"
            )
            step = len(self.store.steps(bad.task, bad.sample.id))
            self._save(
                [
                    Record(
                        bad.task,
                        bad.sample.id,
                        step,
                        None,
                        reason,
                        True,
                        sample_hash(bad.sample),
                        worker=event.worker,
                    )
                ]
            )
        if death.sick_node:
            self._note("", f"{death.sick_node} gets no more work: worker after worker died there")
        self._last_error = UnavailableError(
            f"The last worker died ({event.reason}).", "What is answered is kept: run the same command again."
        )
        self.pool.replace(self._avoided())

    def _avoided(self) -> frozenset[str]:
        full = {node for node, deaths in self._loading_deaths.items() if deaths >= self.most_deaths_loading}
        return frozenset({*self.ledger.sick_nodes, *full})

    def _wake(self, worker: int, seconds: float) -> None:
        """A silent worker's waiting lease goes to others at once, its begun one when somebody is idle."""
        others = [one for one in self.ledger.workers if one != worker]
        if worker not in self.ledger.workers or not others:
            return
        taken = sum(len(lease.samples) for lease in self.ledger.recall(worker))
        if any(one in self.ledger.idle for one in others):
            again = self.ledger.speculate(worker)
            taken += len(again.samples) if again is not None else 0
        if taken:
            self._note("", f"worker {worker} is silent for {seconds:.0f} s: others take {taken} samples")

    def _check_workers(self) -> None:
        healthy = [w for w in self.ledger.workers if self._node_of.get(w) not in self.ledger.sick_nodes]
        if healthy or self.pool.starting:
            return
        if self.ledger.done:
            return
        raise self._last_error or UnavailableError(
            "No worker could be started.", "Check --workers, --gpus-per-worker and --ray-address."
        )

    def _note(self, task: str, text: str) -> None:
        _log.warning("%s%s", f"{task}: " if task else "", text)
        self.store.note(task, text)
        self.progress.on_note(task, text)
