"""The ledger of leases: every sample once, no innocent failure, whatever dies when."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from evalsuite.engine.leases import Death, Lease, cut
from evalsuite.engine.ledger import Ledger
from evalsuite.task import Sample


def samples(count: int, start: int = 0) -> list[Sample]:
    return [Sample(str(i), None) for i in range(start, start + count)]


def ledger(count: int, size: int, **options: int) -> Ledger:
    return Ledger(cut("t", samples(count), size), **options)


def names(lease: Lease) -> list[str]:
    return [sample.id for sample in lease.samples]


def answer(book: Ledger, worker: int, lease: Lease, how_many: int | None = None) -> list[bool]:
    return book.accept(worker, lease.ticket, [(name, True) for name in names(lease)[:how_many]])


def test_leases_are_cut_by_position() -> None:
    found = list(cut("t", samples(10), 4, first=3))
    assert [names(lease) for lease in found] == [list("0123"), list("4567"), list("89")]
    assert [lease.number for lease in found] == [3, 4, 5]
    with pytest.raises(ValueError, match="at least one"):
        next(cut("t", samples(1), 0))


def test_each_worker_holds_two_leases_and_gets_the_next_when_one_has_finished() -> None:
    book = ledger(100, 10)
    assert book.join(0, "a")
    assert book.join(1, "a")
    first = book.hand_out()
    assert [(worker, lease.number) for worker, lease in first] == [(0, 0), (1, 1), (0, 2), (1, 3)]
    assert book.hand_out() == []
    assert all(answer(book, 0, first[0][1]))
    assert book.finish(0, first[0][1].ticket) == []
    assert [(worker, lease.number) for worker, lease in book.hand_out()] == [(0, 4)]


def test_work_starts_with_the_first_worker_and_a_later_one_gets_its_share() -> None:
    book = ledger(100, 10)
    book.join(0, "a")
    assert len(book.hand_out()) == 2
    book.join(1, "b")
    assert [worker for worker, _ in book.hand_out()] == [1, 1]


def test_a_dead_workers_started_lease_is_asked_alone_and_the_other_goes_back_untouched() -> None:
    book = ledger(30, 10)
    book.join(0, "a")
    (_, begun), (_, waiting) = book.hand_out()
    answer(book, 0, begun, 4)
    death = book.die(0)
    assert death == Death(requeued=death.requeued)
    alone, untouched = death.requeued
    assert (names(alone), alone.alone) == (list("456789"), True)
    assert (untouched.samples, untouched.alone) == (waiting.samples, False)
    book.join(1, "a")
    sent = [lease for _, lease in book.hand_out()]
    assert [(names(lease), lease.alone) for lease in sent] == [
        (list("456789"), True),
        (names(waiting), False),
    ]


def test_a_sample_that_kills_two_workers_alone_is_failed_and_no_other() -> None:
    book = ledger(6, 6)
    deaths, poisoned = 0, []
    worker = 0
    while not book.done:
        book.join(worker, f"node {worker % 2}")
        for _, lease in book.hand_out():
            for name in names(lease):
                book.begin(worker, lease.ticket, name)
                if name == "3":
                    break
                answer_one = book.accept(worker, lease.ticket, [(name, True)])
                assert answer_one == [True]
            else:
                book.finish(worker, lease.ticket)
                continue
            break
        else:
            break
        death = book.die(worker)
        deaths += 1
        if death.poisoned:
            poisoned.append((death.poisoned.sample.id, death.poisoned.deaths, death.poisoned.nodes))
        worker += 1
    assert deaths == 3
    assert poisoned == [("3", 2, ("node 1", "node 0"))]
    assert book.done


def test_a_worker_that_dies_between_two_samples_blames_none() -> None:
    book = ledger(4, 4)
    book.join(0, "a")
    book.hand_out()
    book.die(0)
    for worker, name in ((1, "0"), (2, "1"), (3, "2")):
        book.join(worker, "a")
        ((_, lease),) = book.hand_out()
        book.begin(worker, lease.ticket, name)
        assert book.accept(worker, lease.ticket, [(name, True)]) == [True]
        assert book.die(worker).poisoned is None
    book.join(4, "a")
    ((_, lease),) = book.hand_out()
    assert names(lease) == ["3"], "it was first without a record at three deaths, and never asked"


def test_workers_that_die_before_they_ask_anything_are_the_nodes_fault() -> None:
    book = ledger(4, 4)
    for worker in range(20):
        book.join(worker, "a")
        if not book.hand_out():
            break
        assert book.die(worker).poisoned is None
    assert book.sick_nodes == ("a",)


def test_a_suspect_lease_goes_to_another_node_where_there_is_one() -> None:
    book = ledger(20, 4)
    book.join(0, "a")
    book.hand_out()
    suspect = book.die(0).requeued[0]
    book.join(1, "a")
    book.join(2, "b")
    sent = book.hand_out()
    assert [worker for worker, lease in sent if lease.number == suspect.number] == [2]


def test_a_suspect_lease_stays_on_the_only_node() -> None:
    book = ledger(4, 4)
    book.join(0, "a")
    book.hand_out()
    book.die(0)
    book.join(1, "a")
    assert [names(lease) for _, lease in book.hand_out()] == [list("0123")]


def test_a_node_where_workers_die_over_different_samples_gets_no_more_work() -> None:
    book = ledger(40, 4)
    for worker in range(3):
        book.join(worker, "sick")
        assert book.hand_out()
        death = book.die(worker)
        # The suspects are asked elsewhere; the next worker here starts with samples that killed none yet.
        book.join(100 + worker, "well")
        for _, lease in book.hand_out():
            if lease.alone:
                answer(book, 100 + worker, lease)
        book.leave(100 + worker)
    assert death.sick_node == "sick"
    assert book.sick_nodes == ("sick",)
    assert not book.join(9, "sick")
    assert book.hand_out() == []
    book.join(10, "well")
    assert book.hand_out()


def test_deaths_with_records_between_them_do_not_make_a_node_sick() -> None:
    book = ledger(400, 4)
    for worker in range(20):
        book.join(worker, "a")
        (_, lease), *_ = book.hand_out()
        answer(book, worker, lease, 1)
        assert not book.die(worker).sick_node


def test_a_silent_workers_waiting_lease_is_recalled_and_its_begun_one_asked_elsewhere() -> None:
    book = ledger(8, 4)
    book.join(0, "a")
    (_, begun), (_, waiting) = book.hand_out()
    answer(book, 0, begun, 1)
    assert [names(lease) for lease in book.recall(0)] == [names(waiting)]
    assert book.hand_out() == [], "not to the silent worker again"
    again = book.speculate(0)
    assert again is not None
    assert names(again) == names(begun)[1:]
    assert book.speculate(0) is None
    book.join(1, "b")
    sent = [lease for worker, lease in book.hand_out() if worker == 1]
    assert sorted(lease.number for lease in sent) == [0, 1]
    other = next(lease for lease in sent if lease.number == 0)
    assert answer(book, 1, other) == [True, True, True]
    assert answer(book, 0, begun) == [False, False, False, False]  # too late: the first answer counts


def test_the_steps_of_a_sample_come_from_one_worker() -> None:
    book = ledger(2, 2)
    book.join(0, "a")
    book.join(1, "b")
    ((_, lease),) = book.hand_out()
    assert book.accept(0, lease.ticket, [("0", False)]) == [True]
    copy = book.speculate(0)
    assert copy is not None
    assert names(copy) == ["1"]
    (_, sent), *_ = [one for one in book.hand_out() if one[0] == 1]
    assert book.accept(1, sent.ticket, [("0", False), ("1", True)]) == [False, True]
    assert book.accept(0, lease.ticket, [("0", True), ("1", True)]) == [True, False]


def test_a_worker_that_leaves_is_not_to_blame() -> None:
    book = ledger(8, 4)
    book.join(0, "a")
    (_, begun), _ = book.hand_out()
    answer(book, 0, begun, 2)
    back = book.leave(0)
    assert [(names(lease), lease.alone) for lease in back] == [(["2", "3"], False), (list("4567"), False)]


def test_what_a_worker_left_without_a_record_goes_back() -> None:
    book = ledger(4, 4)
    book.join(0, "a")
    ((_, lease),) = book.hand_out()
    answer(book, 0, lease, 3)
    assert [sample.id for sample in book.finish(0, lease.ticket)] == ["3"]
    assert [(names(back), back.alone) for _, back in book.hand_out()] == [(["3"], True)]


@dataclass
class World:
    """Workers that answer, die and fall silent as a random schedule says."""

    book: Ledger
    chance: random.Random
    poison: frozenset[str]
    steps: int
    saved: Counter[tuple[str, int]] = field(default_factory=Counter)
    failed: list[str] = field(default_factory=list)
    deaths_of: Counter[str] = field(default_factory=Counter)
    inbox: dict[int, list[Lease]] = field(default_factory=dict)
    progress: dict[int, int] = field(default_factory=dict)
    asking: set[int] = field(default_factory=set)
    joined: int = 0
    kills: int = 0

    def add_worker(self) -> None:
        worker, self.joined = self.joined, self.joined + 1
        self.book.join(worker, f"node {self.chance.randrange(3)}")
        self.inbox[worker], self.progress[worker] = [], 0

    def kill(self, worker: int) -> None:
        before = self.inbox.pop(worker)
        at = self.progress[worker]
        if before and at < len(before[0].samples) and (not before[0].alone or worker in self.asking):
            self.deaths_of[before[0].samples[at].id] += 1
        self.asking.discard(worker)
        death = self.book.die(worker)
        if death.poisoned:
            self.failed.append(death.poisoned.sample.id)

    def act(self, worker: int) -> None:
        """One batch (or one sample, when asked alone) of a worker's first lease."""
        lease = self.inbox[worker][0]
        at = self.progress[worker]
        size = 1 if lease.alone else self.chance.randint(1, 3)
        batch = lease.samples[at : at + size]
        if lease.alone and worker not in self.asking:
            self.book.begin(worker, lease.ticket, batch[0].id)
            self.asking.add(worker)
            return
        if any(sample.id in self.poison for sample in batch):
            self.kill(worker)
            return
        self.asking.discard(worker)
        records = [(s.id, step == self.steps - 1) for s in batch for step in range(self.steps)]
        for (name, _), step, keep in zip(
            records,
            list(range(self.steps)) * len(batch),
            self.book.accept(worker, lease.ticket, records),
            strict=True,
        ):
            self.saved[name, step] += keep
        self.progress[worker] = at + len(batch)
        if self.progress[worker] >= len(lease.samples):
            assert self.book.finish(worker, lease.ticket) == []
            self.inbox[worker].pop(0)
            self.progress[worker] = 0


@given(
    count=st.integers(1, 60),
    size=st.integers(1, 9),
    workers=st.integers(1, 5),
    seed=st.integers(0, 10**6),
    poison=st.sets(st.integers(0, 59), max_size=2),
    steps=st.integers(1, 3),
    kills=st.integers(0, 12),
    silence=st.booleans(),
)
@example(
    count=46, size=9, workers=3, seed=6999, poison={30}, steps=1, kills=0, silence=True
)  # copy of a copy
@settings(max_examples=300, deadline=None)
def test_every_sample_is_recorded_once_and_only_poison_fails(
    count: int, size: int, workers: int, seed: int, poison: set[int], steps: int, kills: int, silence: bool
) -> None:
    bad = frozenset(str(i) for i in poison if i < count)
    # Random kills may fall on one node in a row: what a sick node costs has tests of its own.
    book = ledger(count, size, deaths_in_a_row=10**6)
    world = World(book, random.Random(seed), bad, steps)
    for _ in range(workers):
        world.add_worker()
    for _ in range(20_000):
        if book.done:
            break
        for worker, lease in book.hand_out():
            world.inbox[worker].append(lease)
        busy = [worker for worker, leases in world.inbox.items() if leases]
        choice = world.chance.random()
        if choice < 0.05 and world.kills < kills and world.inbox:
            world.kills += 1
            world.kill(world.chance.choice(sorted(world.inbox)))
        elif choice < 0.1 and busy and silence:
            silent = world.chance.choice(busy)
            for lease in book.recall(silent):
                world.inbox[silent].remove(
                    next(one for one in world.inbox[silent] if one.number == lease.number)
                )
            book.speculate(silent)
        elif choice < 0.13 and len(world.inbox) < 8:
            world.add_worker()
        elif busy:
            world.act(world.chance.choice(busy))
        if not world.inbox:
            world.add_worker()
    assert book.done
    good = {str(i) for i in range(count)} - bad
    if not kills:
        assert sorted(world.failed) == sorted(bad)
    else:  # an outside kill at the moment when an innocent sample is asked alone twice is the only other way
        assert set(world.failed) >= bad
        innocents = set(world.failed) - bad
        assert all(world.deaths_of[name] >= 2 for name in innocents)
        good -= innocents
    assert Counter({key: n for key, n in world.saved.items() if key[0] in good}) == Counter(
        {(name, step): 1 for name in good for step in range(steps)}
    )
    if not kills:
        # A silent worker's lease is asked twice in a batch, which can kill once more before it is asked
        # alone.
        assert all(world.deaths_of[name] <= 3 + silence for name in bad)
