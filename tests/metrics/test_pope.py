"""POPE against the official script, lmms-eval and VLMEvalKit, and on LLaVA's real answers (set `pope`)."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalsuite.errors import SampleError, SpecError
from evalsuite.metrics.pope import POPE_RULES, pope_report, yes_or_no


def test_degenerate_sets_have_no_value_where_the_official_script_divides_by_zero() -> None:
    nothing = pope_report([True, False], [False, False])
    assert (nothing.accuracy, nothing.recall, nothing.yes_ratio) == (0.5, 0.0, 0.0)
    assert math.isnan(nothing.precision)
    assert math.isnan(nothing.f1)
    everything = pope_report([True, False], [True, True])
    assert (everything.precision, everything.recall, everything.yes_ratio) == (0.5, 1.0, 1.0)
    assert math.isnan(pope_report([False, False], [True, False]).recall)
    assert pope_report([True, False], [False, False], "vlmevalkit").f1 == 0.0


def test_unread_answers_are_wrong_and_only_lmms_eval_leaves_them_out_of_recall() -> None:
    labels, picks = [True, True, False], [True, None, None]
    assert pope_report(labels, picks, "lmms-eval").recall == 1.0
    assert pope_report(labels, picks, "vlmevalkit").recall == 0.5
    assert pope_report(labels, picks, "vlmevalkit").accuracy == pytest.approx(1 / 3)


@pytest.mark.slow
@given(pairs=st.lists(st.tuples(st.booleans(), st.sampled_from([True, False, None])), min_size=1))
@pytest.mark.parametrize("rule", POPE_RULES)
def test_order_and_form_do_not_matter(rule: str, pairs: list[tuple[bool, bool | None]]) -> None:
    labels, picks = [label for label, _ in pairs], [pick for _, pick in pairs]
    coded = np.array([-1 if pick is None else int(pick) for pick in picks])
    one = pope_report(labels, picks, rule)
    other = pope_report(np.array(labels)[::-1], coded[::-1], rule)
    assert str(one) == str(other)
    assert 0 <= one.accuracy <= 1


def test_no_answers_another_number_and_an_unknown_rule_are_refused() -> None:
    picks: list[bool] = []
    for labels in ([], [True]):
        with pytest.raises(SampleError, match="one answer per label"):
            pope_report(labels, picks)
    with pytest.raises(SpecError, match="no POPE rule 'lmms'"):
        yes_or_no("yes", "lmms")
    with pytest.raises(SpecError, match="no POPE rule 'lmms'"):
        pope_report([True], [True], "lmms")
