"""The `Ledger`: which worker holds which lease, what is recorded, and who is to blame for a death.

A state machine without threads, processes or Ray: the driver reports events (a worker is ready, records came,
a worker died) and takes from it what to send.

- A worker that dies takes its started lease with it. That lease goes back to be asked *alone*, one sample at
  a time and recorded one by one; leases that it had not started go back untouched.
- Of a lease that is asked alone, the worker says which sample it is about to ask. When it dies before that
  one is recorded, the sample was being asked. After `deaths_alone` such deaths, where possible on different
  nodes, that sample is failed; no other ever is. A worker that dies between two samples blames none.
- `deaths_in_a_row` deaths on one node, over different samples and without a record between them, are the
  node's fault: it gets no more work.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from evalsuite.engine.leases import Death, Lease, Poisoned
from evalsuite.task import Sample

Worker = int
"""A worker's number in the run; never used again for another."""
_Key = tuple[str, int]
"""Task and number of a lease."""
_UNASKED = 5
"""Workers that may die with a lease that is asked alone before they ask any of it."""


@dataclass(slots=True)
class _Held:
    """A lease at a worker, and which of its samples have no final record yet."""

    lease: Lease
    missing: dict[str, Sample]
    asking: str = ""
    """The sample that the worker said it would ask next, of a lease that is asked alone."""


@dataclass(slots=True)
class _Progress:
    """How far a lease is, whoever holds it."""

    total: int
    done: set[str] = field(default_factory=set)


@dataclass(slots=True)
class _Node:
    deaths: list[tuple[str, str]] = field(default_factory=list)
    """What was asked (task, sample id) at each death since the node's last record."""
    sick: bool = False


class Ledger:
    """Hands out leases and keeps account of what came back.

    Args:
        leases: all of them, in order; read one at a time as workers take them.
        ahead: leases that a worker may hold at the same time; the next is sent when the first has finished.
        deaths_alone: deaths over a sample that is asked alone after which it is failed.
        deaths_in_a_row: deaths on one node, over different samples, after which the node is left out.
    """

    def __init__(
        self, leases: Iterable[Lease], *, ahead: int = 2, deaths_alone: int = 2, deaths_in_a_row: int = 3
    ) -> None:
        self._fresh = iter(leases)
        self._ahead = ahead
        self._deaths_alone = deaths_alone
        self._deaths_in_a_row = deaths_in_a_row
        self._returned: deque[Lease] = deque()
        self._at: dict[Worker, list[_Held]] = {}
        self._node_of: dict[Worker, str] = {}
        self._nodes: dict[str, _Node] = {}
        self._open: dict[_Key, _Progress] = {}
        self._complete: dict[str, set[int]] = {}
        self._owner: dict[tuple[str, str], Worker] = {}
        self._killed: Counter[tuple[str, str]] = Counter()
        self._killed_on: dict[tuple[str, str], list[str]] = {}
        self._unasked: Counter[_Key] = Counter()
        self._exhausted = False
        self._speculated: set[_Key] = set()
        self._silent: set[Worker] = set()
        self._tickets: list[_Key] = []
        """Lease of every ticket: what a silent worker sends late still belongs somewhere."""

    def join(self, worker: Worker, node: str) -> bool:
        """A worker is ready for work; False when its node is sick and it will get none."""
        if worker in self._node_of:
            raise ValueError(f"worker {worker} has joined already")
        self._node_of[worker] = node
        self._at[worker] = []
        return not self._nodes.setdefault(node, _Node()).sick

    def hand_out(self) -> list[tuple[Worker, Lease]]:
        """What to send now: workers with the fewest leases first, each up to `ahead`."""
        sent: list[tuple[Worker, Lease]] = []
        passed: set[Worker] = set()
        while True:
            free = [
                worker
                for worker, held in self._at.items()
                if len(held) < self._ahead
                and worker not in passed
                and worker not in self._silent
                and self._healthy(worker)
            ]
            if not free:
                return sent
            worker = min(free, key=lambda w: (len(self._at[w]), w))
            found = self._next_for(worker, alternatives=free)
            if found is None:
                passed.add(worker)
                continue
            lease = replace(found, ticket=len(self._tickets))
            self._tickets.append((lease.task, lease.number))
            self._at[worker].append(_Held(lease, {sample.id: sample for sample in lease.samples}))
            sent.append((worker, lease))

    def accept(self, worker: Worker, ticket: int, records: Sequence[tuple[str, bool]]) -> list[bool]:
        """Records of a lease came from a worker, in the order in which they were made.

        Args:
            records: sample id, and whether it is the sample's last record (a protocol may follow up).

        Returns which of them are to be saved. All records of a sample come from the worker that gave its
        first one, as long as that worker lives; a sample that two workers answered counts once.
        """
        key = self._tickets[ticket]
        task = key[0]
        self._silent.discard(worker)
        keep: list[bool] = []
        closed: dict[str, None] = {}
        for name, last in records:
            mine = (
                name not in closed
                and not self._known(key, name)
                and self._owner.setdefault((task, name), worker) == worker
            )
            keep.append(mine)
            if mine and last:
                del self._owner[task, name]
                closed[name] = None
        self._close(key, closed)
        if any(keep):
            self._nodes[self._node_of[worker]].deaths.clear()
        return keep

    def begin(self, worker: Worker, ticket: int, sample: str) -> None:
        """A worker is about to ask a sample of a lease that is asked alone."""
        self._silent.discard(worker)
        for held in self._at[worker]:
            if held.lease.ticket == ticket:
                held.asking = sample

    def finish(self, worker: Worker, ticket: int) -> list[Sample]:
        """A worker is through with a lease; returns samples that it left without a record (a bug of the
        worker).

        Those go back, to be asked alone.
        """
        self._silent.discard(worker)
        at = self._at[worker]
        held = next((held for held in at if held.lease.ticket == ticket), None)
        if held is None:  # recalled meanwhile
            return []
        at.remove(held)
        left = list(held.missing.values())
        if left:
            self._returned.appendleft(replace(held.lease, samples=tuple(left), alone=True))
        return left

    def die(self, worker: Worker) -> Death:
        """A worker is gone; everything it had sent must have been accepted before."""
        node = self._node_of.pop(worker)
        held = self._at.pop(worker)
        self._disown(worker)
        if not held:
            return Death(sick_node=self._blame_node(node, ("", f"worker {worker}")))
        begun, *waiting = held
        back: list[Lease] = []
        poisoned: Poisoned | None = None
        sick = ""
        if begun.missing:
            key = (begun.lease.task, next(iter(begun.missing)))
            if begun.lease.alone:
                asked = begun.missing.get(begun.asking)
                if asked is None:
                    key = self._blame_lease(worker, begun.lease)
                else:
                    key = (begun.lease.task, asked.id)
                    self._killed[key] += 1
                    self._killed_on.setdefault(key, []).append(node)
                    if self._killed[key] >= self._deaths_alone:
                        poisoned = Poisoned(
                            begun.lease.task, asked, self._killed[key], tuple(self._killed_on[key])
                        )
                        self._close((begun.lease.task, begun.lease.number), (asked.id,))
            rest = self._only_here(begun)
            if rest:
                back.append(
                    replace(
                        begun.lease,
                        samples=tuple(rest.values()),
                        alone=True,
                        avoid=begun.lease.avoid | {node},
                    )
                )
            sick = self._blame_node(node, key)
        else:
            sick = self._blame_node(node, ("", f"worker {worker}"))
        back += [replace(one.lease, samples=tuple(one.missing.values())) for one in waiting if one.missing]
        self._returned.extendleft(reversed(back))
        return Death(tuple(back), poisoned, sick)

    def leave(self, worker: Worker) -> tuple[Lease, ...]:
        """A worker stops without being to blame (shut down, unavailable); its leases go back as they are."""
        self._node_of.pop(worker)
        self._disown(worker)
        back = [
            replace(one.lease, samples=tuple(one.missing.values()))
            for one in self._at.pop(worker)
            if one.missing
        ]
        self._returned.extendleft(reversed(back))
        return tuple(back)

    def recall(self, worker: Worker) -> tuple[Lease, ...]:
        """Takes back what a silent worker has not started; it may still finish what it has begun.

        It gets nothing more until something comes from it.
        """
        self._silent.add(worker)
        at = self._at[worker]
        waiting, at[1:] = at[1:], []
        back = [replace(one.lease, samples=tuple(one.missing.values())) for one in waiting if one.missing]
        self._returned.extendleft(reversed(back))
        return tuple(back)

    def speculate(self, worker: Worker) -> Lease | None:
        """What a silent worker has begun, once more, for an idle one; None when there is nothing or it was
        done.

        The first answer to a sample counts (`accept`).
        """
        at = self._at[worker]
        if not at or at[0].lease.alone:
            return None  # what is asked alone may kill: once at a time
        task = at[0].lease.task
        # Once per lease, also where its copy falls silent: a poisoned sample would kill with every copy.
        if (task, at[0].lease.number) in self._speculated:
            return None
        # A sample whose first steps the silent worker gave stays with it: its answers belong together.
        samples = tuple(s for name, s in at[0].missing.items() if (task, name) not in self._owner)
        if not samples:
            return None
        self._speculated.add((task, at[0].lease.number))
        lease = replace(at[0].lease, samples=samples, avoid=frozenset({self._node_of[worker]}))
        self._returned.append(lease)
        return lease

    @property
    def workers(self) -> tuple[Worker, ...]:
        """Those that are alive."""
        return tuple(self._at)

    @property
    def idle(self) -> tuple[Worker, ...]:
        """Those that hold nothing."""
        return tuple(worker for worker, held in self._at.items() if not held)

    @property
    def busy(self) -> tuple[Worker, ...]:
        """Those that hold a lease."""
        return tuple(worker for worker, held in self._at.items() if held)

    @property
    def sick_nodes(self) -> tuple[str, ...]:
        """Nodes that get no more work."""
        return tuple(sorted(name for name, node in self._nodes.items() if node.sick))

    @property
    def done(self) -> bool:
        """Nothing is left to hand out or to wait for."""
        while self._returned and not self._missing(self._returned[0]):
            self._returned.popleft()
        if self._returned or any(one.missing for held in self._at.values() for one in held):
            return False
        lease = self._take_fresh()
        if lease is not None:
            self._returned.append(lease)
        return lease is None

    def _next_for(self, worker: Worker, alternatives: Sequence[Worker]) -> Lease | None:
        node = self._node_of[worker]
        own = {(held.lease.task, held.lease.number) for held in self._at[worker]}
        for lease in list(self._returned):
            missing = self._missing(lease)
            if not missing:
                self._returned.remove(lease)
                continue
            elsewhere = any(self._node_of[other] not in lease.avoid for other in alternatives)
            if (lease.task, lease.number) in own or (node in lease.avoid and elsewhere):
                continue
            self._returned.remove(lease)
            return replace(lease, samples=missing)
        return self._take_fresh()

    def _take_fresh(self) -> Lease | None:
        """The next lease that nobody has had; None when there is none."""
        lease = None if self._exhausted else next(self._fresh, None)
        if lease is None:
            self._exhausted = True
        else:
            self._open[lease.task, lease.number] = _Progress(len(lease.samples))
        return lease

    def _known(self, key: _Key, name: str) -> bool:
        """Whether a sample of a lease has its final record."""
        state = self._open.get(key)
        return key[1] in self._complete.get(key[0], ()) if state is None else name in state.done

    def _missing(self, lease: Lease) -> tuple[Sample, ...]:
        """Its samples without a final record."""
        key = (lease.task, lease.number)
        return tuple(sample for sample in lease.samples if not self._known(key, sample.id))

    def _close(self, key: _Key, names: Collection[str]) -> None:
        """Samples have their final records: nobody is to answer them any more."""
        if not names:
            return
        state = self._open[key]
        state.done.update(names)
        if len(state.done) == state.total:
            # Names are forgotten with their lease: what is kept does not grow with the samples.
            del self._open[key]
            self._complete.setdefault(key[0], set()).add(key[1])
        for held in self._holding(key):
            for name in names:
                held.missing.pop(name, None)

    def _holding(self, key: _Key) -> Iterator[_Held]:
        """All copies of a lease at workers: more than one when a worker fell silent."""
        for at in self._at.values():
            for held in at:
                if (held.lease.task, held.lease.number) == key:
                    yield held

    def _only_here(self, begun: _Held) -> dict[str, Sample]:
        """Of what a dead worker had begun, the samples that no other copy of the lease holds."""
        key = (begun.lease.task, begun.lease.number)
        elsewhere = {name for held in self._holding(key) for name in held.missing} | {
            sample.id
            for lease in self._returned
            if (lease.task, lease.number) == key
            for sample in lease.samples
        }
        return {
            name: sample
            for name, sample in begun.missing.items()
            if name not in elsewhere and not self._known(key, name)
        }

    def _disown(self, worker: Worker) -> None:
        for key in [key for key, owner in self._owner.items() if owner == worker]:
            del self._owner[key]

    def _healthy(self, worker: Worker) -> bool:
        return not self._nodes[self._node_of[worker]].sick

    def _blame_lease(self, worker: Worker, lease: Lease) -> tuple[str, str]:
        """What a death counts as that came before anything of a lease was asked: one thing for all workers
        that may have been killed from outside; from then on the node's fault, each on its own."""
        where = (lease.task, lease.number)
        self._unasked[where] += 1
        if self._unasked[where] <= _UNASKED:
            return lease.task, f"lease {lease.number}"
        return "", f"worker {worker}"

    def _blame_node(self, node: str, key: tuple[str, str]) -> str:
        """Counts a death; the node's name when it is to blame."""
        state = self._nodes[node]
        state.deaths.append(key)
        if len(set(state.deaths)) >= self._deaths_in_a_row:
            state.sick = True
            return node
        return ""
