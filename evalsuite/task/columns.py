"""Shared by benchmarks with declared columns: each metric has a column, of a formula that exists; the
usual definitions of text–image similarity."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Protocol, TypeVar

from evalsuite.errors import SpecError, suggest
from evalsuite.task.benchmark import Plan


@dataclass(frozen=True)
class Formula:
    """How a similarity is reported.

    Args:
        prefix: put before the text.
        value: of the cosine.
        scaled: the cosine is multiplied by the network's learned scale first.
    """

    prefix: str
    value: Callable[[Any], Any]
    scaled: bool = False

    def of(self, cosine: Any, network: object) -> Any:
        """The value of a cosine of the network's features.

        Raises SpecError where the network has learned no scale (`scale`) and the formula needs one.
        """
        if not self.scaled:
            return self.value(cosine)
        scale = getattr(network, "scale", None)
        if scale is None:
            raise SpecError(f"{type(network).__name__} has learned no scale.", "Name a network of kind clip.")
        return self.value(cosine * scale)


def _clipped(factor: float) -> Callable[[Any], Any]:
    def value(cosine: Any) -> Any:
        import numpy as np

        return factor * np.maximum(cosine, 0)

    return value


FORMULAS: Mapping[str, Formula] = MappingProxyType(
    {
        "cosine": Formula("", lambda cosine: cosine),
        # Hessel et al. 2021, github.com/jmhessel/clipscore: w = 2.5, captions begin with "A photo depicts".
        "clipscore": Formula("A photo depicts ", _clipped(2.5)),
        # torchmetrics' CLIPScore, the number that most text-to-image papers print. Its documentation cuts
        # each pair off at 0; what it computes (functional/multimodal/clip_score.py) cuts off the mean over
        # the set only, and no set of images with their texts comes near that.
        "torchmetrics": Formula("", lambda cosine: 100.0 * cosine),
        # The same called with one pair at a time, as PIE-Bench's program does: each pair is cut off.
        "torchmetrics-each": Formula("", _clipped(100.0)),
        # Kirstain et al. 2023: exp(logit_scale) times the cosine, about 20.
        "pickscore": Formula("", lambda score: score, scaled=True),
        # Wu et al. 2023, HPSv2 and 2.1: a hundred times the cosine.
        "hps": Formula("", lambda cosine: 100.0 * cosine),
    }
)
"""The usual definitions of text–image similarity by name."""


class Column(Protocol):
    """How a column is computed, as a benchmark's file says."""

    @property
    def network(self) -> str: ...

    @property
    def formula(self) -> str: ...


C = TypeVar("C", bound=Column)


def require_columns(
    plan: Plan, columns: Mapping[str, C], formulas: Callable[[C], Collection[str]] = lambda _: FORMULAS
) -> dict[str, tuple[str, ...]]:
    """Column -> keys of the networks that it needs.

    Args:
        formulas: the names that a column's formula may have.

    Raises SpecError for a metric without a column, or a formula that does not exist.
    """
    name = plan.benchmark.name
    plan.check_metrics(columns, [spec for spec in plan.benchmark.metrics if not spec.plain])
    for metric in plan.benchmark.metrics:
        if not metric.plain:
            continue
        column = columns.get(metric.name)
        if column is None:
            raise SpecError(
                f"{name}: settings.columns does not say how {metric.name!r} is computed.",
                "Correct the benchmark's file.",
            )
        known = formulas(column)
        if column.formula not in known:
            raise SpecError(
                f"{name}: there is no formula {column.formula!r}.", suggest(column.formula, known)
            )
    return {key: (how.network,) if how.network else () for key, how in columns.items()}
