"""The last step of a curve against the one before, by the statistics of `evalsuite compare`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from evalsuite.comparison.measuring import TaskPair
from evalsuite.registry import Registry
from evalsuite.stats import Difference, holm, stored_difference
from evalsuite.tracking.gathering import Curve

Verdict = Literal["better", "worse", "no evidence"]


@dataclass(frozen=True, slots=True)
class Change:
    """What happened from one step to the next.

    Args:
        before, after: the steps.
        difference: after minus before, in natural units.
        p: corrected over all curves (Holm).
        verdict: `better` or `worse` where p is at most 1 - level.
    """

    before: int
    after: int
    difference: Difference
    p: float = float("nan")
    verdict: Verdict = "no evidence"


def last_change(
    curve: Curve, *, exact: bool, resamples: int, seed: int, registry: Registry | None
) -> Change | None:
    """The change between the last two steps, uncorrected; None where there is one step only.

    Args:
        exact: a number that is no mean is computed again from responses and data for every resample, as
            `evalsuite compare` does it; else its stored intervals are compared, as if independent.
    """
    if len(curve.points) < 2:
        return None
    before, after = curve.points[-2:]
    pair = TaskPair(
        before.measured, after.measured, same_data=True, resamples=resamples, seed=seed, level=curve.level,
        registry=registry,
    )  # fmt: skip
    name, group = curve.metric.name, curve.group
    if exact or (pair.base.is_mean(name, group) and pair.candidate.is_mean(name, group)):
        return Change(before.step, after.step, pair.difference(name, group))
    ends = [(point.value, point.low, point.high) for point in (before, after)]
    found = stored_difference(ends[0], ends[1], min(before.n, after.n), level=curve.level)
    return Change(before.step, after.step, found)


def judged(curves: Sequence[Curve]) -> list[Curve]:
    """The curves with corrected p-values and verdicts of their last changes."""
    changed = [i for i, curve in enumerate(curves) if curve.change is not None]
    ps = [curve.change.difference.p for curve in curves if curve.change is not None]
    corrected = dict(zip(changed, map(float, holm(ps)), strict=True)) if changed else {}
    return [
        curve if curve.change is None else replace(curve, change=_verdict(curve, curve.change, corrected[i]))
        for i, curve in enumerate(curves)
    ]


def _verdict(curve: Curve, change: Change, p: float) -> Change:
    gain = change.difference.value * (1 if curve.metric.higher_is_better else -1)
    verdict: Verdict = "no evidence"
    if p <= 1 - curve.level and gain:
        verdict = "better" if gain > 0 else "worse"
    return replace(change, p=p, verdict=verdict)
