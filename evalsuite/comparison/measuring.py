"""Differences of one task's numbers between two sides, paired wherever the samples allow it."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from evalsuite.comparison.sides import Measurement
from evalsuite.errors import DataError, EvalsuiteError, SpecError
from evalsuite.registry import Registry
from evalsuite.running.resolving import built_task
from evalsuite.stats import (
    Clusters,
    Difference,
    Estimate,
    Spread,
    independent_functions,
    paired_functions,
    paired_means,
    repeated_mean,
    repeated_value,
    spread_of,
    stored_difference,
    unpaired_means,
    with_seeds,
)
from evalsuite.store.results import score_columns
from evalsuite.task import Metric, SampleScore, Statistic

if TYPE_CHECKING:
    import pandas

_log = logging.getLogger(__name__)

_PAIRED_SHARE = 0.5
"""Runs are compared on their shared samples where these are at least this share of the smaller run's."""


class TaskPair:
    """One task on both sides.

    Args:
        base, candidate: its runs on each side; several are repetitions with different seeds.
        same_data: samples of one id are the same sample.
        resamples, seed, level: of the statistics.
        recompute: whether numbers that are no means are computed again from the responses.
    """

    def __init__(
        self,
        base: Sequence[Measurement],
        candidate: Sequence[Measurement],
        *,
        same_data: bool,
        resamples: int,
        seed: int,
        level: float,
        registry: Registry | None = None,
        recompute: bool = True,
    ) -> None:
        self.base = _Half(base, registry)
        self.candidate = _Half(candidate, registry)
        self.same_data = same_data
        self._options: dict[str, Any] = {"seed": seed, "level": level}
        self._resamples = resamples
        self._recompute = recompute

    def metrics(self) -> list[tuple[Metric, str]]:
        """Metric and group of the numbers that both sides have, in the candidate's order."""
        known = self.base.numbers
        return [(e.metric, e.group) for key, e in self.candidate.numbers.items() if key in known]

    def difference(self, metric: str, group: str, null: float = 0.0) -> Difference:
        """Candidate minus base, in natural units; `p_null` tests against `null`."""
        if self.base.is_mean(metric, group) and self.candidate.is_mean(metric, group):
            a, b = self.base.means(metric, group), self.candidate.means(metric, group)
            return self._of_means(a, b, null, share=self._share(metric, group))
        if not self._recompute:
            return self._stored(metric, group, null, EvalsuiteError("not computed again"))
        try:
            return self._of_functions(metric, group, null)
        except EvalsuiteError as error:
            _log.warning("%s %s is compared by its stored intervals: %s", self.base.key, metric, error)
            return self._stored(metric, group, null, error)

    def spread(self, metric: str) -> tuple[Spread, int]:
        """How the per-sample difference spreads, and over how many shared samples.

        Of a metric that is no mean: the variance that a mean of as many samples would need to have the same
        interval. Raises SpecError where the sides share no sample.
        """
        from scipy.special import ndtri

        if not (self.base.is_mean(metric, "") and self.candidate.is_mean(metric, "")):
            found = self._of_functions(metric, "", 0.0)
            error = (found.high - found.low) / (2 * float(ndtri((1 + found.level) / 2)))
            return Spread(error**2 * found.n), found.n
        a, b = self.base.means(metric, ""), self.candidate.means(metric, "")
        shared = sorted(a.keys() & b.keys())
        if len(shared) < 2:
            raise SpecError(f"The runs share {len(shared)} samples of {self.base.key}.", "Name other runs.")
        scores = [[float(side[i].mean()) for i in shared] for side in (a, b)]
        clusters = Clusters.of([self.base.clusters.get(i, "") for i in shared])
        return spread_of(scores[0], scores[1], clusters, share=self._share(metric, "")), len(shared)

    def _share(self, metric: str, group: str) -> bool:
        """Whether the number is a share of something, so that scores of 0 and 1 are right and wrong."""
        sides = (self.base, self.candidate)
        return not any(side.numbers[metric, group].metric.exceeds_one for side in sides)

    def _paired(self, a: Sequence[str], b: Sequence[str]) -> list[str]:
        """The shared samples where the sides can be compared on them, else none."""
        if not self.same_data:
            return []
        shared = sorted(set(a) & set(b))
        return shared if shared and len(shared) >= _PAIRED_SHARE * min(len(a), len(b)) else []

    def _of_means(self, a: _Scores, b: _Scores, null: float, *, share: bool) -> Difference:
        options = {**self._options, "resamples": self._resamples, "null": null}
        shared = self._paired(list(a), list(b))
        ids = (shared, shared) if shared else (list(a), list(b))
        if not all(ids):
            raise DataError(
                f"{self.base.key}: the repeated runs of one side share no sample.", "Name a single run."
            )
        arrays = [np.array([half[i] for i in names]) for half, names in zip((a, b), ids, strict=True)]
        clusters = [
            Clusters.of([half.clusters.get(i, "") for i in names])
            for half, names in zip((self.base, self.candidate), ids, strict=True)
        ]
        means = [scores.mean(axis=1) for scores in arrays]
        if shared:
            found = paired_means(means[0], means[1], clusters[0], share=share, **options)
        else:
            found = unpaired_means((means[0], clusters[0]), (means[1], clusters[1]), **options)
        if max(scores.shape[1] for scores in arrays) == 1:
            return found
        sides = [repeated_mean(scores.T, c) for scores, c in zip(arrays, clusters, strict=True)]
        return with_seeds(found, sides[0], sides[1], null=null)

    def _of_functions(self, metric: str, group: str, null: float) -> Difference:
        a, b = (half.functions(metric, group) for half in (self.base, self.candidate))
        most = a[0].statistic.most_resamples or self._resamples
        options = {**self._options, "resampling": a[0].statistic.resampling, "null": null}
        names_a, names_b = (sorted(set.intersection(*(set(f.positions) for f in side))) for side in (a, b))
        shared = self._paired(names_a, names_b)
        clusters = [
            Clusters.of([half.clusters.get(i, "") for i in names])
            for half, names in (
                (self.base, shared or names_a),
                (self.candidate, shared or names_b),
            )
        ]
        functions = [
            _averaged([one.over(names) for one in side])
            for side, names in ((a, shared or names_a), (b, shared or names_b))
        ]
        if shared:
            options["resamples"] = min(self._resamples, 2000, most)
            found = paired_functions(functions[0], functions[1], clusters[0], **options)
        else:
            options["resamples"] = min(self._resamples, 1000, most)
            found = independent_functions((functions[0], clusters[0]), (functions[1], clusters[1]), **options)
        if max(len(a), len(b)) == 1:
            return found
        sides = [repeated_value(half.values(metric, group), [0.0]) for half in (self.base, self.candidate)]
        return with_seeds(found, sides[0], sides[1], null=null)

    def _stored(self, metric: str, group: str, null: float, reason: EvalsuiteError) -> Difference:
        a, b = (half.numbers[metric, group] for half in (self.base, self.candidate))
        found = stored_difference(
            (self.base.value(metric, group), a.low, a.high),
            (self.candidate.value(metric, group), b.low, b.high),
            min(a.n, b.n),
            level=a.level,
            null=null,
        )
        return replace(found, method=f"{found.method} ({reason.what.rstrip('.')})")


_Scores = dict[str, np.ndarray]
"""Sample -> its score in each run of a side."""
_Column = tuple[Any, Any]
"""Ids and scores, in the order of the table."""


class _Half:
    """One task on one side."""

    def __init__(self, measured: Sequence[Measurement], registry: Registry | None) -> None:
        self.measured = measured
        self.key = measured[0].key
        self._registry = registry
        self._computed: list[dict[tuple[str, str], _Function]] = []
        self._last: dict[int, tuple[Any, _Column | None]] = {}
        self._clusters: Mapping[str, str] = {}
        self._obstacle: EvalsuiteError | None = None

    @cached_property
    def numbers(self) -> dict[tuple[str, str], Estimate]:
        """The estimates of the first run."""
        return self._numbers[0]

    @cached_property
    def _numbers(self) -> list[dict[tuple[str, str], Estimate]]:
        return [{(e.metric.name, e.group): e for e in one.result.numbers()} for one in self.measured]

    def values(self, metric: str, group: str) -> list[float]:
        """The number in each run that has it."""
        return [found[metric, group].value for found in self._numbers if (metric, group) in found]

    def value(self, metric: str, group: str) -> float:
        values = self.values(metric, group)
        return sum(values) / len(values)

    @cached_property
    def _tables(self) -> list[pandas.DataFrame]:
        return [one.run.scores(one.key, one.result.rules, one.result.judge) for one in self.measured]

    @cached_property
    def clusters(self) -> Mapping[str, str]:
        if self._clusters:  # read beside a score
            return self._clusters
        table = self._tables[0]
        columns = [table[name].to_numpy(dtype=object) for name in ("id", "cluster")]  # faster to walk
        return dict(zip(*columns, strict=True))

    def _column(self, i: int, metric: str, group: str) -> _Column | None:
        """Ids and scores of one run's samples that have one; None where there is no such column or label.

        The last is kept: a number is asked for several times in a row."""
        key, found = self._last.get(i, ("", None))
        if key != (metric, group):
            found = self._filtered(i, metric, group)
            self._last[i] = (metric, group), found
        return found

    def _filtered(self, i: int, metric: str, group: str) -> _Column | None:
        one = self.measured[i]
        label, _, value = group.partition("=")
        read = score_columns(one.run.path, one.key, one.result.rules, one.result.judge, metric, label)
        if read is None:
            _ = self._tables[i]  # raises where the table itself is the reason
            return None
        ids, values, labels, clusters = read
        if i == 0 and not self._clusters:
            self._clusters = dict(zip(ids, clusters, strict=True))
        rows = ~np.isnan(values)
        if group:
            rows &= np.array([own == value for own in labels], dtype=bool)
        return ids[rows], values[rows]

    def is_mean(self, metric: str, group: str) -> bool:
        """Whether the number of every run is the mean of its column: no task is needed to repeat it."""
        for i, numbers in enumerate(self._numbers):
            column, estimate = self._column(i, metric, group), numbers.get((metric, group))
            if column is None or estimate is None or len(column[1]) != estimate.n or not estimate.n:
                return False
            if not math.isclose(float(column[1].mean()), estimate.value, rel_tol=1e-9, abs_tol=1e-12):
                return False
        return True

    def means(self, metric: str, group: str) -> _Scores:
        """The scores of the samples that all runs have scored."""
        columns = [self._column(i, metric, group) for i in range(len(self.measured))]
        dicts = [dict(zip(*column, strict=True)) for column in columns if column is not None]
        shared = [i for i in dicts[0] if all(i in other for other in dicts[1:])]
        return {str(i): np.array([float(scores[i]) for scores in dicts]) for i in shared}

    def functions(self, metric: str, group: str) -> list[_Function]:
        """What computes the number, for each run, from the stored responses and the benchmark's data.

        Raises EvalsuiteError where these are not here, or the task no longer gives the number.
        """
        if self._obstacle is not None:
            raise self._obstacle
        if not self._computed:
            try:
                self._computed = [self._compute(one) for one in self.measured]
            except EvalsuiteError as error:
                self._obstacle = error
                raise
        try:
            return [found[metric, group] for found in self._computed]
        except KeyError:
            raise EvalsuiteError(f"{self.key} does not give {metric} {group} again.") from None

    def _compute(self, one: Measurement) -> dict[tuple[str, str], _Function]:
        from evalsuite.judging.stored import verdicts
        from evalsuite.running.scoring import compute

        said = (verdicts(one.run, judge, one.key) for judge in one.run.judges(one.key))
        judged = next((found for found in said if found.name == one.result.judge), None)
        scores, _ = compute(one.run, one.key, built_task(one.run, one.key, self._registry), judged)
        return {(s.metric.name, s.group): _Function(s, scores.rows) for s in scores.statistics if s.rows}


class _Function:
    """A statistic of one run over any of its samples."""

    def __init__(self, statistic: Statistic, rows: Sequence[SampleScore]) -> None:
        self.statistic = statistic
        self.positions = {rows[at].id: i for i, at in enumerate(statistic.rows)}
        self._column = [rows[at].values.get(statistic.metric.name) for at in statistic.rows]

    def over(self, samples: Sequence[str]) -> Callable[[Any], float]:
        """The statistic as a function of positions within `samples`."""
        at = np.array([self.positions[name] for name in samples])
        function = self.statistic.function
        if function is not None:
            return lambda rows: float(function(at[rows]))
        column = np.array(self._column, dtype=np.float64)
        return lambda rows: float(column[at[rows]].mean())


def _averaged(functions: Sequence[Callable[[Any], float]]) -> Callable[[Any], float]:
    if len(functions) == 1:
        return functions[0]
    return lambda rows: sum(function(rows) for function in functions) / len(functions)
