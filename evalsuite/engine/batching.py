"""Batches of like cost, each from one task and one group."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass

from evalsuite.engine.prepare import Ready
from evalsuite.request import ScoreChoices


@dataclass(frozen=True, slots=True)
class Scope:
    """What the requests of a batch have in common; what fits into memory is remembered per scope.

    Args:
        task: key of the task.
        method: the adapter's device step.
        output: decoding parameters; None for choices, which differ by sample.
        group: the adapter's own.
    """

    task: str
    method: str
    output: Hashable
    group: Hashable


@dataclass(frozen=True, slots=True)
class Batch:
    """Requests that are answered together, dearest first."""

    scope: Scope
    items: tuple[Ready, ...]


def scope_of(task: str, ready: Ready) -> Scope:
    """The scope of a prepared request."""
    assert ready.prepared is not None
    output = ready.prepared.request.output
    shared = None if isinstance(output, ScoreChoices) else output
    return Scope(task, ready.method, shared, ready.prepared.group)


class Window:
    """Prepared requests of one task from which batches are cut.

    The composition of batches depends on the order of the requests alone, not on the timing of threads. What
    does not fill a batch waits for the next window, unless too much would wait.

    Args:
        task: key of the task.
        count: requests after which the window is full.
        size: bytes after which it is full.
        least: fewer requests than this never make it full, however large they are: a batch must fit in.
    """

    def __init__(self, task: str, count: int, size: int, least: int = 1) -> None:
        self._task = task
        self._count = count
        self._size = size
        self._least = least
        self._bytes = 0
        self._groups: dict[Scope, list[Ready]] = {}

    def __len__(self) -> int:
        return sum(len(items) for items in self._groups.values())

    @property
    def full(self) -> bool:
        return len(self) >= self._count or (self._bytes >= self._size and len(self) >= self._least)

    def add(self, ready: Ready) -> None:
        self._groups.setdefault(scope_of(self._task, ready), []).append(ready)
        self._bytes += ready.nbytes

    def cut(self, limit: Callable[[Scope], int], *, everything: bool) -> Iterator[Batch]:
        """Takes batches out, asking before each how large it may be.

        Args:
            limit: the largest batch of a scope, at least 1.
            everything: leave nothing behind.
        """
        for scope, items in list(self._groups.items()):
            items.sort(key=lambda ready: -ready.cost)  # stable: equal costs keep their order
            while len(items) >= limit(scope):
                yield self._take(scope, limit(scope))
        while self._groups and (everything or self._waiting_is_too_much()):
            scope = max(self._groups, key=lambda scope: len(self._groups[scope]))
            yield self._take(scope, limit(scope))

    def _waiting_is_too_much(self) -> bool:
        heavy = 2 * self._bytes > self._size and len(self) >= self._least
        return 2 * len(self) > self._count or heavy

    def _take(self, scope: Scope, count: int) -> Batch:
        items = self._groups[scope]
        taken, rest = items[:count], items[count:]
        if rest:
            items[:] = rest
        else:
            del self._groups[scope]
            items.clear()
        self._bytes -= sum(ready.nbytes for ready in taken)
        return Batch(scope, tuple(taken))
