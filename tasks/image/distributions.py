"""Columns over all generated images at once: Fréchet distance, KID, CMMD, precision, recall and the like."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from evalsuite.content import Image
from evalsuite.errors import SampleError
from evalsuite.task import Metric, Statistic, frechet_statistic
from evalsuite.task.features import FeatureNetwork
from evalsuite.task.metrics import (
    Coverage,
    Gaussian,
    cmmd,
    cmmd_influence,
    coverage,
    frechet_infinity,
    frechet_influence,
    inception_score,
    kernel_distance,
    kernel_influence,
)

from .distance import reference_features, reference_record, reference_statistics
from .settings import ColumnSettings

if TYPE_CHECKING:
    import numpy as np

FEWEST = 4
"""Images; below, nothing is said about a distribution."""
_SCORE_RESAMPLES = 50
"""One Inception Score of 15,000 images takes a quarter of a second; 50 estimate its spread to 10 %."""


@dataclass
class Distributions:
    """Statistics of these columns, each part of the reference made when it is first needed.

    Args:
        reference: statistics file or images that distances are measured to.
        network: gives a network by its key.
        record: filled with what scores have on record beside the numbers (JSON-able). It says how was
            measured, never what: runs whose records differ are not compared.
    """

    reference: Path | Sequence[Image]
    network: Callable[[str], FeatureNetwork]
    record: dict[str, Any] = field(default_factory=dict)
    _statistics: dict[str, Gaussian] = field(default_factory=dict)
    _features: dict[str, np.ndarray] = field(default_factory=dict)
    _coverage: dict[tuple[str, str], Coverage] = field(default_factory=dict)

    def statistic(
        self, metric: Metric, how: ColumnSettings, rows: Sequence[int], drawn: np.ndarray
    ) -> Statistic:
        """The column's statistic over the images of `rows`.

        Args:
            drawn: (n, d) features of those images, or their class scores for the Inception Score.

        Raises SampleError where it cannot be computed of these images, with the reason.
        """
        if len(rows) < FEWEST:
            raise SampleError(f"{len(rows)} images are too few for a distance between distributions")
        if how.measure == "frechet":
            reference, means = self._gaussian(how.network), self.network(how.network).means
            return frechet_statistic(metric, rows, lambda at: drawn[at], drawn.shape, reference, means)
        return _MEASURES[how.measure](self, metric, how, rows, drawn)

    def _gaussian(self, key: str) -> Gaussian:
        if key not in self._statistics:
            found = reference_statistics(self.reference, self.network(key))
            self._statistics[key] = found
            self.record.setdefault("reference", {})[key] = reference_record(self.reference, found)
        return self._statistics[key]

    def _set(self, key: str) -> np.ndarray:
        if isinstance(self.reference, Path):
            raise SampleError("it needs the reference images, a file of mean and covariance is not enough")
        if key not in self._features:
            self._features[key] = reference_features(self.reference, self.network(key))
        return self._features[key]

    def _infinity(
        self, metric: Metric, how: ColumnSettings, rows: Sequence[int], drawn: np.ndarray
    ) -> Statistic:
        reference, means = self._gaussian(how.network), self.network(how.network).means
        found = frechet_infinity(drawn, reference, means=means)
        return self._moved(metric, rows, found.value, frechet_influence(drawn, reference), found.error)

    def _kid(self, metric: Metric, how: ColumnSettings, rows: Sequence[int], drawn: np.ndarray) -> Statistic:
        real, subsets, size = self._set(how.network), 100, 1000
        found = kernel_distance(drawn, real, rule=how.formula, subsets=subsets, subset_size=size)
        self.record[metric.name] = {"rule": how.formula, "subsets": subsets, "subset_size": size}
        error = found.deviation / subsets**0.5
        return self._moved(metric, rows, found.mean, kernel_influence(drawn, real), error)

    def _cmmd(self, metric: Metric, how: ColumnSettings, rows: Sequence[int], drawn: np.ndarray) -> Statistic:
        sides = _unit(drawn), _unit(self._set(how.network))
        return self._moved(metric, rows, cmmd(*sides), cmmd_influence(*sides))

    def _precision(
        self, metric: Metric, how: ColumnSettings, rows: Sequence[int], drawn: np.ndarray
    ) -> Statistic:
        return Statistic(metric, rows, self._covered(how, drawn).precision)

    def _recall(
        self, metric: Metric, how: ColumnSettings, rows: Sequence[int], drawn: np.ndarray
    ) -> Statistic:
        covered = self._covered(how, drawn)
        value = covered.recall(range(len(rows)))
        return self._moved(metric, rows, value, covered.recall_influence())

    def _clearness(
        self, metric: Metric, how: ColumnSettings, rows: Sequence[int], drawn: np.ndarray
    ) -> Statistic:
        splits = 10
        self.record[metric.name] = {"splits": splits}

        def score(chosen: Any) -> float:
            return inception_score(drawn[chosen], splits=splits).mean

        enough = len(rows) >= 2 * splits
        return Statistic(
            metric, rows, score, "subsample" if enough else "none", most_resamples=_SCORE_RESAMPLES
        )

    def _covered(self, how: ColumnSettings, drawn: np.ndarray) -> Coverage:
        key = (how.network, how.images)
        if key not in self._coverage:
            self._coverage[key] = coverage(drawn, self._set(how.network))
        return self._coverage[key]

    def _moved(
        self, metric: Metric, rows: Sequence[int], value: float, influence: np.ndarray, error: float = 0.0
    ) -> Statistic:
        """`value`, with its spread from how much each image moves it.

        Args:
            error: standard error that the value has from random subsets of its own; the spread that other
                images would give is stretched to hold both.
        """
        self.record.setdefault(metric.name, {})["interval"] = "influence of each image, to first order"
        spread = float(influence.std()) / len(influence) ** 0.5
        if spread == 0:
            return Statistic(metric, rows, lambda _: value, "none")
        moves = influence * (1 + (error / spread) ** 2) ** 0.5

        def moved(chosen: Any) -> float:
            return value + float(moves[chosen].mean())

        return Statistic(metric, rows, moved)


_Measure = Callable[[Distributions, Metric, ColumnSettings, Sequence[int], "np.ndarray"], Statistic]
_MEASURES: Mapping[str, _Measure] = MappingProxyType(
    {
        "frechet-infinity": Distributions._infinity,
        "kid": Distributions._kid,
        "cmmd": Distributions._cmmd,
        "precision": Distributions._precision,
        "recall": Distributions._recall,
        "inception-score": Distributions._clearness,
    }
)
NAMES = frozenset({"frechet", *_MEASURES})
"""Measures that are over all images at once."""


def _unit(features: np.ndarray) -> np.ndarray:
    import numpy as np

    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    unit: np.ndarray = features / np.maximum(lengths, np.finfo(np.float32).tiny)
    return unit
