"""Judged tables: their rules; compared with the official scripts' output in tests/golden."""

from __future__ import annotations

import pytest

from evalsuite.errors import SampleError
from evalsuite.metrics.judge import (
    capability_table,
    parse_grade,
    viescore,
    viescore_statistics,
)


def test_grades_must_be_as_many_and_known():
    with pytest.raises(SampleError, match="equally many"):
        capability_table({"a": [1.0], "b": [1.0, 0.5]}, {"a": ["ocr"], "b": ["rec"]})
    with pytest.raises(SampleError, match="'c'"):
        capability_table({"c": [1.0]}, {"a": ["ocr"]})


@pytest.mark.parametrize(
    ("answer", "grade"),
    [("0.5", 0.5), ("1.0 so", 1.0), ("\n0.3", 0.3), ("1.5", None), ("nan", None), ("0,5", None), ("", None)],
)
def test_a_grade_is_the_first_word(answer, grade):
    assert parse_grade(answer) == grade


@pytest.mark.parametrize("score", [float("nan"), float("inf"), -1, None, "x"])
def test_what_is_no_score_is_no_grade(score):
    with pytest.raises(SampleError, match="no numbers"):
        viescore([5, score], [9])


def test_viescore_takes_the_least_and_the_root_of_the_product():
    assert viescore([8, 4], [9, 9]) == (4, 9, 6)
    with pytest.raises(SampleError):
        viescore([None], [1])
    statistics = viescore_statistics([(4, 9), (0, 9)])
    assert statistics.mean == pytest.approx((0.2, 0.9, 0.3))
    assert statistics.deviation == pytest.approx((0.2, 0, 0.3))
