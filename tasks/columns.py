"""What benchmarks with declared columns have alike: each metric has a column, of a formula that exists."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from evalsuite.errors import SpecError
from evalsuite.registry import suggest

from .benchmark import Plan
from .image.scoring import FORMULAS


class Column(Protocol):
    """How a column is computed, as a benchmark's file says."""

    @property
    def network(self) -> str: ...

    @property
    def formula(self) -> str: ...


def require_columns(plan: Plan, columns: Mapping[str, Column]) -> dict[str, tuple[str, ...]]:
    """Column -> keys of the networks that it needs.

    Raises SpecError for a metric without a column, or a formula that does not exist.
    """
    name = plan.benchmark.name
    for metric in plan.benchmark.metrics:
        column = columns.get(metric.name)
        if column is None:
            raise SpecError(
                f"{name}: settings.columns does not say how {metric.name!r} is computed.",
                "Correct the benchmark's file.",
            )
        if column.formula not in FORMULAS:
            raise SpecError(
                f"{name}: there is no formula {column.formula!r}.", suggest(column.formula, FORMULAS)
            )
    return {key: (how.network,) if how.network else () for key, how in columns.items()}
