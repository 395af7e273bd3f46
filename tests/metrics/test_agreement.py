"""Agreement of raters against the worked examples of the papers that define it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalsuite.errors import SampleError
from evalsuite.metrics.agreement import fleiss_kappa, krippendorff_alpha

FLEISS = [
    [0, 0, 0, 0, 14], [0, 2, 6, 4, 2], [0, 0, 3, 5, 6], [0, 3, 9, 2, 0], [2, 2, 8, 1, 1],
    [7, 7, 0, 0, 0], [3, 2, 6, 3, 0], [2, 5, 3, 2, 2], [6, 5, 2, 1, 0], [0, 2, 2, 3, 7],
]  # fmt: skip
"""Ten subjects, fourteen raters, five categories: the example usually worked, kappa 0.210."""

KRIPPENDORFF = [
    "1 2 3 3 2 1 4 1 2 . . .",
    "1 2 3 3 2 2 4 1 2 5 . 3",
    ". 3 3 3 2 3 4 2 2 5 1 .",
    "1 2 3 3 2 4 4 1 2 5 1 .",
]
"""Four observers, twelve units, answers missing (Krippendorff 2011, section C): nominal alpha 0.743."""


def test_fleiss_kappa_of_the_worked_example() -> None:
    assert fleiss_kappa(FLEISS) == pytest.approx(0.210, abs=5e-4)


def test_krippendorffs_alpha_of_the_worked_example_with_missing_answers() -> None:
    rows = [line.split() for line in KRIPPENDORFF]
    units = [[answer for answer in unit if answer != "."] for unit in zip(*rows, strict=True)]
    assert krippendorff_alpha(units) == pytest.approx(0.743, abs=5e-4)


def test_krippendorffs_alpha_of_two_observers_and_two_answers() -> None:
    # Krippendorff 2011, section A: two observers, ten units, 0.095.
    first, second = "0100000010", "1110010000"
    assert krippendorff_alpha(list(zip(first, second, strict=True))) == pytest.approx(0.095, abs=5e-4)


@given(st.lists(st.lists(st.sampled_from("ab"), min_size=3, max_size=3), min_size=2, max_size=30))
@settings(max_examples=60, deadline=None)
def test_with_complete_ratings_alpha_is_kappa_for_small_samples_corrected(units: Any) -> None:
    kappa = fleiss_kappa([[unit.count(answer) for answer in "ab"] for unit in units])
    alpha = krippendorff_alpha(units)
    if math.isnan(kappa):
        assert math.isnan(alpha)
        return
    n = 3 * len(units)
    # alpha = 1 - (1 - 1/n) Do / De' : the same disagreement, expected without replacement.
    assert 1 - alpha == pytest.approx((1 - kappa) * (n - 1) / n)


def test_full_agreement_is_one_and_systematic_disagreement_is_below_zero() -> None:
    assert krippendorff_alpha(["aa", "bb", "aa"]) == fleiss_kappa([[2, 0], [0, 2]]) == 1
    assert krippendorff_alpha(["ab"] * 5) < 0
    assert fleiss_kappa([[1, 1]] * 5) == -1


def test_random_answers_agree_by_chance_only() -> None:
    answers = np.random.default_rng(0).integers(0, 3, (2000, 4)).tolist()
    assert abs(krippendorff_alpha(answers)) < 0.03


def test_where_nothing_can_be_told_there_is_no_number_and_uneven_tables_are_refused() -> None:
    assert math.isnan(krippendorff_alpha([]))
    assert math.isnan(krippendorff_alpha(["a", "b"]))
    assert math.isnan(krippendorff_alpha(["aa", "aa"]))
    assert math.isnan(fleiss_kappa([[3, 0], [3, 0]]))
    for table in ([[2, 0], [1, 0]], [[1, 0]], [], [1, 2]):
        with pytest.raises(SampleError, match="Fleiss"):
            fleiss_kappa(table)
