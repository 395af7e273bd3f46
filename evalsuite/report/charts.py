"""Geometry of the charts; templates draw them as SVG in percentages, which stretch without distortion."""

from __future__ import annotations

import itertools
import math
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Scale:
    """A stretch of numbers laid along a line from 0 to 100 percent."""

    low: float
    high: float

    @classmethod
    def around(cls, values: Iterable[float], margin: float = 0.04) -> Scale:
        """From the least to the greatest value, with a margin for the marks; NaN counts as absent."""
        known = [value for value in values if math.isfinite(value)]
        if not known:
            return cls(0.0, 1.0)
        low, high = min(known), max(known)
        space = (high - low) * margin or abs(high) * margin or 1.0
        return cls(low - space, high + space)

    @classmethod
    def from_zero(cls, values: Iterable[float], *, whole: float | None = None) -> Scale:
        """From zero (or the least value, where that is below) to the greatest; to `whole` where all lie in
        [0, whole], as proportions do."""
        known = [value for value in values if math.isfinite(value)] or [0.0]
        low, high = min(0.0, *known), max(0.0, *known)
        if whole is not None and low >= 0 and high <= whole:
            return cls(0.0, whole)
        return cls(low, high if high > low else low + 1.0)

    def place(self, value: float) -> float:
        """Percent along the line, cut at its ends."""
        return round(min(100.0, max(0.0, 100 * (value - self.low) / (self.high - self.low))), 2)


@dataclass(frozen=True, slots=True)
class Mark:
    """A value with its interval, in percent of a scale; `low` is None where there is no interval."""

    at: float
    low: float | None = None
    high: float | None = None
    zero: float = 0.0

    @classmethod
    def on(cls, scale: Scale, value: float, low: float, high: float) -> Mark | None:
        """None where there is no value."""
        if not math.isfinite(value):
            return None
        zero = scale.place(0.0)
        if not (math.isfinite(low) and math.isfinite(high)):
            return cls(scale.place(value), zero=zero)
        return cls(scale.place(value), scale.place(low), scale.place(high), zero)

    @property
    def width(self) -> float:
        """Of the interval."""
        return 0.0 if self.low is None or self.high is None else round(self.high - self.low, 2)


RADIUS = 100.0
"""Of a radar's outermost ring, in SVG units around the origin."""


@dataclass(frozen=True, slots=True)
class Spoke:
    """One axis of a radar: where its end and its name stand."""

    name: str
    x: float
    y: float
    label_x: float
    label_y: float
    anchor: str

    @property
    def lines(self) -> list[str]:
        """The name on one line or two, cut where it is longer."""
        return textwrap.wrap(self.name.replace("_", " "), 18, max_lines=2, placeholder=" …") or ["(none)"]


def spokes(names: Sequence[str]) -> list[Spoke]:
    """Axes clockwise from the top."""
    found = []
    for i, name in enumerate(names):
        x, y = _point(i, len(names), 1.0)
        upright = abs(x) < 0.2 * RADIUS
        label_x, label_y = _point(i, len(names), 1.2 if upright else 1.1)
        anchor = "middle" if upright else "start" if x > 0 else "end"
        found.append(Spoke(name, x, y, label_x, label_y, anchor))
    return found


def ring(count: int, fraction: float) -> str:
    """The corners of a ring as `points` of a polygon."""
    return polygon([fraction] * count)


def polygon(fractions: Sequence[float]) -> str:
    """A radar's outline as `points`; each fraction in [0, 1] lies on its spoke."""
    return " ".join(f"{x},{y}" for x, y in corners(fractions))


def corners(fractions: Sequence[float]) -> list[tuple[float, float]]:
    return [_point(i, len(fractions), fraction) for i, fraction in enumerate(fractions)]


def band(low: Sequence[float], high: Sequence[float]) -> str:
    """The area between two outlines as a path; draw it with the even-odd rule."""
    return " ".join("M" + " L".join(f"{x} {y}" for x, y in corners(ends)) + " Z" for ends in (high, low))


def _point(i: int, count: int, fraction: float) -> tuple[float, float]:
    angle = 2 * math.pi * i / count - math.pi / 2
    return round(RADIUS * fraction * math.cos(angle), 2), round(RADIUS * fraction * math.sin(angle), 2)


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar of a histogram: scores from `low` to `high` (equal for a single value), how many there are, and
    that in percent of the fullest bar."""

    low: float
    high: float
    count: int
    height: float


def histogram(values: Sequence[float], span: tuple[float, float], most: int = 20) -> list[Bar]:
    """How often which score occurs: a bar per value where there are few, else `most` equal bins over `span`.

    Args:
        values: finite scores of one model.
        span: least and greatest score of all models, so that their histograms line up.
    """
    import numpy

    data = numpy.asarray(values, float)
    if not len(data):
        return []
    unique, counts = numpy.unique(data, return_counts=True)
    if len(unique) <= 12 and span[1] > span[0]:
        edges = [(float(value), float(value)) for value in unique]
    elif span[1] > span[0]:
        counts, ends = numpy.histogram(data, bins=most, range=span)
        edges = [(float(a), float(b)) for a, b in itertools.pairwise(ends)]
    else:
        counts, edges = numpy.array([len(data)]), [(span[0], span[0])]
    peak = max(int(counts.max()), 1)
    return [
        Bar(low, high, int(count), round(100 * int(count) / peak, 2))
        for (low, high), count in zip(edges, counts, strict=True)
    ]
