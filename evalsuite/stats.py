"""Estimates with intervals."""

from __future__ import annotations

from dataclasses import dataclass

from evalsuite.task import Metric


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number with its interval.

    Args:
        metric: the column.
        group: "" for the whole task, else e.g. "answer_type=number".
        value: in natural units; display multiplies by `metric.scale`.
        low, high: ends of the interval at `level`; NaN where none can be had.
        n: samples it is computed over.
        method: how the interval came about, e.g. "cluster bootstrap, 1000 resamples".
        level: confidence, 0.95 by default.
    """

    metric: Metric
    group: str
    value: float
    low: float
    high: float
    n: int
    method: str
    level: float = 0.95
