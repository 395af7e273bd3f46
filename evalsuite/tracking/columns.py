"""Scores of samples by run, task and metric, and those of the samples that several runs share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from evalsuite.comparison.sides import Measurement
from evalsuite.stats import Clusters
from evalsuite.stats.resampling import Floats
from evalsuite.store.results import score_columns


@dataclass(frozen=True, slots=True)
class Scored:
    """The samples of one run that have a score, in the order of its table.

    Args:
        ids: shape (n,), strings, each once.
        values: shape (n,).
    """

    ids: Any
    values: Floats

    def __len__(self) -> int:
        return len(self.values)


def on_shared(found: Sequence[Scored]) -> tuple[list[str], list[Floats]]:
    """The samples that all have, sorted, and each one's scores of them in that order."""
    first = found[0].ids
    if all(
        one.ids is first or np.array_equal(one.ids, first) for one in found[1:]
    ):  # checkpoints asked the same: no look-ups
        order = sorted(range(len(first)), key=first.__getitem__)
        return [first[i] for i in order], [one.values[order] for one in found]
    places = [{name: i for i, name in enumerate(one.ids)} for one in found]
    shared = sorted(set.intersection(*(set(one) for one in places)))
    return shared, [one.values[[at[name] for name in shared]] for one, at in zip(found, places, strict=True)]


class Columns:
    """Scores of samples by run, task and metric, each file read once."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, str, str, str], Any] = {}
        self._names: dict[str, tuple[Any, Any]] = {}

    def of(self, one: Measurement, metric: str, group: str) -> Scored | None:
        """The scores; None where the number is not the mean of a column."""
        table = self._table(one, metric, group.partition("=")[0])
        if table is None:
            return None
        ids, values, labels, _ = table
        keep = np.isfinite(values)
        if group:
            wanted = group.partition("=")[2]
            keep &= np.array([label == wanted for label in labels], dtype=bool)
        estimates = one.result.estimates
        stored = next((e for e in estimates if e.metric.name == metric and e.group == group), None)
        if stored is None or int(keep.sum()) != stored.n or not stored.n:
            return None
        if not math.isclose(float(values[keep].mean()), stored.value, rel_tol=1e-9, abs_tol=1e-12):
            return None
        return Scored(ids, values) if keep.all() else Scored(ids[keep], values[keep])

    def clusters(self, one: Measurement, metric: str, group: str, samples: Sequence[str]) -> Clusters:
        """The clusters of these samples, by the table of a run whose scores were asked for before."""
        table = self._table(one, metric, group.partition("=")[0])
        assert table is not None
        of = dict(zip(table[0], table[3], strict=True))
        return Clusters.of([of.get(name, "") for name in samples])

    def _table(self, one: Measurement, metric: str, label: str) -> Any:
        key = (id(one), one.key, metric, label)
        if key not in self._known:
            result = one.result
            found = score_columns(one.run.path, one.key, result.rules, result.judge, metric, label)
            self._known[key] = found and self._shared(one.key, found)
        return self._known[key]

    def _shared(self, task: str, found: tuple[Any, Any, Any, Any]) -> tuple[Any, Any, Any, Any]:
        """The table with the ids and clusters of the one before where they are equal: hundreds of checkpoints
        are asked the same samples, whose names are held once."""
        ids, values, labels, clusters = found
        before = self._names.setdefault(task, (ids, clusters))
        if before[0] is not ids and np.array_equal(before[0], ids) and np.array_equal(before[1], clusters):
            ids, clusters = before
        return ids, values, labels, clusters
