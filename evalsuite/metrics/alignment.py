"""Text-image alignment by questions: what the answers about a prompt's images come to.

TIFA, DSG, DPG-Bench, OneIG, GenEval 2, T2I-CompBench, UniGenBench and TIIF-Bench differ in few words only:
whether a question whose parent fails counts (`gate`), what becomes of the questions about one
image (`image`), and which answers the groups pool. `AlignmentRule` names them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from evalsuite.errors import SampleError

__all__ = [
    "GATES",
    "IMAGE_SCORES",
    "AlignmentRule",
    "Pool",
    "PromptScore",
    "alignment_score",
    "gated",
    "geometric_mean",
    "group_means",
    "pooled",
]

Gate = Literal["none", "direct", "in-order"]
ImageScore = Literal["mean", "geometric", "product", "all"]

GATES: Mapping[str, str] = MappingProxyType(
    {
        "none": "every question counts",
        "direct": "0 where a parent's own answer is 0 (DSG, OneIG)",
        "in-order": "0 where a parent is 0 by then, in the questions' order: it cascades (DPG-Bench)",
    }
)
IMAGE_SCORES: Mapping[str, str] = MappingProxyType(
    {
        "mean": "the share of the questions",
        "geometric": "their geometric mean; 0 where one is 0 (GenEval 2)",
        "product": "their product; 1 without questions (T2I-CompBench)",
        "all": "1 where all are right",
    }
)


@dataclass(frozen=True, slots=True)
class AlignmentRule:
    """How the answers about the images of a prompt are aggregated.

    Args:
        gate: see `GATES`.
        unknown_parents: a parent that is no question of the prompt fails the prompt, or is ignored.
        image: see `IMAGE_SCORES`.
        digits: values of questions, and of an image, are rounded to so many places first.
        pooled_images: which images the groups of questions pool.
        pooled_gated: they pool the values after gating.
    """

    gate: Gate = "none"
    unknown_parents: Literal["error", "ignore"] = "error"
    image: ImageScore = "mean"
    digits: int | None = None
    pooled_images: Literal["all", "last"] = "all"
    pooled_gated: bool = True


Pool = Mapping[str, tuple[float, int]]
"""Group -> the sum of its questions' values, and how many they are."""


@dataclass(frozen=True, slots=True)
class PromptScore:
    """What the answers about one prompt come to.

    Args:
        value: the mean over its images, in [0, 1].
        images: of each image.
        pool: by the questions' group.
    """

    value: float
    images: tuple[float, ...]
    pool: Pool


def gated(
    values: Sequence[float],
    ids: Sequence[str],
    parents: Sequence[Sequence[str]],
    gate: Gate,
    unknown: Literal["error", "ignore"] = "error",
) -> list[float]:
    """The values of the questions about one image, 0 where a parent failed.

    Args:
        values: by question, in order.
        ids: of the questions.
        parents: of each question, the ids of those that it depends on; "0" stands for none.

    Raises:
        SampleError: a parent is no question.

    >>> gated([0, 1, 1], "123", ["0", "1", "2"], "direct")
    [0, 0.0, 1]
    >>> gated([0, 1, 1], "123", ["0", "1", "2"], "in-order")
    [0, 0.0, 0.0]
    """
    found = list(values)
    if gate == "none":
        return found
    places = {name: place for place, name in enumerate(ids)}
    seen = found if gate == "in-order" else values
    for place, names in enumerate(parents):
        for name in names:
            if name == "0":
                continue
            parent = places.get(name)
            if parent is None:
                if unknown == "error":
                    raise SampleError(f"question {ids[place]} depends on question {name}, which is not there")
            elif seen[parent] == 0:
                found[place] = 0.0
                break
    return found


def geometric_mean(values: Sequence[float]) -> float:
    """exp of the mean logarithm; 0 where a value is 0. Raises SampleError without values.

    >>> geometric_mean([0.25, 1.0])
    0.5
    """
    if not values:
        raise SampleError("a geometric mean needs at least one value")
    if min(values) <= 0:
        return 0.0
    return math.exp(sum(map(math.log, values)) / len(values))


def _mean(values: Sequence[float]) -> float:
    if not values:
        raise SampleError("the image has no questions")
    return sum(values) / len(values)


_SCORES: Mapping[str, Callable[[Sequence[float]], float]] = MappingProxyType(
    {
        "mean": _mean,
        "geometric": geometric_mean,
        "product": math.prod,
        "all": lambda values: float(min(values, default=1.0) >= 1),
    }
)


def alignment_score(
    values: Sequence[Sequence[float]],
    ids: Sequence[str],
    parents: Sequence[Sequence[str]],
    rule: AlignmentRule,
    groups: Sequence[Sequence[str]] = (),
) -> PromptScore:
    """A prompt's score: gating and the image's score for each image, then the mean over the images.

    Args:
        values: [image][question], each in [0, 1].
        ids: of the questions.
        parents: of each question; see `gated`.
        groups: of each question, the names of those that pool it.

    Raises:
        SampleError: no images, questions without a value, an unknown parent.
    """
    if not values:
        raise SampleError("there is no image to ask about")
    score, images, pool = _SCORES[rule.image], [], dict[str, tuple[float, int]]()
    for number, row in enumerate(values, start=1):
        if len(row) != len(ids):
            raise SampleError(f"image {number} has {len(row)} answers to {len(ids)} questions")
        given = row if rule.digits is None else [round(value, rule.digits) for value in row]
        after = gated(given, ids, parents, rule.gate, rule.unknown_parents)
        value = score(after)
        images.append(value if rule.digits is None else round(value, rule.digits))
        if rule.pooled_images == "all" or number == len(values):
            for one, names in zip(after if rule.pooled_gated else given, groups, strict=False):
                for name in names:
                    total, count = pool.get(name, (0.0, 0))
                    pool[name] = total + one, count + 1
    return PromptScore(sum(images) / len(images), tuple(images), pool)


def pooled(pools: Iterable[Pool]) -> dict[str, float]:
    """Group -> the mean over all of its questions, whatever prompt they belong to.

    >>> pooled([{"a": (1.0, 2)}, {"a": (2.0, 2), "b": (1.0, 1)}])
    {'a': 0.75, 'b': 1.0}
    """
    sums: dict[str, float] = {}
    counts: dict[str, int] = {}
    for pool in pools:
        for name, (total, count) in pool.items():
            sums[name] = sums.get(name, 0.0) + total
            counts[name] = counts.get(name, 0) + count
    return {name: total / counts[name] for name, total in sums.items()}


def group_means(
    values: Mapping[str, float], groups: Mapping[str, Sequence[str]], digits: int | None = None
) -> dict[str, float]:
    """Group -> the plain mean of those of its members that have a value; groups without any are left out.

    Args:
        digits: members are rounded to so many places first.

    >>> group_means({"a": 0.123456, "b": 1.0}, {"x": ["a", "b", "c"], "y": ["c"]}, digits=4)
    {'x': 0.56175}
    """
    found: dict[str, float] = {}
    for name, members in groups.items():
        present = [values[member] for member in members if member in values]
        if present:
            rounded = present if digits is None else [round(value, digits) for value in present]
            found[name] = sum(rounded) / len(rounded)
    return found
