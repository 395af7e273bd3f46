"""The values that declared aggregations are built of: each is a number over any rows, for resampling."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    Floats = np.ndarray[Any, np.dtype[np.float64]]
    Ints = np.ndarray[Any, np.dtype[np.int64]]


_EXACT = 2.0**31
"""Below it, sums of as many whole numbers as memory holds are exact."""


class Node:
    """A value of sets of rows.

    Args:
        needs: rows that it is computed over, shape (rows,) of bool.
    """

    needs: Any
    notes: list[str]

    def value(self, chosen: Ints) -> float:
        """Over these rows (repeats allowed); NaN where it is undefined."""
        raise NotImplementedError


class Column(Node):
    """The mean of a column over the rows that have it; `own`: as the rows bring it."""

    def __init__(self, values: Floats, notes: Sequence[str] = (), *, own: bool = False) -> None:
        import numpy as np

        self.own = own
        self.values = values
        self.needs = ~np.isnan(values)
        self.notes = list(notes)

    @cached_property
    def whole(self) -> bool:
        """Whether all values are whole numbers: sums of such are exact in whatever order they are added."""
        import numpy as np

        values = self.values[self.needs]
        return bool(np.all(values == np.rint(values)) and np.all(np.abs(values) < _EXACT))

    def value(self, chosen: Ints) -> float:
        import numpy as np

        values = self.values[chosen]
        values = values[~np.isnan(values)]
        return float(values.sum() / len(values)) if len(values) else math.nan


class Parts(Node):
    """The sum or mean of several values over the same rows."""

    def __init__(self, parts: Sequence[Node], added: bool) -> None:
        import numpy as np

        self.parts, self.added = parts, added
        self.needs = np.logical_or.reduce([part.needs for part in parts])
        self.notes = [note for part in parts for note in part.notes]

    def value(self, chosen: Ints) -> float:
        values = [part.value(chosen) for part in self.parts]
        return sum(values) if self.added else sum(values) / len(values)


class Over(Node):
    """The sum or mean over the values of a label.

    A sum is undefined where a value of the label has no row; a mean is over those that have.
    """

    def __init__(self, part: Node, codes: Ints, count: int, added: bool, notes: Sequence[str]) -> None:
        self.part, self.codes, self.count, self.added = part, codes, count, added
        self.needs = part.needs & (codes >= 0)
        self.notes = [*part.notes, *notes]

    def value(self, chosen: Ints) -> float:
        import numpy as np

        codes = self.codes[chosen]
        part, digits = (
            (self.part.part, self.part.digits) if isinstance(self.part, Rounded) else (self.part, None)
        )
        if isinstance(part, Column) and part.whole:
            return self._of_means(part, codes, chosen, digits)
        order = np.argsort(codes, kind="stable")
        starts = np.searchsorted(codes[order], np.arange(self.count + 1))
        pieces = [(order[a:b]) for a, b in itertools.pairwise(starts) if b > a]
        if not pieces or (self.added and len(pieces) < self.count):
            return math.nan
        # In the order in which the label's values occur, so that sums round as a plain loop's do.
        pieces.sort(key=lambda piece: int(piece[0]))
        return self._joined([self.part.value(chosen[piece]) for piece in pieces])

    def _joined(self, values: Sequence[float]) -> float:
        return sum(values) if self.added else sum(values) / len(values)

    def _of_means(self, part: Column, codes: Ints, chosen: Ints, digits: int | None) -> float:
        """`value` of means of whole numbers, without going through the label's values one by one."""
        import numpy as np

        inside = codes >= 0
        if not inside.all():
            codes, chosen = codes[inside], chosen[inside]
        first = np.full(self.count, len(codes))
        first[codes[::-1]] = np.arange(len(codes))[::-1]
        seen = np.flatnonzero(first < len(codes))
        if not len(seen) or (self.added and len(seen) < self.count):
            return math.nan
        values = part.values[chosen]
        known = ~np.isnan(values)
        if not known.all():
            codes, values = codes[known], values[known]
        sums = np.bincount(codes, values, self.count)
        counts = np.bincount(codes, minlength=self.count)
        if not counts[seen].all():
            return math.nan
        means = (sums[seen] / counts[seen])[np.argsort(first[seen], kind="stable")].tolist()
        return self._joined(means if digits is None else [round(mean, digits) for mean in means])


class Where(Node):
    """A value over the rows that match."""

    def __init__(self, part: Node, mask: Any) -> None:
        self.part, self.mask = part, mask
        self.needs = part.needs & mask
        self.notes = part.notes

    def value(self, chosen: Ints) -> float:
        return self.part.value(chosen[self.mask[chosen]])


class Rounded(Node):
    """A value rounded to some digits."""

    def __init__(self, part: Node, digits: int) -> None:
        self.part, self.digits = part, digits
        self.needs, self.notes = part.needs, part.notes

    def value(self, chosen: Ints) -> float:
        return round(self.part.value(chosen), self.digits)
