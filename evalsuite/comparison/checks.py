"""Verdicts on differences, and the gates that a candidate passes or not."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from evalsuite.comparison.gates import Gates, Limits
from evalsuite.comparison.sides import Measurement, Side
from evalsuite.errors import SpecError, suggest
from evalsuite.stats import CORRECTIONS, Difference
from evalsuite.task import Metric

Verdict = Literal["better", "worse", "equivalent", "no evidence"]


@dataclass(frozen=True, slots=True)
class Compared:
    """One number on both sides.

    Args:
        task: its name in the runs.
        metric, group: which number; group "" is the whole task.
        headline: it is the task's one number.
        difference: candidate (`b`) minus base (`a`), in natural units.
        limits: what it must hold, in units of display.
        p: p-value against no difference, corrected over the headlines (or over the other numbers).
        p_margin: p-value against being worse by the margin, corrected over all numbers that are tested so.
        verdict: `equivalent`: the whole interval lies within the margin; `better` or `worse`: p is at most
            alpha.
    """

    task: str
    metric: Metric
    group: str
    headline: bool
    difference: Difference
    limits: Limits
    p: float = math.nan
    p_margin: float = math.nan
    verdict: Verdict = "no evidence"

    @property
    def name(self) -> str:
        """Task, metric and group on one line."""
        return " ".join(filter(None, (self.task, self.metric.name, self.group)))

    def shown(self, value: float, *, signed: bool = False) -> str:
        """A value of the metric as leaderboards print it; "–" for NaN."""
        if math.isnan(value):
            return "–"
        text = f"{value * self.metric.scale:{'+' if signed else ''}.{self.metric.digits}f}"
        # A difference that rounds to nothing has no sign.
        return text.lstrip("+-") if signed and not float(text) else text

    @property
    def interval(self) -> str:
        """Of the difference, signed; "–" where there is none."""
        found = self.difference
        if math.isnan(found.low):
            return "–"
        return f"{self.shown(found.low, signed=True)} … {self.shown(found.high, signed=True)}"

    @property
    def gain(self) -> float:
        """How much better the candidate is, in units of display; negative is worse."""
        return self._better(self.difference.value)

    @property
    def gain_interval(self) -> tuple[float, float]:
        """Ends of the interval of `gain`, the lower first."""
        ends = sorted((self._better(self.difference.low), self._better(self.difference.high)))
        return ends[0], ends[1]

    def _better(self, difference: float) -> float:
        return difference * self.metric.scale * (1 if self.metric.higher_is_better else -1)


@dataclass(frozen=True, slots=True)
class Check:
    """One limit: whether it was held, and a sentence that says so.

    Args:
        rule: `min`, `max`, `max_drop`, `max_drop_relative`, `margin`, `failures` or `missing`.
    """

    task: str
    metric: str
    group: str
    rule: str
    passed: bool
    message: str


def null_of(metric: Metric, limits: Limits) -> float:
    """The difference that means "worse by just the margin", in natural units."""
    margin = (limits.margin or 0.0) / metric.scale
    return -margin if metric.higher_is_better else margin


def judged(rows: Sequence[Compared], gates: Gates) -> list[Compared]:
    """The rows with corrected p-values and verdicts.

    Headlines are one family of tests, all other numbers a second: breakdowns must not cost the headlines
    their power. The tests against margins are a third.
    """
    from dataclasses import replace

    adjust = CORRECTIONS[gates.correction]
    p: dict[int, float] = {}
    for family in (True, False):
        members = [i for i, row in enumerate(rows) if row.headline == family]
        p |= zip(members, map(float, adjust([rows[i].difference.p for i in members])), strict=True)
    tested = [i for i, row in enumerate(rows) if row.limits.margin is not None and row.limits.mode != "off"]
    margins = dict(zip(tested, map(float, adjust([rows[i].difference.p_null for i in tested])), strict=True))
    found = [replace(row, p=p[i], p_margin=margins.get(i, math.nan)) for i, row in enumerate(rows)]
    return [replace(row, verdict=_verdict(row, gates.alpha)) for row in found]


def _verdict(row: Compared, alpha: float) -> Verdict:
    low, high = row.gain_interval
    margin = row.limits.margin or 0.0
    if margin and -margin < low and high < margin:
        return "equivalent"
    if row.p <= alpha and row.gain:
        return "better" if row.gain > 0 else "worse"
    return "no evidence"


def checks_of(row: Compared, alpha: float) -> list[Check]:
    """The limits on one number, checked."""
    limits, found = row.limits, row.difference
    value = found.b * row.metric.scale
    drop = max(0.0, -row.gain)
    checks = []

    def check(rule: str, passed: bool, message: str) -> None:
        checks.append(Check(row.task, row.metric.name, row.group, rule, passed, message))

    now, before = row.shown(found.b), row.shown(found.a)
    if limits.min is not None:
        check("min", _at_most(limits.min, value), f"{now}, at least {limits.min:g} is wanted")
    if limits.max is not None:
        check("max", _at_most(value, limits.max), f"{now}, at most {limits.max:g} is wanted")
    if math.isnan(found.value):
        tested = {"max_drop", "max_drop_relative", "margin"} - ({"margin"} if limits.mode == "off" else set())
        for rule in sorted(name for name in tested if getattr(limits, name) is not None):
            check(rule, False, f"{before} to {now}: without a number on both sides nothing can be said")
        return checks
    if limits.max_drop is not None:
        check(
            "max_drop", _at_most(drop, limits.max_drop),
            f"{before} to {now}: worse by {drop:.{row.metric.digits}f}, {limits.max_drop:g} is allowed",
        )  # fmt: skip
    if limits.max_drop_relative is not None:
        base = abs(found.a * row.metric.scale)
        share = drop / base if base else math.inf * drop if drop else 0.0
        check(
            "max_drop_relative", _at_most(share, limits.max_drop_relative),
            f"{before} to {now}: worse by {share:.1%}, {limits.max_drop_relative:.1%} is allowed",
        )  # fmt: skip
    if limits.margin is not None and limits.mode != "off":
        check("margin", *_margin(row, alpha))
    return checks


def _at_most(value: float, limit: float) -> bool:
    """57 of 100 right are 56.99999999999999 points: what rounding leaves must not fail a limit of 57."""
    return value <= limit or math.isclose(value, limit, rel_tol=1e-9, abs_tol=1e-9)


def _margin(row: Compared, alpha: float) -> tuple[bool, str]:
    found, margin = row.difference, row.limits.margin or 0.0
    low, high = row.gain_interval
    by = f"worse by more than {margin:g}" if margin else "worse"
    phrase = f"difference {row.shown(found.value, signed=True)} ({row.interval})"
    if row.limits.mode == "strict":
        if not found.value and found.p == 1:
            return True, f"{phrase}: no sample differs"
        if math.isnan(low):
            return False, f"{phrase}: without an interval nothing shows that it is not {by}"
        verb = "is shown not to be" if low > -margin else "is not shown not to be"
        return low > -margin, f"{phrase}: the candidate {verb} {by}"
    # Where all samples lost alike there is no interval, but the test sees it all the same.
    shown = row.p_margin <= alpha and (row.gain if math.isnan(high) else high) < -margin
    verb = "is shown to be" if shown else "is not shown to be"
    return not shown, f"{phrase}: the candidate {verb} {by}"


def failures_checks(
    key: str, base: Sequence[Measurement], candidate: Sequence[Measurement], gates: Gates
) -> list[Check]:
    """Samples without a score are no worse score, but must not hide one: by default no more than before."""
    (before, asked), (now, total) = (
        (sum(one.result.total - one.result.n for one in side), sum(one.result.total for one in side))
        for side in (base, candidate)
    )
    if not now:
        return []
    share = now / total
    if gates.max_failures is not None:
        passed, limit = share <= gates.max_failures + 1e-12, f"{gates.max_failures:.1%} allowed"
    else:
        passed, limit = share <= before / max(asked, 1) + 1e-12, f"{before} of {asked} in the base"
    return [Check(key, "", "", "failures", passed, f"{now} of {total} samples have no score, {limit}")]


def missing_checks(
    base: Side,
    candidate: Side,
    lost: Mapping[str, Sequence[str]],
    tasks: Sequence[str],
    allowed: Collection[str],
) -> list[Check]:
    """What the base has and the candidate lacks: nothing passes by its absence.

    Args:
        lost: task -> metrics that are compared and that only the base has.
        tasks: only these; all when empty.
        allowed: tasks, and numbers as `TASK/METRIC`, that may be missing.

    Raises SpecError where `allowed` names what the base does not have.
    """
    known = [*base.tasks, *(f"{key}/{name}" for key in base.tasks for name in _metrics_of(base, key))]
    for name in allowed:
        if name not in known:
            raise SpecError(f"{name!r} cannot be missing: the base does not have it.", suggest(name, known))
    checks = []

    def check(key: str, metric: str, what: str, rule: str = "missing") -> None:
        name = f"{key}/{metric}" if metric else key
        passed = key in allowed or name in allowed
        remedy = "allowed by name" if passed else f"--allow-missing {_quoted(name)} lets it pass"
        checks.append(Check(key, metric, "", rule, passed, f"{what}; {remedy}"))

    for key in base.tasks:
        if tasks and key not in tasks:
            continue
        if key not in candidate.tasks:
            if key in candidate.unscored:
                check(key, "", "the candidate was asked this task but has no scores of it", "failures")
            else:
                check(key, "", "the candidate was never asked this task")
        for metric in lost.get(key, ()):
            check(key, metric, f"the base has {metric}, the candidate does not")
    return checks


def _metrics_of(side: Side, key: str) -> list[str]:
    return list(dict.fromkeys(e.metric.name for e in side.tasks[key][0].result.numbers()))


def _quoted(name: str) -> str:
    return f"'{name}'" if " " in name else name
