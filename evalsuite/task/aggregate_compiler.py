"""From declared aggregations to values over the rows of a task, with what they lack."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from evalsuite.errors import SpecError, suggest
from evalsuite.task.aggregate_values import Column, Node, Over, Parts, Rounded, Where
from evalsuite.task.aggregates import SAMPLE, Aggregate, MetricSpec, Population
from evalsuite.task.types import SampleScore

if TYPE_CHECKING:
    from evalsuite.task.aggregate_values import Floats

_NAMED = 3
"""Maximum number of missing labels or samples named in a note."""


class Uncomputable(Exception):
    """Why a metric has no value here."""


class Rows:
    """Rows as columns."""

    def __init__(self, rows: Sequence[SampleScore], population: Population | None, total: int | None) -> None:
        import numpy as np

        self.rows = rows
        self.scored: Any = np.array([not row.failure for row in rows], dtype=bool)
        self._population = population
        self._total = total
        self._known: list[Mapping[str, str]] | None = None
        self._labels: dict[str, list[str | None]] = {}

    def names(self) -> list[str]:
        return list(dict.fromkeys(name for row in self.rows if not row.failure for name in row.values))

    def column(self, name: str) -> Floats:
        """The scores of a column, NaN where a row has none or has failed. Raises SpecError if none has it."""
        import numpy as np

        if (known := self.names()) and name not in known:
            raise SpecError(f"No sample has the score {name!r}.", suggest(name, known))
        return np.array(
            [math.nan if row.failure else row.values.get(name, math.nan) for row in self.rows],
            dtype=np.float64,
        )

    def dropped(self, name: str) -> Any:
        """Rows whose unread answer has no score in that column, shape (rows,) of bool."""
        import numpy as np

        found = [row.unread and not row.failure and name not in row.values for row in self.rows]
        return np.array(found, dtype=bool)

    def label(self, name: str) -> list[str | None]:
        """A label by row. Raises SpecError where no row has it."""
        if name not in self._labels:
            found = [row.id if name == SAMPLE else row.labels.get(name) for row in self.rows]
            if self.rows and all(value is None for value in found):
                known = {label for row in self.rows for label in row.labels}
                raise SpecError(
                    f"The metrics aggregate over the label {name!r}, which no sample has.",
                    suggest(name, known) if known else "The samples have no labels.",
                )
            self._labels[name] = found
        return self._labels[name]

    def everybody(self) -> list[Mapping[str, str]]:
        """The labels of every sample of the data, asked or not."""
        if self._known is None:
            complete = self._total is not None and len(self.rows) >= self._total
            if self._population is None or complete:
                self._known = [{**row.labels, SAMPLE: row.id} for row in self.rows]
            else:
                self._known = [{**labels, SAMPLE: name} for name, labels in self._population()]
        return self._known


def _matches(labels: Mapping[str, str], spec: Aggregate) -> bool:
    if any(labels.get(name) not in wanted for name, wanted in spec.where.items()):
        return False
    return not spec.where_not or any(
        labels.get(name) not in wanted for name, wanted in spec.where_not.items()
    )


class Compiler:
    """From declarations to nodes; groups that are met on the way are kept for the clusters."""

    def __init__(self, specs: Mapping[str, MetricSpec], rows: Rows) -> None:
        self.specs, self.rows = specs, rows
        self.groups: list[list[list[int]]] = []
        self._made: dict[str, Node] = {}
        self._open: list[str] = []

    def metric(self, spec: MetricSpec) -> Node:
        if spec.name not in self._made:
            self._open.append(spec.name)
            try:
                self._made[spec.name] = self._node(spec, spec.name)
            finally:
                self._open.pop()
        return self._made[spec.name]

    def _operand(self, one: str | Aggregate) -> Node:
        if isinstance(one, Aggregate):
            return self._node(one, "")
        if one in self.specs and one not in self._open:
            return self.metric(self.specs[one])
        return Column(self.rows.column(one), own=True)

    def _node(self, spec: Aggregate, name: str) -> Node:
        node = self._exact(spec, name)
        return node if spec.round is None else Rounded(node, spec.round)

    def _exact(self, spec: Aggregate, name: str) -> Node:
        mask = self._mask(spec)
        if spec.all_of:
            return self._all(spec, mask)
        parts = [self._operand(one) for one in spec.of or (name,)]
        part = parts[0] if len(parts) == 1 else Parts(parts, added=bool(spec.sum_over))
        if spec.over:
            return self._over(spec, part, mask)
        if mask is None:
            return part
        if isinstance(part, Column):
            import numpy as np

            return Column(np.where(mask, part.values, math.nan), part.notes)
        return Where(part, mask)

    def _mask(self, spec: Aggregate) -> Any:
        import numpy as np

        if not spec.where and not spec.where_not:
            return None
        for label in (*spec.where, *spec.where_not):
            self.rows.label(label)
        return np.array(
            [_matches({**row.labels, SAMPLE: row.id}, spec) for row in self.rows.rows], dtype=bool
        )

    def _over(self, spec: Aggregate, part: Node, mask: Any) -> Node:
        import numpy as np

        values = self.rows.label(spec.over)
        usable = part.needs if mask is None else part.needs & mask
        self._complete(spec.over, values, usable)
        known = list(dict.fromkeys(str(values[i]) for i in np.flatnonzero(usable)))
        number = {value: code for code, value in enumerate(known)}
        codes = np.array(
            [number[str(v)] if ok else -1 for v, ok in zip(values, usable, strict=True)], dtype=np.int64
        )
        wanted = dict.fromkeys(spec.where.get(spec.over, ()))
        wanted |= {
            labels[spec.over]: None
            for labels in self.rows.everybody()
            if spec.over in labels and _matches(labels, spec)
        }
        absent = [value for value in wanted if value not in number]
        notes = [f"no scored sample with {spec.over} {_few(absent)}"] if absent and known else []
        node = Over(part, codes, len(known), bool(spec.sum_over), notes)
        return node if mask is None else Where(node, mask)

    def _all(self, spec: Aggregate, mask: Any) -> Column:
        import numpy as np

        part = self._operand(spec.all_of)
        if not isinstance(part, Column):
            raise SpecError(f"all_of needs scores of samples; {spec.all_of!r} is a number over many.")
        # An answer that the benchmark's scorer drops is in no mean, but its group is not all right.
        members_of = part.needs | self.rows.dropped(spec.all_of) if part.own else part.needs
        usable = members_of if mask is None else members_of & mask
        columns = {label: self.rows.label(label) for label in spec.by}
        for label, values in columns.items():
            self._complete(label, values, usable)
        groups: dict[tuple[str, ...], list[int]] = {}
        for i in np.flatnonzero(usable):
            groups.setdefault(tuple(str(values[i]) for values in columns.values()), []).append(int(i))
        whole = self._sizes(spec)
        found = np.full(len(self.rows.rows), math.nan)
        lacking: list[str] = []
        for key, members in groups.items():
            expected = spec.size or whole.get(key, len(members))
            if len(members) > expected:
                raise Uncomputable(
                    f"the group {_key(spec.by, key)} has {len(members)} samples instead of {expected}"
                )
            if len(members) < expected:
                lacking.append(_key(spec.by, key))
                continue
            found[members[0]] = float(all(part.values[i] == 1 for i in members))
        self.groups.append(list(groups.values()))
        if groups and len(lacking) == len(groups):
            raise Uncomputable(f"none of its {len(groups):,} groups is complete")
        notes = (
            [f"{len(lacking):,} of {len(groups):,} groups lack members and are left out ({_few(lacking)})"]
            if lacking
            else []
        )
        unseen = len(whole.keys() - groups.keys())
        if unseen:
            notes.append(f"{unseen:,} of {len(whole):,} groups have no scored sample")
        return Column(found, notes)

    def _sizes(self, spec: Aggregate) -> Counter[tuple[str, ...]]:
        """Members of each group in the whole data."""
        return Counter(
            tuple(labels[label] for label in spec.by)
            for labels in self.rows.everybody()
            if all(label in labels for label in spec.by) and _matches(labels, spec)
        )

    def _complete(self, label: str, values: Sequence[str | None], usable: Any) -> None:
        """Raises Uncomputable where a row that is needed lacks the label."""
        lacking = [self.rows.rows[i].id for i, ok in enumerate(usable) if ok and values[i] is None]
        if lacking:
            raise Uncomputable(f"{len(lacking):,} samples have no label {label!r} ({_few(lacking)})")


def _key(by: Sequence[str], key: Sequence[str]) -> str:
    return ", ".join(f"{label}={value}" for label, value in zip(by, key, strict=True))


def _few(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
