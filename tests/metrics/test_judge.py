"""Judged tables: their rules; compared with the official scripts' output in tests/golden."""

from __future__ import annotations

from typing import Any, cast

import pytest

from evalsuite.errors import SampleError
from evalsuite.metrics.judge import (
    capability_table,
    imgedit_grade,
    parse_grade,
    parse_viescore,
    viescore,
    viescore_statistics,
)


def test_grades_must_be_as_many_and_known() -> None:
    with pytest.raises(SampleError, match="equally many"):
        capability_table({"a": [1.0], "b": [1.0, 0.5]}, {"a": ["ocr"], "b": ["rec"]})
    with pytest.raises(SampleError, match="'c'"):
        capability_table({"c": [1.0]}, {"a": ["ocr"]})


@pytest.mark.parametrize(
    ("answer", "grade"),
    [("0.5", 0.5), ("1.0 so", 1.0), ("\n0.3", 0.3), ("1.5", None), ("nan", None), ("0,5", None), ("", None)],
)
def test_a_grade_is_the_first_word(answer: str, grade: float | None) -> None:
    assert parse_grade(answer) == grade


@pytest.mark.parametrize("score", [float("nan"), float("inf"), -1, None, "x", 10**400])
def test_what_is_no_score_is_no_grade(score: Any) -> None:
    with pytest.raises(SampleError, match="not numbers"):
        viescore([5, score], [9])


def test_viescore_takes_the_least_and_the_root_of_the_product() -> None:
    assert viescore([8, 4], [9, 9]) == (4, 9, 6)
    with pytest.raises(SampleError):
        viescore([cast(float, None)], [1])
    statistics = viescore_statistics([(4, 9), (0, 9)])
    assert statistics.mean == pytest.approx((0.2, 0.9, 0.3))
    assert statistics.deviation == pytest.approx((0.2, 0, 0.3))


@pytest.mark.parametrize("answer", ["[08, 5]", f"[{'1' * 5000}, 2]", f"||V^=^V||{'[' * 5000}||V^=^V||"])
def test_a_judge_that_repeats_itself_without_end_gives_no_score(answer: str) -> None:
    assert parse_viescore(answer) is None


@pytest.mark.parametrize("digits", ["9" * 5000, "9" * 400, "²"])
def test_a_number_without_end_is_no_imgedit_grade(digits: Any) -> None:
    with pytest.raises(SampleError, match="is not a number"):
        imgedit_grade(f"Brief: fine\nCompliance: {digits}")
