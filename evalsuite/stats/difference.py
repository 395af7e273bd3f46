"""What a comparison of two runs says about one metric."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Difference:
    """How much higher `b` scores than `a`.

    Args:
        value: b - a, in natural units; paired, over the shared samples only.
        low, high: interval of it at `level`; NaN where none can be had.
        p: two-sided p-value against no difference at all; NaN where none can be had.
        n: samples compared; unpaired, those of the smaller side.
        better, worse: shared samples on which b scores higher, lower; 0 when unpaired or of a corpus metric.
        level: confidence.
        a, b: the values that were subtracted.
        paired: compared sample by sample.
        method: how interval and p-value came about.
        p_null: two-sided p-value against the difference `null` that was asked for; `p` when that was 0.
    """

    value: float
    low: float
    high: float
    p: float
    n: int
    better: int = 0
    worse: int = 0
    level: float = 0.95
    a: float = float("nan")
    b: float = float("nan")
    paired: bool = True
    method: str = ""
    p_null: float = float("nan")
