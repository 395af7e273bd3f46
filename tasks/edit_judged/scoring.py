"""Scores of judged edits: grades that the official scripts wrote, and means over types of edit."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from evalsuite.errors import DataError, SampleError
from evalsuite.task import Metric, SampleScore, Statistic
from evalsuite.task.metrics import checked_imgedit_grade, imgedit_grade
from evalsuite.task.readers import read_json

Grades = Mapping[str, Mapping[str, float] | str]
"""Edit's id -> its score columns, or why it has none."""


def read_gedit_scores(path: Path, language: str, *, checked: bool = True) -> Grades:
    """What `test_gedit_score.py` writes: one CSV of all types, or a folder with one per type.

    An edit is known by its result's file name, `…/LANGUAGE/KEY.png`; rows of other languages are left out.

    Raises:
        DataError: a column is missing, a score is not from 0 to 10 (not `checked`: from 0 on), an edit
            occurs twice, nothing is there.
    """
    found: dict[str, dict[str, float]] = {}
    for where, row in _rows(path):
        if row["instruction_language"] != language:
            continue
        key = PurePosixPath(row["edited_image"].replace("\\", "/")).stem
        if key in found:
            raise DataError(f"{where}: {key} occurs twice.", "Give the scores of one model.")
        semantics, quality = (
            _number(row[name], where, checked) for name in ("sementics_score", "quality_score")
        )
        found[key] = {"G_SC": semantics, "G_PQ": quality, "G_O": math.sqrt(semantics * quality)}
    if not found:
        raise DataError(f"{path} has no scores in the language {language!r}.", "Is it the right file?")
    return found


_COLUMNS = ("edited_image", "sementics_score", "quality_score", "instruction_language")


def _rows(path: Path) -> Iterator[tuple[str, dict[str, str]]]:
    files = [path]
    if path.is_dir():
        every = sorted(path.glob("*_gpt_score.csv"))
        files = [file for file in every if "_combined_" not in file.name] or every
    for file in files:
        try:
            with file.open(encoding="utf-8-sig", newline="") as stream:
                reader = csv.DictReader(stream)
                for name in _COLUMNS:
                    if name not in (reader.fieldnames or ()):
                        raise DataError(f"{file} has no column {name!r}.", "Is it test_gedit_score.py's?")
                for row in reader:
                    yield f"{file}, line {reader.line_num}", row
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise DataError(f"{file} cannot be read ({error}).", "Check the file.") from error


def _number(text: str | None, where: str, checked: bool) -> float:
    try:
        value = float(text or "")
    except ValueError:
        value = math.nan
    if not (0 <= value <= 10 if checked else 0 <= value < math.inf):
        raise DataError(f"{where}: {text!r} is not a score from 0 to 10.")
    return value


def read_imgedit_scores(path: Path, *, checked: bool = True) -> Grades:
    """`result.json` (key -> the judge's answer) or `average_score.json` (key -> grade) of ImgEdit's scripts.

    Args:
        checked: an answer counts only with three scores, a grade only from 1 to 5; else the edit has failed.

    Raises DataError for a file of another form.
    """
    rows = read_json(path)
    if not isinstance(rows, dict) or not rows:
        raise DataError(f"{path} must be an object of answers or grades.", "Give ImgEdit's result.json.")
    return {key: _grade(value, f"{path}, {key}", checked) for key, value in rows.items()}


def _grade(value: object, where: str, checked: bool) -> Mapping[str, float] | str:
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        if checked and not 1 <= value <= 5:
            return f"the judge's grade is {value:g}, the scale is 1 to 5"
        return {"score": float(value)}
    if isinstance(value, dict) and "error" in value:  # the script's own note of a failure
        return f"the judge gave nothing: {value['error']}"
    if not isinstance(value, str):
        raise DataError(f"{where}: an answer or a grade is expected, not {value!r:.60}.")
    try:
        grade = checked_imgedit_grade(value) if checked else imgedit_grade(value)
    except SampleError as error:
        return str(error)
    return "the judge's answer has no line `name: digits`" if grade is None else {"score": grade}


def type_statistics(
    metrics: Sequence[Metric], rows: Sequence[SampleScore], digits: int | None
) -> list[Statistic]:
    """The columns over all edits, each type and the common subset, so that types weigh the same.

    Args:
        digits: a type's mean is rounded to this number of digits first; None: it is not.
    """
    return [
        Statistic(metric, members, _over_types(rows, members, metric.name, digits), group=group)
        for metric in metrics
        for group, members in _groups(rows).items()
    ]


def _groups(rows: Sequence[SampleScore]) -> dict[str, list[int]]:
    """Name of a group -> positions: all, each type, and both of the common subset."""
    groups: dict[str, list[int]] = {"": []}
    for place, row in enumerate(rows):
        if row.failure or not row.values:
            continue
        names = ["", f"type={row.labels['type']}"]
        if "subset" in row.labels:
            names += ["subset=intersection", f"subset=intersection, type={row.labels['type']}"]
        for name in names:
            groups.setdefault(name, []).append(place)
    return dict(sorted(groups.items()))


def _over_types(
    rows: Sequence[SampleScore], members: Sequence[int], column: str, digits: int | None
) -> Callable[[Any], float]:
    """The mean over types of each type's mean; of one type that is its mean."""
    import numpy as np

    values = np.asarray([rows[place].values[column] for place in members], dtype=np.float64)
    kinds = [rows[place].labels["type"] for place in members]
    order = {kind: i for i, kind in enumerate(sorted(set(kinds)))}
    codes = np.asarray([order[kind] for kind in kinds], dtype=np.int64)

    def mean(places: Any) -> float:
        sums = np.bincount(codes[places], values[places], minlength=len(order))
        counts = np.bincount(codes[places], minlength=len(order))
        means = (sums[counts > 0] / counts[counts > 0]).tolist()  # a resample may lack a type
        return float(np.mean(means if digits is None else [round(value, digits) for value in means]))

    return mean
