"""Rubrics of editing and subject-driven benchmarks: KRIS-Bench, Complex-Edit, DreamBench++."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from evalsuite.errors import SampleError
from evalsuite.task.metrics import dreambench_grade, kris_dual_grades, kris_grade

from .grading import Graded, Replies
from .records import RubricItem


class Kris:
    """KRIS-Bench's grades from 1 to 5 of consistency, quality, instruction and knowledge, as shares of 4.

    A grade that cannot be read, or lies off the scale, is left out; an image without any grade has failed.
    """

    columns: tuple[str, ...] = ("consistency", "quality", "instruction", "knowledge")

    def readable(self, reply: str) -> bool:
        return True  # its script asks again only where the judge gives nothing

    def grade(self, item: RubricItem, replies: Replies) -> Graded:
        named = item.labels["category"] not in ("temporal_prediction", "multi-element_composition")
        found: dict[str, int | None] = {}
        for name, texts in replies.items():
            reply = texts[-1]
            if name == "dual":
                try:
                    found["instruction"], found["knowledge"] = kris_dual_grades(reply)
                except SampleError:
                    found["instruction"] = found["knowledge"] = None
            else:
                found[name] = kris_grade(reply, name, named=named)  # type: ignore[arg-type]
        values = {name: (grade - 1) / 4 for name, grade in found.items() if grade in (1, 2, 3, 4, 5)}
        if not values:
            raise SampleError(f"none of the judge's replies holds a grade from 1 to 5: {_first(replies)}")
        return Graded(values, unread=len(values) < len(found))


class ComplexEdit:
    """Complex-Edit's three scores from 0 to 10, and their mean."""

    columns: tuple[str, ...] = (
        "overall",
        "instruction_following",
        "identity_preservation",
        "perceptual_quality",
    )

    def readable(self, reply: str) -> bool:
        found = _json(reply)
        return any(
            all(_score(found, name) is not None for name in names)
            for names in (self.columns[1:3], self.columns[3:])
        )

    def grade(self, item: RubricItem, replies: Replies) -> Graded:
        aligned, quality = (_json(replies[name][-1]) for name in ("alignment", "quality"))
        values: dict[str, float] = {}
        for name, found in zip(self.columns[1:], (aligned, aligned, quality), strict=True):
            score = _score(found, name)
            if score is None:
                raise SampleError(f"the judge's reply has no {name} from 0 to 10: {_first(replies)}")
            values[name] = score
        return Graded({"overall": sum(values.values()) / 3} | values)


class DreamBenchPlusPlus:
    """DreamBench++'s concept preservation (CP) and prompt following (PF): grades from 0 to 4, as shares."""

    columns: tuple[str, ...] = ("CP", "PF")

    def readable(self, reply: str) -> bool:
        return dreambench_grade(reply) is not None

    def grade(self, item: RubricItem, replies: Replies) -> Graded:
        values = {}
        for name in self.columns:
            grade = dreambench_grade(replies[name][-1])
            if grade is None or not 0 <= grade <= 4:
                said = replies[name][-1]
                raise SampleError(f"the judge's reply does not hold one score from 0 to 4: {said!r:.200}")
            values[name] = grade / 4
        return Graded(values)


def _json(reply: str) -> Mapping[str, Any]:
    match = re.search(r"\{[\s\S]*\}", reply)
    try:
        found = json.loads(match.group(0)) if match else {}
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _score(found: Mapping[str, Any], name: str) -> float | None:
    """A score as the official format has it, the text of a number from 0 to 10; a number will do."""
    value = found.get(name)
    if isinstance(value, str) and value.isdecimal():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 10:
        return None
    return float(value)


def _first(replies: Replies) -> str:
    return f"{next(iter(replies.values()))[-1]!r:.200}"
