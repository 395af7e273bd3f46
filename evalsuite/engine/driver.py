"""The driver of a pool: hands leases out, saves what comes back, and replaces workers that die.

The driver alone reads samples, writes the run and scores. One process is a pool of one worker.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Protocol

from evalsuite.content import Image
from evalsuite.engine.findings import Findings
from evalsuite.engine.hashing import sample_hash
from evalsuite.engine.leases import Lease
from evalsuite.engine.ledger import Ledger
from evalsuite.engine.pool import (
    Began,
    Begun,
    Died,
    Event,
    Finished,
    Found,
    Noted,
    Pool,
    Ready,
    Refused,
    Saved,
    Silent,
    Stopped,
    WorkerInfo,
)
from evalsuite.engine.progress import Progress
from evalsuite.engine.saver import BEHIND, Saver, encode, encoding_threads
from evalsuite.errors import EvalsuiteError, StoreError, UnavailableError
from evalsuite.store.records import Record
from evalsuite.task import Sample

_log = logging.getLogger(__name__)

_PATIENT, _QUICK = 1.0, 0.25
"""Seconds to wait for events: longer where nothing is being saved that could be reported."""
_GRACE = 10.0
"""Seconds in which batches in flight may end when the run is interrupted."""


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
        accept: called with each worker's info before it gets work; returns notes, raises EvalsuiteError to
            refuse it.
        begun: ids, by task, of samples some of whose steps are stored.
        noted: task and text of notes that earlier sessions kept; they are not reported again.
        numbered: records carry the number of their worker.
        behind: batches that may wait to be saved: what a kill of the driver can cost beside those in flight.
        prepare: what saving needs to know of an image, done by other threads; a run's writer digests it.
        most_deaths_loading: workers that may die while they load on one node before it is left out.
    """

    pool: Pool
    ledger: Ledger
    store: Store
    progress: Progress
    accept: Callable[[WorkerInfo], Sequence[str]]
    begun: Mapping[str, set[str]]
    noted: set[tuple[str, str]] = field(default_factory=set)
    numbered: bool = True
    behind: int = BEHIND
    prepare: Callable[[Image], object] = encode
    most_deaths_loading: int = 3
    account: Account = field(default_factory=Account)
    _saver: Saver = field(init=False)
    _findings: dict[frozenset[str], Findings] = field(default_factory=dict)
    _silent: dict[int, float] = field(default_factory=dict)
    _loading_deaths: dict[str, int] = field(default_factory=dict)
    _node_of: dict[int, str] = field(default_factory=dict)
    _last_error: EvalsuiteError | None = None

    def run(self) -> None:
        """Until all is recorded.

        Raises:
            UnavailableError: no worker is left; what was answered is saved.
            EvalsuiteError: the model could be loaded by no worker.
        """
        with Saver(self.store.save, encoders=encoding_threads(), prepare=self.prepare) as self._saver:
            try:
                while not self.ledger.done:
                    self._hand_out()
                    self._take(self.pool.events(timeout=_QUICK if self._saver.behind else _PATIENT))
                    self._spread_silent()
                    self._report(self.behind)
                    self._check_workers()
                self._report(0)
            except StoreError:
                self.pool.close(grace=0.0)  # nothing that comes could be kept
                raise
            except BaseException:
                # Ctrl-C, SIGTERM: what is in flight is paid for.
                self._take(self.pool.close(grace=_GRACE), ending=True)
                raise
            self._take(self.pool.close(grace=0.0), ending=True)
            self._report(0)

    def _hand_out(self) -> None:
        for worker, lease in self.ledger.hand_out():
            self.pool.send(worker, lease, self._begun(lease), self._heard(worker))

    def _heard(self, worker: int) -> Findings:
        """What workers with the same kind of GPU found out."""
        return self._findings.get(self._kind(worker), Findings())

    def _kind(self, worker: int) -> frozenset[str]:
        info = self.account.workers.get(worker)
        return frozenset() if info is None else info.gpu_kinds

    def _begun(self, lease: Lease) -> Begun:
        open_ids = self.begun.get(lease.task, set())
        names = [sample.id for sample in lease.samples if sample.id in open_ids]
        if names:
            self._report(0)  # what is being saved may be a step of theirs
        return {
            name: tuple(r.response for r in self.store.steps(lease.task, name) if r.response is not None)
            for name in names
        }

    def _take(self, events: Iterable[Event], *, ending: bool = False) -> None:
        """Hands all records that are there over to be saved, then deals with the rest."""
        later: list[Event] = []
        for event in events:
            if isinstance(event, Saved):
                self._add(self._new(event))
            else:
                # Records that came before a death are accepted before anybody is blamed.
                later.append(event)
        for event in later:
            if not ending or isinstance(event, Noted):
                self._handle(event)

    def _new(self, event: Saved) -> list[Record]:
        if event.worker not in self.ledger.workers:
            return []
        keep = self.ledger.accept(event.worker, event.ticket, [(r.sample, r.last) for r in event.records])
        self._silent.pop(event.worker, None)
        kept = [record for record, wanted in zip(event.records, keep, strict=True) if wanted]
        if self.numbered:
            kept = [replace(record, worker=event.worker) for record in kept]
        self.account.answers[event.worker] = self.account.answers.get(event.worker, 0) + len(kept)
        for record in kept:
            ids = self.begun.get(record.task)
            if ids is not None:
                (ids.discard if record.last else ids.add)(record.sample)
        return kept

    def _add(self, records: Sequence[Record]) -> None:
        if records:
            self._saver.add(records)

    def _report(self, at_most_behind: int) -> None:
        """Reports to the progress what has become durable, waiting until so few batches are not."""
        for records in self._saver.saved(at_most_behind=at_most_behind):
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
            case Found(worker, findings):
                self._findings[self._kind(worker)] = self._heard(worker).merged(findings)
            case Began(worker, ticket, sample):
                if worker in self.ledger.workers:
                    self.ledger.begin(worker, ticket, sample)
            case Finished(worker, ticket):
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
            notes = self.accept(info)
        except EvalsuiteError as error:
            self._refuse(info.worker, info.node, error)
            return
        for text in notes:
            self._note("", text)
        self.account.workers[info.worker] = info
        self._node_of[info.worker] = info.node
        for node in (info.node, ""):
            self._loading_deaths.pop(node, None)
        self.ledger.join(info.worker, info.node)

    def _refuse(self, worker: int, node: str, error: EvalsuiteError) -> None:
        text = f"worker {worker} on {node} gets no work: {error}"
        self.account.refused.append(text)
        self._last_error = error
        self._note("", text)

    def _bury(self, event: Died) -> None:
        self.account.ended[event.worker] = event.reason
        self._silent.pop(event.worker, None)
        if event.loading or event.worker not in self.ledger.workers:
            deaths = self._loading_deaths[event.node] = self._loading_deaths.get(event.node, 0) + 1
            self._last_error = UnavailableError(
                f"A worker on {event.node or 'a machine'} died while it loaded the model ({event.reason}).",
                "Its log says why; is there room for the weights?",
            )
            if deaths > self.most_deaths_loading:
                return
            if deaths == self.most_deaths_loading:
                where = f"{event.node} gets no more workers" if event.node else "no more workers are started"
                self._note("", f"{where}: {deaths} in a row died while they loaded the model")
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
            self._report(0)
            step = len(self.store.steps(bad.task, bad.sample.id))
            failed = Record(bad.task, bad.sample.id, step, None, reason, sample_hash=hash_of(bad.sample))
            self._add([replace(failed, worker=event.worker)])
        if death.sick_node:
            self._note("", f"{death.sick_node} gets no more work: worker after worker died there")
        self._last_error = UnavailableError(
            f"The last worker died ({event.reason}).", "What is answered is kept: run the same command again."
        )
        self.pool.replace(self._avoided())

    def _avoided(self) -> frozenset[str]:
        deaths = self._loading_deaths
        full = {node for node in deaths if node and deaths[node] >= self.most_deaths_loading}
        return frozenset({*self.ledger.sick_nodes, *full})

    def _wake(self, worker: int, seconds: float) -> None:
        """A silent worker's waiting lease goes to others at once, its begun one when somebody is idle."""
        if worker not in self.ledger.workers or len(self.ledger.workers) == 1:
            return
        self._silent[worker] = seconds
        self._tell_taken(worker, self.ledger.recall(worker))

    def _spread_silent(self) -> None:
        for worker in list(self._silent):
            if any(one != worker and one not in self._silent for one in self.ledger.idle):
                again = self.ledger.speculate(worker)
                self._tell_taken(worker, () if again is None else (again,))

    def _tell_taken(self, worker: int, leases: Sequence[Lease]) -> None:
        taken = sum(len(lease.samples) for lease in leases)
        if taken:
            seconds = self._silent[worker]
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
        if (task, text) in self.noted:  # every worker may find it out
            return
        self.noted.add((task, text))
        _log.warning("%s%s", f"{task}: " if task else "", text)
        self._saver.call(partial(self.store.note, task, text))
        self.progress.on_note(task, text)


def hash_of(sample: Sample) -> str:
    """A sample's hash; empty where its data cannot be read."""
    try:
        return sample_hash(sample)
    except EvalsuiteError:
        return ""
