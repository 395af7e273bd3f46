"""Columns over all drawn pictures at once: Fréchet distance, KID, CMMD, precision, recall and the like."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from evalsuite.content import Image
from evalsuite.errors import SampleError, SpecError
from evalsuite.features import FeatureNetwork
from evalsuite.features.inception import InceptionNetwork
from evalsuite.metrics.feature_sets import (
    MeanAndDeviation,
    PrecisionRecall,
    cmmd,
    kernel_distance,
    precision_recall,
)
from evalsuite.metrics.frechet import Gaussian, frechet_infinity
from evalsuite.metrics.inception_score import inception_score
from evalsuite.task import Metric, Statistic

from ..frechet import frechet_statistic
from .distance import reference_features, reference_record, reference_statistics
from .settings import ColumnSettings

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image as PilImage

FEWEST = 4
"""Pictures; below, nothing is said about a distribution."""


class Logits:
    """The class scores of an Inception network in place of its features."""

    dim = 1008

    def __init__(self, network: FeatureNetwork) -> None:
        if not isinstance(network, InceptionNetwork):
            raise SpecError(
                f"The Inception Score needs class scores, {network.name} has none.",
                "Name a network of kind inception.",
            )
        self._network = network

    def images(self, images: Sequence[PilImage]) -> np.ndarray:
        return self._network.logits(images)


@dataclass
class Distributions:
    """Statistics of these columns, each part of the reference made when it is first needed.

    Args:
        reference: statistics file or pictures that distances are measured to.
        network: gives a network by its key.
        record: filled with what scores have on record beside the numbers (JSON-able).
    """

    reference: Path | Sequence[Image]
    network: Callable[[str], FeatureNetwork]
    record: dict[str, Any] = field(default_factory=dict)
    _statistics: dict[str, Gaussian] = field(default_factory=dict)
    _features: dict[str, np.ndarray] = field(default_factory=dict)
    _coverage: dict[tuple[str, str], PrecisionRecall] = field(default_factory=dict)

    def statistic(
        self, metric: Metric, how: ColumnSettings, rows: Sequence[int], drawn: np.ndarray
    ) -> Statistic:
        """The column's statistic over the pictures of `rows`.

        Args:
            drawn: (n, d) features of those pictures, or their class scores for the Inception Score.

        Raises SampleError where it cannot be computed of these pictures, with the reason.
        """
        if len(rows) < FEWEST:
            raise SampleError(f"{len(rows)} pictures are too few for a distance between distributions")
        if how.measure == "frechet":
            reference, means = self._gaussian(how.network), self.network(how.network).means
            return frechet_statistic(metric, rows, lambda at: drawn[at], drawn.shape, reference, means)
        value = _MEASURES[how.measure](self, metric, how, drawn)
        return Statistic(metric, rows, lambda _: value, "none")

    def _gaussian(self, key: str) -> Gaussian:
        if key not in self._statistics:
            found = reference_statistics(self.reference, self.network(key))
            self._statistics[key] = found
            self.record.setdefault("reference", {})[key] = reference_record(self.reference, found)
        return self._statistics[key]

    def _set(self, key: str) -> np.ndarray:
        if isinstance(self.reference, Path):
            raise SampleError("it needs the reference pictures, a file of mean and covariance is not enough")
        if key not in self._features:
            self._features[key] = reference_features(self.reference, self.network(key))
        return self._features[key]

    def _infinity(self, metric: Metric, how: ColumnSettings, drawn: np.ndarray) -> float:
        means = self.network(how.network).means
        return frechet_infinity(drawn, self._gaussian(how.network), means=means)

    def _kid(self, metric: Metric, how: ColumnSettings, drawn: np.ndarray) -> float:
        found = kernel_distance(drawn, self._set(how.network), rule=how.formula)
        return self._spread(metric, found, rule=how.formula, subsets=100, subset_size=1000)

    def _cmmd(self, metric: Metric, how: ColumnSettings, drawn: np.ndarray) -> float:
        return cmmd(_unit(drawn), _unit(self._set(how.network)))

    def _covered(self, metric: Metric, how: ColumnSettings, drawn: np.ndarray) -> float:
        key = (how.network, how.images)
        if key not in self._coverage:
            self._coverage[key] = precision_recall(drawn, self._set(how.network))
        found = self._coverage[key]
        return found.precision if how.measure == "precision" else found.recall

    def _clearness(self, metric: Metric, how: ColumnSettings, drawn: np.ndarray) -> float:
        return self._spread(metric, inception_score(drawn), splits=10)

    def _spread(self, metric: Metric, found: MeanAndDeviation, **settings: Any) -> float:
        self.record[metric.name] = {"deviation": found.deviation, **settings}
        return found.mean


_Measure = Callable[[Distributions, Metric, ColumnSettings, "np.ndarray"], float]
_MEASURES: Mapping[str, _Measure] = MappingProxyType(
    {
        "frechet-infinity": Distributions._infinity,
        "kid": Distributions._kid,
        "cmmd": Distributions._cmmd,
        "precision": Distributions._covered,
        "recall": Distributions._covered,
        "inception-score": Distributions._clearness,
    }
)
NAMES = frozenset({"frechet", *_MEASURES})
"""Measures that are over all pictures at once."""


def _unit(features: np.ndarray) -> np.ndarray:
    import numpy as np

    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    return features / np.maximum(lengths, np.finfo(np.float32).tiny)
