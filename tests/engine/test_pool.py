"""The driver of a pool: what it saves, whom it blames, when it gives up. Workers are played, without Ray."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from evalsuite.engine import NullProgress
from evalsuite.engine.driver import Driver
from evalsuite.engine.findings import Findings
from evalsuite.engine.leases import Lease, cut
from evalsuite.engine.ledger import Ledger
from evalsuite.engine.pool import (
    Begun,
    Died,
    Event,
    Finished,
    Noted,
    Ready,
    Refused,
    Saved,
    Silent,
    Stopped,
    WorkerInfo,
)
from evalsuite.errors import CheckpointError, EvalsuiteError, SpecError, StoreError, UnavailableError
from evalsuite.model import ModelInfo
from evalsuite.request import TextResponse
from evalsuite.store.records import Record
from evalsuite.task import Sample


def info(worker: int, node: str = "a") -> WorkerInfo:
    return WorkerInfo(worker, node, "host", 1, (), {}, {}, ModelInfo("m", "f"))


def record(sample: str, *, step: int = 0, last: bool = True) -> Record:
    return Record("t", sample, step, TextResponse("yes"), last=last)


@dataclass
class Memory:
    """A store in memory that refuses duplicates, as a run's writer does; `commits` has its commits."""

    rows: dict[tuple[str, str, int], Record] = field(default_factory=dict)
    commits: list[int] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def save(self, records: Sequence[Record]) -> None:
        for one in records:
            key = (one.task, one.sample, one.step)
            assert key not in self.rows, f"{key} twice"
            self.rows[key] = one
        self.commits.append(len(records))

    def note(self, task: str, text: str) -> None:
        self.notes.append(text)

    def steps(self, task: str, sample: str) -> Sequence[Record]:
        return [row for (t, s, _), row in sorted(self.rows.items()) if (t, s) == (task, sample)]


@dataclass
class Played:
    """A pool whose events a script gives; by default a worker answers what it is sent, in two batches."""

    script: deque[list[Event]]
    answering: bool = True
    kind: str = "played"
    sent: list[tuple[int, Lease, Begun]] = field(default_factory=list)
    heard: list[tuple[int, Findings]] = field(default_factory=list)
    replaced: int = 0
    closed: bool = False
    new_workers: deque[list[Event]] = field(default_factory=deque)
    _answers: list[Event] = field(default_factory=list)

    @property
    def starting(self) -> int:
        making = [e for events in self.script for e in events if isinstance(e, Ready | Refused)]
        return len(making) + sum(isinstance(e, Died) and e.loading for events in self.script for e in events)

    def send(self, worker: int, lease: Lease, begun: Begun, findings: Findings) -> None:
        self.sent.append((worker, lease, begun))
        self.heard.append((worker, findings))
        if self.answering:
            names = [sample.id for sample in lease.samples]
            half = max(1, len(names) // 2)
            for part in (names[:half], names[half:]):
                if part:
                    self._answers.append(Saved(worker, lease.ticket, tuple(map(record, part))))
            self._answers.append(Finished(worker, lease.ticket))

    def replace(self, avoid: frozenset[str]) -> bool:
        self.replaced += 1
        if self.new_workers:
            self.script.append(self.new_workers.popleft())
            return True
        return False

    def events(self, timeout: float) -> Sequence[Event]:
        found, self._answers = self._answers, []
        if self.script:
            found = [*found, *self.script.popleft()]
        return found

    def close(self, grace: float) -> Iterable[Event]:
        self.closed = True
        return self._answers if grace else []


def drive(
    pool: Played,
    count: int = 8,
    size: int = 4,
    refuse: EvalsuiteError | None = None,
    store: Memory | None = None,
) -> tuple[Driver, Memory]:
    def admit(worker: WorkerInfo) -> list[str]:
        if refuse is not None:
            raise refuse
        return []

    memory = store or Memory()
    ledger = Ledger(cut("t", [Sample(str(i), None) for i in range(count)], size))
    return Driver(pool, ledger, memory, NullProgress(), admit, {"t": set()}), memory


def test_everything_is_saved_under_its_workers_number() -> None:
    pool = Played(deque([[Ready(info(0))]]))
    driver, memory = drive(pool)
    driver.run()
    assert sorted(key[1] for key in memory.rows) == list("01234567")
    assert sum(memory.commits) == 8
    assert {row.worker for row in memory.rows.values()} == {0}
    assert driver.account.answers == {0: 8}
    assert pool.closed


def test_what_came_before_a_death_is_saved_before_anybody_is_blamed() -> None:
    death = Died(0, "a", "signal 9")
    pool = Played(deque([[Ready(info(0))], []]), answering=False)
    driver, memory = drive(pool, count=4)
    pool.script = deque([[Ready(info(0))], [Saved(0, 0, (record("0"), record("1"))), death]])
    pool.new_workers = deque([[Ready(info(1))], []])

    def send(worker: int, lease: Lease, begun: Begun, findings: Findings) -> None:
        if worker == 1:
            pool.answering = True
        Played.send(pool, worker, lease, begun, findings)

    pool.send = send  # type: ignore[method-assign]
    driver.run()
    again = [lease for worker, lease, _ in pool.sent if worker == 1]
    assert [[sample.id for sample in lease.samples] for lease in again] == [["2", "3"]]
    assert again[0].alone
    assert len(memory.rows) == 4
    assert any("died (signal 9)" in note for note in memory.notes)


def test_earlier_answers_of_half_done_samples_travel_with_the_lease() -> None:
    pool = Played(deque([[Ready(info(0))]]))
    memory = Memory()
    memory.save([record("1", last=False)])
    ledger = Ledger(cut("t", [Sample("0", None)], 4))
    driver = Driver(pool, ledger, memory, NullProgress(), lambda worker: [], {"t": {"0"}})
    memory.save([record("0", last=False)])
    pool.answering = False
    pool.script.append([])

    def send(worker: int, lease: Lease, begun: Begun, findings: Findings) -> None:
        pool.sent.append((worker, lease, begun))
        pool._answers += [Saved(worker, lease.ticket, (record("0", step=1),)), Finished(worker, lease.ticket)]

    pool.send = send  # type: ignore[method-assign]
    driver.run()
    assert pool.sent[0][2] == {"0": (TextResponse("yes"),)}


def test_a_worker_that_is_refused_gets_no_work_and_others_go_on() -> None:
    pool = Played(deque([[Refused(0, "b", CheckpointError("No weights.", "Copy them."))], [Ready(info(1))]]))
    driver, memory = drive(pool)
    driver.run()
    assert {worker for worker, _, _ in pool.sent} == {1}
    assert any("worker 0 on b gets no work: No weights." in note for note in memory.notes)


def test_when_all_are_refused_the_error_is_theirs() -> None:
    pool = Played(deque([[Refused(0, "b", CheckpointError("No weights.", "Copy them."))]]))
    driver, _ = drive(pool)
    with pytest.raises(CheckpointError, match="No weights"):
        driver.run()
    assert pool.closed


def test_a_worker_with_other_code_is_refused_by_what_differs() -> None:
    pool = Played(deque([[Ready(info(0))]]))
    driver, memory = drive(pool, refuse=SpecError("It has evalsuite 0.1, the driver 0.2."))
    with pytest.raises(SpecError, match=r"evalsuite 0\.1"):
        driver.run()
    assert not pool.sent
    assert not memory.rows


def test_a_worker_that_becomes_unavailable_hands_its_work_to_another() -> None:
    pool = Played(deque([[Ready(info(0)), Ready(info(1))], [Stopped(0, "quota")]]), answering=False)

    def send(worker: int, lease: Lease, begun: Begun, findings: Findings) -> None:
        pool.answering = worker == 1
        Played.send(pool, worker, lease, begun, findings)

    pool.send = send  # type: ignore[method-assign]
    driver, memory = drive(pool, count=16)
    driver.run()
    assert len(memory.rows) == 16
    assert driver.account.ended[0] == "unavailable: quota"


def test_when_the_last_worker_becomes_unavailable_the_run_stops_with_its_reason() -> None:
    pool = Played(deque([[Ready(info(0))], [Stopped(0, "The quota is used up.")]]), answering=False)
    driver, _ = drive(pool)
    with pytest.raises(UnavailableError, match="quota"):
        driver.run()


def test_a_node_on_which_loading_kills_is_tried_three_times() -> None:
    deaths: list[list[Any]] = [[Died(n, "a", "out of memory", loading=True)] for n in range(3)]
    pool = Played(deque([deaths[0]]), new_workers=deque(deaths[1:]))
    driver, memory = drive(pool)
    with pytest.raises(UnavailableError, match="while it loaded the model"):
        driver.run()
    assert pool.replaced == 2
    assert any("a gets no more workers" in note for note in memory.notes)


def test_deaths_while_loading_count_until_a_worker_is_ready() -> None:
    """Three in a long run are no reason to go on with fewer workers; three in a row are."""
    pool = Played(deque([[Ready(info(0))]]), answering=False)
    for number in range(1, 8, 2):  # each replacement dies while it loads, and the next one is there
        pool.new_workers += [
            [Died(number, "", "lost", loading=True)],
            [Ready(info(number + 1)), Died(number - 1, "a", "gone")],
        ]  # fmt: skip
    pool.script.append([Died(100, "", "lost", loading=True)])

    def send(worker: int, lease: Lease, begun: Begun, findings: Findings) -> None:
        pool.answering = worker >= 6
        Played.send(pool, worker, lease, begun, findings)

    pool.send = send  # type: ignore[method-assign]
    driver, memory = drive(pool, count=8)
    driver.run()
    assert len(memory.rows) == 8
    assert not any("no more workers" in note for note in memory.notes)


def test_a_silent_workers_samples_are_answered_by_others_and_its_late_answers_dropped() -> None:
    late = Saved(0, 0, tuple(record(str(i)) for i in range(4)))
    pool = Played(
        deque([[Ready(info(0))], [Ready(info(1, "b"))], [Silent(0, 700.0)], [], [late], []]), answering=False
    )

    def send(worker: int, lease: Lease, begun: Begun, findings: Findings) -> None:
        pool.answering = worker == 1
        Played.send(pool, worker, lease, begun, findings)

    pool.send = send  # type: ignore[method-assign]
    driver, memory = drive(pool, count=16)
    driver.run()
    assert len(memory.rows) == 16
    assert {row.worker for row in memory.rows.values()} == {1}
    assert any("worker 0 is silent for 700 s" in note for note in memory.notes)


def test_an_interruption_saves_what_is_in_flight() -> None:
    class Interrupted(Played):
        def events(self, timeout: float) -> Sequence[Event]:
            if self.sent:
                raise KeyboardInterrupt
            return super().events(timeout)

    pool = Interrupted(deque([[Ready(info(0))]]))
    driver, memory = drive(pool)
    with pytest.raises(KeyboardInterrupt):
        driver.run()
    assert len(memory.rows) == 8
    assert pool.closed


def test_notes_of_workers_are_kept() -> None:
    pool = Played(deque([[Ready(info(0)), Noted(0, "t", "a batch ran out of memory")]]))
    driver, memory = drive(pool)
    driver.run()
    assert memory.notes == ["a batch ran out of memory"]


def test_what_a_silent_worker_has_begun_is_taken_over_as_soon_as_somebody_is_idle() -> None:
    ready: list[Event] = [Ready(info(0)), Ready(info(1, "b"))]
    # Worker 1 still has work when worker 0 falls silent: it becomes idle later, and is told nothing again.
    pool = Played(deque([ready, [Silent(0, 700.0)], [], [], [], []]), answering=False)
    waiting: list[tuple[int, Lease, Begun, Findings]] = []
    real = pool.events

    def send(worker: int, lease: Lease, begun: Begun, findings: Findings) -> None:
        waiting.append((worker, lease, begun, findings))

    def events(timeout: float) -> Sequence[Event]:
        found = real(timeout)
        pool.answering = True
        for one in [one for one in waiting if one[0] == 1][:1]:  # one lease at a time
            waiting.remove(one)
            Played.send(pool, *one)
        return found

    pool.send, pool.events = send, events  # type: ignore[method-assign]
    driver, memory = drive(pool, count=16)
    driver.run()
    assert len(memory.rows) == 16
    assert {row.worker for row in memory.rows.values()} == {1}


def test_a_store_that_fails_ends_the_run_at_once() -> None:
    class Gone(Memory):
        def save(self, records: Sequence[Record]) -> None:
            raise StoreError("The folder is gone.")

    patience: list[float] = []

    class Watched(Played):
        def close(self, grace: float) -> Iterable[Event]:
            patience.append(grace)
            return super().close(grace)

    driver, _ = drive(Watched(deque([[Ready(info(0))]])), store=Gone())
    with pytest.raises(StoreError, match="gone"):
        driver.run()
    assert patience == [0.0], "what is in flight could not be kept: it is not waited for"
