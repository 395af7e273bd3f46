"""What a task's page shows: its numbers, its breakdowns, how scores are spread, what failed."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from evalsuite.judging.state import missing_of
from evalsuite.report.charts import Bar, Mark, Scale, Spoke, band, corners, histogram, polygon, ring, spokes
from evalsuite.report.gathering import Answers, Page, rules_of
from evalsuite.report.privacy import without_folders
from evalsuite.report.scores import ScoreTable
from evalsuite.stats import Estimate
from evalsuite.task import Metric

_RADAR = (3, 12)
"""A radar needs three axes, and more than twelve cannot be read."""

_EXAMPLES = 3


@dataclass(frozen=True, slots=True)
class Line:
    """A model's number: in a table, or as a bar."""

    answers: Answers
    text: str
    interval: str
    n: int
    method: str
    mark: Mark | None


@dataclass(frozen=True, slots=True)
class Group:
    """One value of a label with the models' numbers."""

    name: str
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Outline:
    """A model in a radar."""

    answers: Answers
    points: str
    corners: tuple[tuple[float, float], ...]
    band: str


@dataclass(frozen=True, slots=True)
class Radar:
    spokes: tuple[Spoke, ...]
    rings: tuple[tuple[str, str, float], ...]
    """Points, what the ring stands for, and its height on the first spoke."""
    outlines: tuple[Outline, ...]


@dataclass(frozen=True, slots=True)
class Panel:
    """A label's groups."""

    label: str
    groups: tuple[Group, ...]
    radar: Radar | None


@dataclass(frozen=True, slots=True)
class Measure:
    """One metric under one set of rules: the whole task's numbers, and the breakdowns.

    Args:
        key: names its part of the page.
        title: the metric, with its rules where there are several.
    """

    key: str
    title: str
    metric: Metric
    rules: str
    lines: tuple[Line, ...]
    panels: tuple[Panel, ...]


@dataclass(frozen=True, slots=True)
class Spread:
    """The distribution of one score column: a histogram per model over the same span."""

    title: str
    rules: str
    name: str
    scale: float
    low: str
    high: str
    rows: tuple[tuple[Answers, tuple[tuple[Bar, float, float, str], ...], int], ...]
    """Model, bars with their left end, width (percent) and description, and how many samples."""


@dataclass(frozen=True, slots=True)
class Gap:
    """A metric that could not be computed where these models' runs were scored, and why."""

    metric: str
    reason: str
    labels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Failure:
    """One reason, how many samples of a model it hit, and some of them."""

    answers: Answers
    reason: str
    count: int
    examples: tuple[str, ...]


def measures(page: Page) -> list[Measure]:
    """Every metric under every set of rules, the headline under the runs' own rules first."""
    found: list[Measure] = []
    headline = page.info.headline.name
    for rules in page.rules:
        estimates = {
            one.label: [
                e for result in one.results if rules_of(result.info) == rules for e in result.numbers()
            ]
            for one in page.answers
        }
        metrics = {e.metric.name: e.metric for each in estimates.values() for e in each}
        order = list(page.metrics)
        for name in sorted(metrics, key=lambda n: (n != headline, order.index(n) if n in order else 999)):
            metric = metrics[name]
            title = f"{name}, rules {rules}" if len(page.rules) > 1 else name
            of = {
                label: {e.group: e for e in each if e.metric.name == name}
                for label, each in estimates.items()
            }
            found.append(_measure(f"m{len(found)}", title, metric, rules, page.answers, of))
    return found


def shown(metric: Metric, value: float) -> str:
    """A value as papers print it."""
    return f"{value * metric.scale:.{metric.digits}f}" if math.isfinite(value) else "–"


def _measure(
    key: str,
    title: str,
    metric: Metric,
    rules: str,
    answers: Sequence[Answers],
    estimates: dict[str, dict[str, Estimate]],
) -> Measure:
    everything = [e for found in estimates.values() for e in found.values()]
    whole = 1.0 if metric.scale == 100 else None
    scale = Scale.from_zero([end for e in everything for end in (e.value, e.low, e.high)], whole=whole)

    def line(one: Answers, group: str) -> Line | None:
        e = estimates[one.label].get(group)
        if e is None:
            return None
        ends = f"{shown(metric, e.low)}–{shown(metric, e.high)}" if math.isfinite(e.low) else ""
        mark = Mark.on(scale, e.value, e.low, e.high)
        return Line(one, shown(metric, e.value), ends, e.n, e.method, mark)

    def lines(group: str) -> tuple[Line, ...]:
        return tuple(found for one in answers if (found := line(one, group)) is not None)

    labels: dict[str, dict[str, str]] = {}
    for e in everything:
        label, _, value = e.group.partition("=")
        if e.group:
            labels.setdefault(label, {})[value] = e.group
    panels = []
    for label, values in labels.items():
        groups = tuple(Group(value, lines(group)) for value, group in sorted(values.items()))
        radar = _radar(metric, scale, answers, values, estimates)
        panels.append(Panel(label, groups, radar))
    return Measure(key, title, metric, rules, lines(""), tuple(panels))


def _radar(
    metric: Metric,
    scale: Scale,
    answers: Sequence[Answers],
    values: dict[str, str],
    estimates: dict[str, dict[str, Estimate]],
) -> Radar | None:
    """None where there are too few or too many axes, or where outward would mean worse."""
    names = sorted(values)
    if not _RADAR[0] <= len(names) <= _RADAR[1] or not metric.higher_is_better or scale.low < 0:
        return None
    outlines = []
    for one in answers:
        found = [estimates[one.label].get(values[name]) for name in names]
        if any(e is None or not math.isfinite(e.value) for e in found):
            continue
        known = [e for e in found if e is not None]

        def along(pick: Callable[[Estimate], float], known: list[Estimate] = known) -> list[float]:
            ends = [pick(e) if math.isfinite(pick(e)) else e.value for e in known]
            return [scale.place(end) / 100 for end in ends]

        middle = along(lambda e: e.value)
        around = band(along(lambda e: e.low), along(lambda e: e.high))
        outlines.append(Outline(one, polygon(middle), tuple(corners(middle)), around))
    if not outlines:
        return None
    rings = tuple(
        (ring(len(names), part), shown(metric, scale.low + part * (scale.high - scale.low)), -100 * part)
        for part in (0.25, 0.5, 0.75, 1.0)
    )
    return Radar(tuple(spokes(names)), rings, tuple(outlines))


def gaps(page: Page) -> list[Gap]:
    """The metrics that could not be computed, each reason once."""
    found: dict[tuple[str, str], list[str]] = {}
    for one in page.answers:
        for result in one.results:
            for metric, reason in missing_of(one.reader, result).items():
                labels = found.setdefault((metric, without_folders(reason)), [])
                if one.label not in labels:
                    labels.append(one.label)
    return [Gap(metric, reason, tuple(labels)) for (metric, reason), labels in found.items()]


def spreads(
    page: Page, keys: Sequence[tuple[str, str]], tables: Sequence[Sequence[ScoreTable]]
) -> list[Spread]:
    """The distributions of the score columns over all samples; those without any score are left out.

    Args:
        keys: the score columns, `(rules, name)`.
        tables: the score tables of each run of the page.
    """
    found = []
    for rules, name in keys:
        columns = [
            next((table.scored(name) for table in scored if table.rules == rules), ()) for scored in tables
        ]
        everything = [end for column in columns if len(column) for end in (min(column), max(column))]
        if not everything:
            continue
        metric = page.metrics.get(name, Metric(name, digits=3))
        span = (min(everything), max(everything))
        title = f"{name}, rules {rules}" if len(page.rules) > 1 else name
        rows = [
            (one, tuple(_placed(metric, bar, span) for bar in histogram(column, span)), len(column))
            for one, column in zip(page.answers, columns, strict=True)
            if len(column)
        ]
        ends = (shown(metric, span[0]), shown(metric, span[1]))
        found.append(Spread(title, rules, name, metric.scale, *ends, tuple(rows)))
    return found


def _placed(metric: Metric, bar: Bar, span: tuple[float, float]) -> tuple[Bar, float, float, str]:
    """A bar's left end and width in percent: single values are thin bars at their place."""
    thin = 3.0
    length = span[1] - span[0] or 1.0
    if bar.low == bar.high:
        left = (100 - thin) * (bar.low - span[0]) / length
        return bar, round(left, 2), thin, f"{shown(metric, bar.low)}: {bar.count:,}"
    left, right = (100 * (end - span[0]) / length for end in (bar.low, bar.high))
    phrase = f"{shown(metric, bar.low)} to {shown(metric, bar.high)}: {bar.count:,}"
    return bar, round(left + 0.3, 2), round(right - left - 0.6, 2), phrase


def failures(page: Page, tables: Sequence[Sequence[ScoreTable]]) -> list[Failure]:
    """Samples without an answer or a score, by model and reason, the most frequent first."""
    found = []
    for one, scored in zip(page.answers, tables, strict=True):
        reasons: Counter[str] = Counter()
        examples: dict[str, list[str]] = {}
        by_sample = {record.sample: record.error for record in one.reader.failures(one.key)}
        for table in scored[:1]:
            by_sample = {**dict(table.failures()), **by_sample}
        for sample, reason in by_sample.items():
            reasons[reason] += 1
            examples.setdefault(reason, [])
            if len(examples[reason]) < _EXAMPLES:
                examples[reason].append(sample)
        found += [
            Failure(one, without_folders(reason), count, tuple(examples[reason]))
            for reason, count in reasons.most_common()
        ]
    return found
