"""Grades from 0 to 1 for free answers: what a judge is asked, and what its replies come to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from evalsuite.content import user
from evalsuite.errors import DataError, SampleError
from evalsuite.task import EachOf, Judgement, Metric, Statistic
from evalsuite.task.judged import Chat
from evalsuite.task.metrics import checked_grade, parse_grade
from evalsuite.task.readers import field, read_json

from .settings import GraderSettings

SCORE, SPREAD = "score", "std over runs"
BY = (EachOf("capability", "capabilities"), "capabilities")
"""Breakdowns where a file names none: each capability, and each exact set of them."""


def spread(metric: Metric, runs: Mapping[int, Sequence[float]]) -> Statistic:
    """Standard deviation (population) of the runs' totals, as the official table has it.

    Args:
        runs: position of a row -> its grade in each run of the judge.
    """
    import numpy as np

    grades = np.asarray(list(runs.values()), dtype=np.float64)

    def deviation(places: Any) -> float:
        return float(grades[places].mean(axis=0).std())

    return Statistic(metric, list(runs), deviation, resampling="none")


def grade_question(
    settings: GraderSettings, question: str, reference: str, answer: str, said: Sequence[Judgement]
) -> Chat | None:
    """The next question about an answer; None when it is graded, or was tried often enough."""
    tried = len(said)
    if tried >= settings.tries or (said and parse_grade(said[-1].text) is not None):
        return None
    shown = reference.replace("<AND>", " <AND> ").replace("<OR>", " <OR> ")
    text = settings.prompt + "\n" + " | ".join((question, shown, answer, ""))
    return Chat(
        (user(text + (settings.again if tried else "")),),
        max_tokens=settings.max_tokens,
        temperature=settings.warmer * max(tried - 1, 0),
    )


def grade_of(settings: GraderSettings, said: Sequence[Judgement], *, checked: bool = True) -> float | None:
    """The grade in [0, 1]; 0 after as many replies that are none as the rule allows; None where the judge has
    not been asked to the end.

    Args:
        checked: replies that grade on another scale, or are all empty, make no 0.

    Raises SampleError where the judge gave nothing, or nothing that may be counted.
    """
    heard = []
    for judgement in said:
        if judgement.failure:
            raise SampleError(f"the judge gave nothing: {judgement.failure}")
        heard.append(judgement.text)
    if checked:
        return checked_grade(heard, tries=settings.tries)
    read = (grade for grade in map(parse_grade, heard) if grade is not None)
    return next(read, 0.0 if len(heard) >= settings.tries else None)


def read_grades(path: Path) -> dict[str, tuple[float, ...]]:
    """A grade file: question id -> the grades in [0, 1], one per run of the judge.

    An entry is the list itself, or what the official script writes: an object whose `score` is the list.

    Raises:
        DataError: of another form, a grade outside [0, 1], questions with unlike many grades.
    """
    rows = read_json(path)
    if not isinstance(rows, dict) or not rows:
        raise DataError(f"{path} must be an object of grades.", "Give the official script's grade file.")
    found = {name: _grades(rows, name, path) for name in rows}
    if len({len(values) for values in found.values()}) > 1:
        raise DataError(f"{path}: some questions have more grades than others.", "Let the judge finish.")
    return found


def _grades(rows: Mapping[str, object], name: str, path: Path) -> tuple[float, ...]:
    row = rows[name]
    values = field(row, "score", list, f"{path}, {name}") if isinstance(row, dict) else row
    if not isinstance(values, list):
        raise DataError(f"{path}, {name}: a list of grades is expected, not {type(values).__name__}.")
    if not values or not all(
        isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1 for value in values
    ):
        raise DataError(f"{path}, {name}: grades are numbers from 0 to 1, not {values!r:.60}.")
    return tuple(map(float, values))
