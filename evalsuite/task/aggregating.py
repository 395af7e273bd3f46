"""Computes the declared aggregations of a task's rows: values, intervals' clusters, and what they lack."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from evalsuite.task.aggregate_compiler import Compiler, Rows, Uncomputable
from evalsuite.task.aggregate_values import Column, Node
from evalsuite.task.aggregates import MetricSpec, Population
from evalsuite.task.resampled_values import Draws, over_resamples
from evalsuite.task.types import Breakdown, SampleScore, Statistic, mean_statistics

if TYPE_CHECKING:
    from evalsuite.task.aggregate_values import Floats


@dataclass(frozen=True, slots=True)
class Aggregated:
    """What the declared metrics come to.

    Args:
        rows: with the columns that aggregations add, and in the clusters that their groups form.
        statistics: in the order of the metrics.
        missing: metrics that cannot be computed, each with the reason.
        notes: what a number lacks: groups without all of their members, label values without a sample.
    """

    rows: list[SampleScore]
    statistics: list[Statistic]
    missing: dict[str, str] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)


def aggregate(
    metrics: Iterable[MetricSpec],
    rows: Sequence[SampleScore],
    *,
    by: Sequence[Breakdown] = (),
    population: Population | None = None,
    total: int | None = None,
) -> Aggregated:
    """The metrics over a task's rows.

    A mean over samples is a column of the rows, and is broken down by the labels `by`. A group of `all_of`
    has its value in the row of its first member; one that lacks members (failed, not asked) counts neither as
    right nor as wrong, and is noted. Groups are never torn apart by resampling: rows that share a group share
    a cluster.

    Args:
        rows: in any order; failed ones count nowhere.
        by: labels of breakdowns. A metric of groups is broken down by those that are constant within groups.
        population: every sample of the data, from which complete groups and label values are known. It is
            asked only where an aggregation needs it and rows are fewer than `total`.
        total: samples in the complete data.

    Raises:
        SpecError: a column or label that no row has.
    """
    specs = list(metrics)
    if all(spec.plain for spec in specs):
        found = [one for spec in specs for one in mean_statistics(spec.metric(), rows, by=by)]
        return Aggregated(list(rows), found)
    return _Aggregation(specs, rows, by, population, total).result()


def values_within(metrics: Iterable[MetricSpec], rows: Sequence[SampleScore]) -> dict[str, float]:
    """The values of metrics over the parts of one sample (its rotations, its turns).

    A metric without a value there is left out.
    """
    specs = list(metrics)
    context = Rows(rows, None, None)
    compiler = Compiler({spec.name: spec for spec in specs}, context)
    import numpy as np

    everything = np.arange(len(rows))
    found = {spec.name: compiler.metric(spec).value(everything) for spec in specs}
    return {name: value for name, value in found.items() if math.isfinite(value)}


class _Aggregation:
    """One call of `aggregate`."""

    def __init__(
        self,
        specs: Sequence[MetricSpec],
        rows: Sequence[SampleScore],
        by: Sequence[Breakdown],
        population: Population | None,
        total: int | None,
    ) -> None:
        self.specs, self.by = specs, by
        self.rows = list(rows)
        self.context = Rows(rows, population, total)
        self.compiler = Compiler({spec.name: spec for spec in specs}, self.context)
        self.found = Aggregated(self.rows, [])

    def result(self) -> Aggregated:
        nodes: dict[str, Node] = {}
        for spec in self.specs:
            if spec.plain:
                continue
            try:
                nodes[spec.name] = self.compiler.metric(spec)
            except Uncomputable as reason:
                self.found.missing[spec.name] = str(reason)
        for spec in self.specs:
            node = nodes.get(spec.name)
            if isinstance(node, Column):
                self._fill(spec.name, node.values)
        clusters = joined([row.cluster for row in self.rows], self.compiler.groups)
        self.rows[:] = [
            row if row.cluster == cluster else replace(row, cluster=cluster)
            for row, cluster in zip(self.rows, clusters, strict=True)
        ]
        for spec in self.specs:
            if spec.plain:
                self.found.statistics.extend(mean_statistics(spec.metric(), self.rows, by=self.by))
            elif spec.name in nodes:
                self._statistics(spec, nodes[spec.name])
        return self.found

    def _fill(self, name: str, values: Floats) -> None:
        """Writes a column into the rows; rows without a value lose one of that name."""
        for i, row in enumerate(self.rows):
            if row.failure:
                continue
            kept = {key: value for key, value in row.values.items() if key != name}
            if not math.isnan(values[i]):
                kept[name] = float(values[i])
            if kept != row.values:
                self.rows[i] = replace(row, values=kept)

    def _statistics(self, spec: MetricSpec, node: Node) -> None:
        import numpy as np

        if notes := list(dict.fromkeys(node.notes)):
            self.found.notes[spec.name] = "; ".join(notes)
        if isinstance(node, Column):
            by = self.by if not spec.all_of else [name for name in self.by if self._constant(name)]
            self.found.statistics.extend(mean_statistics(spec.metric(), self.rows, by=by))
            return
        places = np.flatnonzero(node.needs)
        if not len(places):
            self.found.statistics.append(Statistic(spec.metric(), ()))
            return
        if not math.isfinite(node.value(places)):
            self.found.missing[spec.name] = "a part of it has no complete group or no scored sample"
            return

        def value(chosen: Any) -> float:
            return node.value(places[chosen])

        def resampled(clusters: Any, counts: Any) -> Any:
            whole = np.zeros(len(self.rows), dtype=np.int64)
            whole[places] = clusters
            return over_resamples(node, places, Draws(whole, counts))

        self.found.statistics.append(Statistic(spec.metric(), places.tolist(), value, resampled=resampled))

    def _constant(self, label: Breakdown) -> bool:
        """Whether all members of every group have the same value of a label."""
        name = label if isinstance(label, str) else label.of
        values = [row.labels.get(name) for row in self.rows]
        return all(
            len({values[i] for i in members}) == 1 for groups in self.compiler.groups for members in groups
        )


def joined(clusters: Sequence[str], groups: Iterable[Iterable[Sequence[int]]]) -> list[str]:
    """Clusters in which no group is torn apart: those that a group connects become one.

    Args:
        clusters: of each row; empty: the row stands alone.
        groups: kinds of groups, each a partition of rows by position.

    A cluster that no group changes keeps its name; a new one is called after its first row's old cluster, or
    its first row's position.

    >>> joined(["", "", "a", "b"], [[[0, 1], [2, 3]]])
    ['rows from 0', 'rows from 0', 'a', 'a']
    """
    leader = list(range(len(clusters)))

    def find(i: int) -> int:
        while leader[i] != i:
            leader[i] = leader[leader[i]]
            i = leader[i]
        return i

    def unite(i: int, j: int) -> None:
        i, j = sorted((find(i), find(j)))
        leader[j] = i

    first: dict[str, int] = {}
    for i, cluster in enumerate(clusters):
        if cluster:
            unite(first.setdefault(cluster, i), i)
    for kind in groups:
        for members in kind:
            for other in members[1:]:
                unite(members[0], other)
    roots = [find(i) for i in range(len(clusters))]
    sizes = Counter(roots)
    return [
        cluster if sizes[root] == 1 else clusters[root] or f"rows from {root}"
        for cluster, root in zip(clusters, roots, strict=True)
    ]
