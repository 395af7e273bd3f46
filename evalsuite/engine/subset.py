"""`--limit`: a random subset, the same for every model and independent of the order of the data."""

from __future__ import annotations

import heapq
from collections.abc import Iterable

from evalsuite.engine.seeds import rank


def choose(ids: Iterable[str], limit: int, seed: int, task: str) -> frozenset[str]:
    """The `limit` ids that come first in the seeded order; a larger limit keeps those of a smaller one.

    >>> few = choose(map(str, range(100)), 5, 0, "t")
    >>> len(few), few < choose(map(str, range(100)), 10, 0, "t")
    (5, True)
    """
    return frozenset(heapq.nsmallest(limit, ids, key=lambda name: rank(seed, task, name)))
