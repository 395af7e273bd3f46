"""Leases: L consecutive missing samples of one task, which one worker asks about.

Leases are cut by position alone, never by load or number of workers, so that any number of workers asks in
the same batches. Who holds which is the `Ledger`'s matter (`evalsuite.engine.ledger`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from evalsuite.pickling import quick_state
from evalsuite.task import Sample


@quick_state
@dataclass(frozen=True, slots=True)
class Lease:
    """Samples that one worker asks about.

    Args:
        task: key of the task in the run.
        number: counts the leases of a task in order of position.
        samples: in the task's order, at least one.
        alone: they are asked one at a time, each recorded before the next is asked.
        avoid: nodes where a worker died over these samples; others are preferred.
        ticket: counts what was handed out; a lease that goes back is handed out under another ticket.
    """

    task: str
    number: int
    samples: tuple[Sample, ...]
    alone: bool = False
    avoid: frozenset[str] = frozenset()
    ticket: int = -1


@dataclass(frozen=True, slots=True)
class Poisoned:
    """A sample over which workers died when it was asked alone; to be recorded as failed."""

    task: str
    sample: Sample
    deaths: int
    nodes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Death:
    """What follows from a worker's death.

    Args:
        requeued: leases that go back, in the order in which they will be handed out.
        poisoned: the sample that is to blame, when it was asked alone often enough.
        sick_node: the node that gets no more work, when it is to blame.
    """

    requeued: tuple[Lease, ...] = ()
    poisoned: Poisoned | None = None
    sick_node: str = ""


def cut(
    task: str,
    samples: Iterable[Sample],
    size: int,
    first: int = 0,
    *,
    weigh: Callable[[Sample], int] | None = None,
    most: int = 0,
) -> Iterator[Lease]:
    """Leases of `size` consecutive samples, the last one shorter, numbered from `first`; lazy.

    Args:
        weigh: bytes that a sample holds; a lease ends early with the sample that makes it weigh `most`. Large
            images that travel as bytes would else fill the memory of driver and workers.

    >>> [len(lease.samples) for lease in cut("t", [Sample(str(i), None) for i in range(5)], 2)]
    [2, 2, 1]
    """
    if size < 1:
        raise ValueError(f"a lease has at least one sample, not {size}")
    number, held, weight = first, list[Sample](), 0
    for sample in samples:
        held.append(sample)
        weight += 0 if weigh is None else weigh(sample)
        if len(held) == size or (weigh is not None and weight >= most):
            yield Lease(task, number, tuple(held))
            number, held, weight = number + 1, [], 0
    if held:
        yield Lease(task, number, tuple(held))
