"""The values of `aggregate_values` over many resamples at once, from how often each cluster was drawn.

A bootstrap sample of clusters is a row of counts. Every value that declared aggregations are built of
(means, sums and means over labels, rows that match) depends on the rows of a sample only through sums over
clusters, so a thousand samples are a few sparse matrix products instead of a thousand passes over all
rows.
"""

from __future__ import annotations

import math
from functools import singledispatch
from typing import TYPE_CHECKING, Any

from .aggregate_values import Column, Node, Over, Parts, Rounded, Where

if TYPE_CHECKING:
    import numpy as np

    Floats = np.ndarray[Any, np.dtype[np.float64]]
    Ints = np.ndarray[Any, np.dtype[np.int64]]


class Draws:
    """Resamples of clusters.

    Args:
        cluster: of every row that a value is computed over, by position, shape (rows,).
        counts: how often each cluster was drawn, shape (resamples, clusters).
    """

    def __init__(self, cluster: Ints, counts: Floats) -> None:
        self.cluster, self.counts = cluster, counts

    def sums(self, rows: Ints, keys: Ints, count: int, values: Floats | None = None) -> Floats:
        """Sums of `values` (default: 1 each) of the rows drawn with each key, shape (resamples, count).

        Args:
            rows: positions, shape (k,).
            keys: group of each of them, from 0 to count - 1, shape (k,).
        """
        import numpy as np
        from scipy.sparse import coo_array

        weights = np.ones(len(rows)) if values is None else values
        table = coo_array((weights, (keys, self.cluster[rows])), (count, self.counts.shape[1])).tocsr()
        found: Floats = np.asarray(table @ self.counts.T).T
        return found


def over_resamples(node: Node, rows: Ints, draws: Draws) -> Floats:
    """`node.value` of the rows of each resample, shape (resamples,); NaN where it is undefined.

    Equal to the value over the rows drawn, up to the order in which numbers are added.
    """
    import numpy as np

    return grouped(node, rows, np.zeros(len(rows), dtype=np.int64), 1, draws)[:, 0]


@singledispatch
def grouped(node: Node, rows: Ints, keys: Ints, count: int, draws: Draws) -> Floats:
    """The value over the rows of each key in each resample, shape (resamples, count); NaN where undefined."""
    raise NotImplementedError(type(node).__name__)


@grouped.register(Column)
def _(node: Column, rows: Ints, keys: Ints, count: int, draws: Draws) -> Floats:
    import numpy as np

    values = node.values[rows]
    known = ~np.isnan(values)
    if not known.all():
        rows, keys, values = rows[known], keys[known], values[known]
    return _divided(draws.sums(rows, keys, count, values), draws.sums(rows, keys, count))


@grouped.register(Parts)
def _(node: Parts, rows: Ints, keys: Ints, count: int, draws: Draws) -> Floats:
    values = [grouped(part, rows, keys, count, draws) for part in node.parts]
    total: Floats = sum(values[1:], start=values[0])
    return total if node.added else total / len(values)


@grouped.register(Over)
def _(node: Over, rows: Ints, keys: Ints, count: int, draws: Draws) -> Floats:
    import numpy as np

    codes = node.codes[rows]
    inside = codes >= 0
    rows, keys, codes = rows[inside], keys[inside], codes[inside]
    pairs, within = np.unique(keys * node.count + codes, return_inverse=True)
    drawn = draws.sums(rows, within, len(pairs)) > 0
    values = np.where(drawn, grouped(node.part, rows, within, len(pairs), draws), 0.0)
    first = np.searchsorted(pairs // node.count, np.arange(count + 1))  # pairs are sorted by key
    sums, seen = (_by_key(of, first) for of in (values, drawn.astype(np.float64)))
    if node.added:
        return np.where(seen < node.count, math.nan, sums)
    return _divided(sums, seen)


@grouped.register(Where)
def _(node: Where, rows: Ints, keys: Ints, count: int, draws: Draws) -> Floats:
    kept = node.mask[rows]
    return grouped(node.part, rows[kept], keys[kept], count, draws)


@grouped.register(Rounded)
def _(node: Rounded, rows: Ints, keys: Ints, count: int, draws: Draws) -> Floats:
    import numpy as np

    # Python's round, as in the value itself: NumPy's rounds x.xx5 differently.
    values = grouped(node.part, rows, keys, count, draws)
    found = [round(value, node.digits) for value in values.ravel().tolist()]
    return np.array(found, dtype=np.float64).reshape(values.shape)


def _by_key(values: Floats, first: Ints) -> Floats:
    """Sums over the pairs of each key, shape (resamples, keys); 0 where a key has none."""
    import numpy as np

    found = np.zeros((len(values), len(first) - 1))
    some = np.flatnonzero(first[1:] > first[:-1])
    if len(some):
        found[:, some] = np.add.reduceat(values, first[some], axis=1)
    return found


def _divided(sums: Floats, counts: Floats) -> Floats:
    import numpy as np

    with np.errstate(invalid="ignore", divide="ignore"):
        found: Floats = np.where(counts > 0, sums / counts, math.nan)
    return found
