"""What one worker finds out about batches holds for the others of its kind."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from evalsuite.engine.batching import Scope
from evalsuite.engine.findings import Findings, scope_key
from evalsuite.engine.leases import Lease
from evalsuite.engine.pool import Begun, Event, Found, Ready, WorkerInfo
from evalsuite.engine.worker import Worker
from evalsuite.errors import OutOfMemoryError
from evalsuite.model import ModelInfo, Prepared
from evalsuite.request import GenerateText, TextResponse
from tests.engine.test_pool import Played, drive
from tests.engine.test_worker import SCOPE, Scripted, batch, echo

OTHER = Scope("task", "generate_text", GenerateText(), "another group")


def by_batch(prepared: Sequence[Prepared]) -> list[TextResponse]:
    return [TextResponse(f"{p.payload} of {len(prepared)}") for p in prepared]


def test_a_scope_that_one_worker_found_unsafe_is_asked_alone_by_another_without_a_check_of_its_own() -> None:
    finder = Worker(Scripted(by_batch))
    finder.run(batch(4))
    found = finder.news()
    assert found is not None
    assert found.alone == found.checked == {scope_key(SCOPE)}
    assert finder.news() is None, "nothing new since"
    model = Scripted(by_batch)
    other = Worker(model)
    other.learn(found)
    result = other.run(batch(4))
    assert model.sizes == [1, 1, 1, 1]
    assert result.notes == ()
    assert other.limit(OTHER, 8) == 8, "nothing is known of another group"


def test_it_is_taken_over_in_the_middle_of_the_work() -> None:
    model = Scripted(echo)
    other = Worker(model)
    other.run(batch(4))
    model.sizes.clear()
    other.learn(Findings(alone=frozenset({scope_key(SCOPE)})))
    other.run(batch(4))
    assert model.sizes == [1, 1, 1, 1]


def test_a_scope_that_was_found_safe_is_not_checked_again() -> None:
    finder = Worker(Scripted(echo))
    finder.run(batch(4))
    found = finder.news()
    assert found is not None
    model = Scripted(echo)
    other = Worker(model)
    other.learn(found)
    other.run(batch(4))
    assert model.sizes == [4]


def test_what_memory_holds_is_shared() -> None:
    def three(prepared: Sequence[Prepared]) -> list[TextResponse]:
        if len(prepared) > 3:
            raise OutOfMemoryError("too many")
        return echo(prepared)

    finder = Worker(Scripted(three), self_check=False)
    finder.run(batch(8))
    found = finder.news()
    assert found is not None
    assert found.fits == {scope_key(SCOPE): 2}
    model = Scripted(three)
    other = Worker(model, self_check=False)
    other.learn(found)
    assert other.limit(SCOPE, 8) == 2
    other.run(batch(4))
    assert model.sizes == [2, 2]


def test_the_driver_sends_findings_with_every_lease_to_workers_with_the_same_kind_of_gpu() -> None:
    def info(worker: int, gpu: str) -> WorkerInfo:
        return WorkerInfo(worker, "a", "host", 1, (gpu,), {}, {}, ModelInfo("m", "f"))

    found = Findings(alone=frozenset({scope_key(SCOPE)}))
    first: list[Event] = [
        Ready(info(0, "A100 (uuid 1)")), Ready(info(1, "A100 (uuid 2)")), Ready(info(2, "H100 (uuid 3)")),
    ]  # fmt: skip
    pool = Played(deque([first, [Found(0, found)]]))
    answer = pool.send
    waiting: list[tuple[int, Lease, Begun, Findings]] = []

    def send(worker: int, lease: Lease, begun: Begun, findings: Findings) -> None:
        if len(pool.script) == 1 and len(waiting) < 6:  # nobody answers before the finding is there
            waiting.append((worker, lease, begun, findings))
            if len(waiting) == 6:
                for one in waiting:
                    answer(*one)
            return
        answer(worker, lease, begun, findings)

    pool.send = send  # type: ignore[method-assign]
    driver, memory = drive(pool, count=48)
    driver.run()
    assert len(memory.rows) == 48
    early, later = pool.heard[:6], pool.heard[6:]
    assert all(heard == Findings() for _, heard in early)
    assert {worker for worker, _ in later} == {0, 1, 2}
    assert all((heard == found) == (worker != 2) for worker, heard in later)
