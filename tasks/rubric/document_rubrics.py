"""Rubrics of benchmarks of text and images: MMIE, OpenING."""

from __future__ import annotations

from evalsuite.errors import SampleError
from evalsuite.task.metrics import (
    OPENING_METRICS,
    OPENING_RATES,
    mmie_grade,
    opening_battle,
    opening_grades,
    opening_winner,
)

from .grading import Graded, Replies
from .records import RubricItem
from .rivals import SHOWN


class Mmie:
    """MMIE's score from 0 to 6; what has none is left out."""

    columns: tuple[str, ...] = ("score",)

    def readable(self, reply: str) -> bool:
        return True  # its judge is greedy: asked again, it says the same

    def grade(self, item: RubricItem, replies: Replies) -> Graded:
        grade = mmie_grade(replies["score"][-1])
        if grade is None or not 0 <= grade <= 6:
            raise SampleError(f"the judge's reply has no score from 0 to 6: {replies['score'][-1]!r:.200}")
        return Graded({"score": float(grade)})


class Opening:
    """OpenING's seven scores from 0 to 10; a document without all of them is left out."""

    columns: tuple[str, ...] = OPENING_METRICS

    def readable(self, reply: str) -> bool:
        try:
            opening_grades(reply)
        except SampleError:
            return False
        return True

    def grade(self, item: RubricItem, replies: Replies) -> Graded:
        return Graded(opening_grades(replies["scores"][-1]))


class OpeningPair:
    """OpenING's comparison of two documents; what a document wins, by four ways of counting ties."""

    columns: tuple[str, ...] = OPENING_RATES

    def readable(self, reply: str) -> bool:
        return bool(reply)

    def grade(self, item: RubricItem, replies: Replies) -> Graded:
        winner = opening_winner(replies["scores"][-1])
        return Graded(opening_battle(winner, item.labels[SHOWN]))
