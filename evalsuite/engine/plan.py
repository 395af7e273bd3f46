"""What a task would ask, and what of it is missing."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from evalsuite.engine.leases import Lease
from evalsuite.engine.subset import choose
from evalsuite.errors import DataError
from evalsuite.request import Request, Response
from evalsuite.task import HasSampleIds, Sample, Task


@dataclass(frozen=True, slots=True)
class TaskPlan:
    """A task with the samples a run wants of it.

    Args:
        key: its name in the run.
        data_fingerprint: digest of its data.
        chosen: ids of the samples to ask about; None means all.
        total: how many those are.
        available: how many the benchmark has.
    """

    key: str
    task: Task
    data_fingerprint: str
    chosen: frozenset[str] | None
    total: int
    available: int

    def samples(self) -> Iterator[Sample]:
        """The chosen samples in their official order, lazily."""
        if self.chosen is None:
            return self.task.samples()
        chosen = self.chosen
        return (sample for sample in self.task.samples() if sample.id in chosen)


def plan_task(key: str, task: Task, *, seed: int, limit: int | None) -> TaskPlan:
    """Reads a task's data once.

    Raises DataError when they are missing or empty, or when an id occurs twice or cannot be stored.
    """
    data_fingerprint = task.fingerprint()
    if isinstance(task, HasSampleIds):
        names = task.sample_ids()
    else:
        names = (sample.id for sample in task.samples())
    seen: set[str] = set()
    for name in names:
        if not _storable(name):
            # Found again in the store under another name, or not at all: it would be asked for ever.
            raise DataError(
                f"Task {key!r}: the sample id {name!r} is not text that can be stored.",
                "Ids are strings, without halves of surrogate pairs; correct the data file or the task.",
            )
        if name in seen:
            raise DataError(
                f"Task {key!r}: the sample id {name!r} occurs twice in its data.",
                "Ids must be unique; correct the data file.",
            )
        seen.add(name)
    if not seen:
        raise DataError(f"Task {key!r}: its data set is empty.", "Check the data folder and the split.")
    chosen = choose(seen, limit, seed, task.info.name) if limit is not None and limit < len(seen) else None
    total = len(seen) if chosen is None else len(chosen)
    return TaskPlan(key, task, data_fingerprint, chosen, total, len(seen))


def _storable(name: object) -> bool:
    if not isinstance(name, str):
        return False
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


@dataclass(frozen=True, slots=True)
class Item:
    """One thing to ask.

    Args:
        earlier: answers to the sample's earlier steps.
        request: already built where the answer before it called for it; else None.
    """

    sample: Sample
    step: int = 0
    earlier: tuple[Response, ...] = ()
    request: Request | None = None


@dataclass(slots=True)
class Source:
    """What is to be asked about a lease, in order: its samples, then what follows from their answers.

    The order, and with it the composition of batches, depends on the lease alone, not on how far preparing
    was ahead when an answer came.

    Args:
        plan: the task.
        lease: samples of it.
        begun: answers to the first steps of samples that an interrupted session left half done.
    """

    plan: TaskPlan
    lease: Lease
    begun: Mapping[str, tuple[Response, ...]] = field(default_factory=dict)
    _follow_ups: deque[Item] = field(default_factory=deque)
    _position: int = 0

    def follow_up(self, item: Item) -> None:
        self._follow_ups.append(item)

    def next(self) -> Item | None:
        """The next item; None when there is none now (an answer may still bring a follow-up)."""
        if self._position < len(self.lease.samples):
            sample = self.lease.samples[self._position]
            self._position += 1
            earlier = self.begun.get(sample.id, ())
            return Item(sample, len(earlier), earlier)
        return self._follow_ups.popleft() if self._follow_ups else None
