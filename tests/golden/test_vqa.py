"""VQA accuracy under six rules, normalised strings and aggregates, as the scorers they are named after."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from evalsuite.errors import SampleError
from evalsuite.metrics.vqa import VQA_RULES, normalize_answer, vqa_accuracy, vqa_report
from tests.goldens import case_files, read_json

FILES = case_files("*vqa_cases*.json*")
COLUMN_OF_RULE = {
    "official": ("off", 2),
    "m4c": ("m4c", 4),
    "vizwiz": ("viz", 2),
    "lmms-eval": ("lmms_vqav2", 4),
    "lmms-eval-textvqa": ("lmms_textvqa", 4),
    "vlmevalkit": ("vlmevalkit", 4),
}
"""Rule -> column of the file, and the digits to which its percentages are given."""


def cases(path: Path) -> Iterator[dict[str, Any]]:
    oracle = read_json(path)
    for row in oracle["rows"]:
        case = dict(zip(oracle["columns"], row, strict=True))
        case["answers"] = [answer for answer, count in case["gt"] for _ in range(count)]
        yield case


@pytest.mark.parametrize("rule", VQA_RULES)
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_case_scores_as_the_scorer_the_rule_is_named_after(
    path: Path, rule: str, compared: Callable[[str, int], None]
) -> None:
    column, digits = COLUMN_OF_RULE[rule]
    if column not in read_json(path)["columns"]:
        pytest.skip(f"{path.name} has no column {column!r}")
    count = 0
    for case in cases(path):
        count += 1
        if case[column] is None:
            with pytest.raises(SampleError):
                vqa_accuracy(case["pred"], case["answers"], rule)
        else:
            assert round(100 * vqa_accuracy(case["pred"], case["answers"], rule), digits) == case[column], (
                case
            )
    compared(f"VQA accuracy, {rule}", count)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_normalised_predictions_are_the_official_strings(
    path: Path, compared: Callable[[str, int], None]
) -> None:
    count = 0
    for case in cases(path):
        for column, rule in (("npred_off", "official"), ("npred_m4c", "m4c")):
            if case.get(column) is not None:
                assert normalize_answer(case["pred"], rule) == case[column]
                count += 1
    compared("VQA normalised answers", count)


@pytest.mark.parametrize(("key", "digits"), [("n2", 2), ("n4", 4)])
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_aggregates_equal_the_official_report(
    path: Path, key: str, digits: int, compared: Callable[[str, int], None]
) -> None:
    aggregate = read_json(path).get("aggregate_first_2000")
    if aggregate is None or len(aggregate["cases"]) > len(read_json(path)["rows"]):
        pytest.skip(f"{path.name} has no aggregate over its rows")
    scores = [vqa_accuracy(case["pred"], case["answers"]) for case in cases(path)][: len(aggregate["cases"])]
    kinds, questions = zip(*aggregate["cases"], strict=True)
    report = vqa_report(scores, kinds, questions, digits=digits)
    assert report.overall == aggregate[key]["overall"]
    assert report.per_question_type == aggregate[key]["perQuestionType"]
    assert report.per_answer_type == aggregate[key]["perAnswerType"]
    compared(f"VQA report, {digits} digits", len(scores))
