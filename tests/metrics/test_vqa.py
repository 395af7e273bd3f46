"""VQA accuracy: the rules' oddities one by one; compared with six public scorers in tests/golden."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalsuite.errors import SampleError, SpecError
from evalsuite.metrics.vqa import (
    VQA_RULES,
    direct_answer_accuracy,
    normalize_answer,
    unanswerability,
    vqa_accuracy,
)


def test_unanimous_answers_are_compared_without_normalisation_only_officially() -> None:
    assert vqa_accuracy("Yes", ["yes"] * 10) == 0
    assert vqa_accuracy(" yes\n", ["yes"] * 10) == 1
    assert vqa_accuracy("Yes", ["yes"] * 10, "m4c") == 1


def test_only_the_first_32_periods_are_removed() -> None:
    assert normalize_answer("." * 40) == "." * 8


def test_identical_answers_are_left_out_one_at_a_time() -> None:
    scores = [vqa_accuracy("a b", ["b"] * n + ["c"] * (10 - n)) for n in range(6)]
    assert scores == pytest.approx([0, 0.3, 0.6, 0.9, 1, 1])


TEN_ANSWERS = st.lists(st.text(max_size=5), min_size=10, max_size=10)


@given(st.text(max_size=9), TEN_ANSWERS, st.sampled_from([*VQA_RULES]))
def test_accuracy_is_a_tenth_step_in_the_unit_interval(prediction: Any, answers: Any, rule: Any) -> None:
    accuracy = vqa_accuracy(prediction, answers, rule)
    assert any(math.isclose(accuracy, step, abs_tol=1e-12) for step in (0, 0.3, 0.6, 0.9, 1))


def test_no_answers_and_unknown_rules_are_refused() -> None:
    with pytest.raises(SampleError):
        vqa_accuracy("x", [])
    with pytest.raises(SpecError, match="official"):
        vqa_accuracy("x", ["x"], "nope")


def test_direct_answer_accuracy_counts_plain_matches() -> None:
    assert direct_answer_accuracy("cat", ["cat", "Cat", "dog"]) == pytest.approx(1 / 3)
    assert direct_answer_accuracy("cat", ["cat"] * 5) == 1


def test_unanswerability_follows_the_textbook_definition() -> None:
    # scikit-learn 1.7: average_precision_score([0,0,1,1],[.1,.4,.35,.8]) == 0.8333..., f1 at > 0.5 is 2/3
    precision, f1 = unanswerability([1, 1, 0, 0], [0.9, 0.6, 0.65, 0.2])
    assert precision == pytest.approx(0.8333333333333333)
    assert f1 == pytest.approx(2 / 3)
    assert unanswerability([1, 1], [0.9, 0.8])[0] == 0
