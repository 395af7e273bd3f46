"""Grades that the official scripts wrote, for scoring without a judge."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from evalsuite.errors import DataError, SampleError
from evalsuite.task.metrics import checked_imgedit_grade, imgedit_grade
from evalsuite.task.readers import read_json

Grades = Mapping[str, Mapping[str, float] | str]
"""Edit's id -> its score columns, or why it has none."""


def read_gedit_scores(path: Path, language: str, *, checked: bool = True) -> Grades:
    """What `test_gedit_score.py` writes: one CSV of all types, or a folder with one per type.

    An edit is known by its result's file name, `…/LANGUAGE/KEY.png`; rows of other languages are left out.

    Raises:
        DataError: a column is missing, a score is no number from 0 to 10 (not `checked`: from 0 on), an edit
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
        raise DataError(f"{where}: {text!r} is no score from 0 to 10.")
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
