"""POPE against the official script, lmms-eval and VLMEvalKit, and on LLaVA's real answers (set `pope`)."""

from __future__ import annotations

import gzip
import json
import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalsuite.errors import SampleError, SpecError
from evalsuite.metrics.pope import POPE_RULES, pope_report, yes_or_no
from tests.goldens import golden_dir, load_json

CASES = ("oracles", "pope_cases.json.gz")


@pytest.mark.parametrize(("rule", "column"), [("official", 2), ("lmms-eval", 3), ("vlmevalkit", 4)])
def test_answers_are_read_as_the_named_code_reads_them(rule: str, column: int) -> None:
    meaning = {1: True, 0: False, "yes": True, "no": False, None: None}
    rows = load_json(*CASES)["rows"]
    assert len(rows) >= 3000
    for row in rows:
        assert yes_or_no(row[0], rule) is meaning[row[column]], row


def test_the_official_aggregate_is_equal() -> None:
    case = load_json(*CASES)
    labels = [row[1] == "yes" for row in case["rows"]]
    report = pope_report(labels, [yes_or_no(row[0]) for row in case["rows"]])
    printed = dict(re.findall(r"([A-Z][\w ]+): ([\d.]+)", case["aggregate"]["official_stdout"]))
    assert str(report.accuracy) == printed["Accuracy"]
    assert str(report.precision) == printed["Precision"]
    assert str(report.recall) == printed["Recall"]
    assert str(report.f1) == printed["F1 score"]
    assert str(report.yes_ratio) == printed["Yes ratio"]


def test_lmms_evals_aggregate_is_equal() -> None:
    case = load_json(*CASES)
    labels = [row[1] == "yes" for row in case["rows"]]
    report = pope_report(labels, [yes_or_no(row[0], "lmms-eval") for row in case["rows"]], "lmms-eval")
    expected = case["aggregate"]["lmms"]
    ratio = next(value for name, value in expected.items() if name.startswith("yes_ratio"))
    assert (report.accuracy, report.precision, report.recall, report.f1, report.yes_ratio) == (
        expected["accuracy"], expected["precision"], expected["recall"], expected["f1"], ratio,
    )  # fmt: skip


def test_llava_1_5_7bs_logged_table_is_equal() -> None:
    folder = golden_dir("pope", "answers_llava-v1.5-7b_partial.jsonl.gz")
    with gzip.open(folder / "answers_llava-v1.5-7b_partial.jsonl.gz", "rt") as stream:
        answers = [json.loads(line)["text"] for line in stream]
    logged = (folder / "POPE_results_7b_logged.txt").read_text().splitlines()
    with gzip.open(folder / "official_coco_pope_adversarial.json.gz", "rt") as stream:
        labels = [json.loads(line)["label"] == "yes" for line in stream]
    report = pope_report(labels, [yes_or_no(text) for text in answers[:3000]])
    assert f"Accuracy: {report.accuracy}" == logged[2]
    assert f"Precision: {report.precision}" == logged[3]
    assert f"Recall: {report.recall}" == logged[4]
    assert f"F1 score: {report.f1}" == logged[5]
    assert f"Yes ratio: {report.yes_ratio}" == logged[6]


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
    for labels, picks in (([], []), ([True], [])):
        with pytest.raises(SampleError, match="one answer per label"):
            pope_report(labels, picks)
    with pytest.raises(SpecError, match="no POPE rule 'lmms'"):
        yes_or_no("yes", "lmms")
    with pytest.raises(SpecError, match="no POPE rule 'lmms'"):
        pope_report([True], [True], "lmms")
