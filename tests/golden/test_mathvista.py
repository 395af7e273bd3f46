"""MathVista: extraction, normalisation, the judge's prompt, and the published scores of eleven models."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from evalsuite.metrics.mathvista import extract, normalize
from tests.golden.comprehension import LETTERS, benchmark, hit, numbers, row
from tests.goldens import case_files, read_json

Compared = Callable[[str, int], None]
EVERY_FILE = pytest.mark.parametrize(
    "path", case_files("*mathvista_cases*.json*"), ids=lambda path: path.name
)
BY = ("question_type", "answer_type", "source", "category", "task", "context", "grade")


def choices(case: Mapping[str, Any]) -> list[str] | None:
    return case["choices"] if case["question_type"] == "multi_choice" else None


@EVERY_FILE
def test_extractions_are_normalised_and_compared_as_officially(path: Path, compared: Compared) -> None:
    cases = read_json(path)["normalise"]
    for case in cases:
        found = normalize(
            case["extraction"],
            choices(case),
            case["answer_type"],
            case["precision"],
            ignore_empty=case["ignore_empty_extractions"],
        )
        assert found == case["normalized"], case
        assert (found == case["answer"]) == case["right"], case
    compared("MathVista normalisation", len(cases))


@EVERY_FILE
def test_responses_are_extracted_or_left_to_the_judge(path: Path, compared: Compared) -> None:
    cases = read_json(path)["extract"]
    for case in cases:
        found = extract(case["response"], choices(case), case["answer_type"], quick=case["quick_extract"])
        assert found == case["extraction"], case
        assert (found is None) == case["asks_judge"], case
    compared("MathVista extraction", len(cases))


@EVERY_FILE
def test_the_judge_is_asked_in_the_official_words(path: Path, compared: Compared) -> None:
    cases = read_json(path)["judge_prompts"]
    judge = benchmark("mathvista-testmini").judge
    assert judge is not None
    for case in cases:
        asked = judge.prompt.replace("{question}", case["query"]).replace("{answer}", case["response"])
        assert asked == case["judge_prompt"]
    compared("MathVista judge prompts", len(cases))


def _value(rules: str, truth: Mapping[str, Any], said: str) -> float | None:
    labels = {"answer_type": truth["answer_type"]}
    if truth["precision"] is not None:
        labels["precision"] = str(truth["precision"])
    options = choices(truth) or []
    right = [LETTERS[i] for i, text in enumerate(options) if text == truth["answer"]] or truth["answer"]
    return hit("mathvista-testmini", rules, said, right, options, labels)


@EVERY_FILE
def test_published_runs_have_the_scores_of_the_current_code(path: Path, compared: Compared) -> None:
    """`published` scores were made by older code; where it differs, three models differ by one or two
    answers."""
    found = read_json(path)
    truths = found["meta"]["ground_truth"]
    for run in found["published_runs"]:
        rows = []
        for i, (said, truth) in enumerate(zip(run["extractions"], truths, strict=True)):
            value = _value("extracted", truth, said)
            assert value == run["right_by_current_code"][i], (run["model"], truth)
            assert _value("ignoring-empty", truth, said) == run["right_ignoring_empty"][i]
            labels = {name: truth[name] for name in BY} | {
                "language": "",
                "skills": "+".join(truth["skills"]),
            }
            rows.append(row(i, labels, value))
        ours = numbers("mathvista-testmini", rows)
        right = sum(run["right_by_current_code"])
        assert ours["accuracy"] * len(rows) == pytest.approx(right, abs=1e-9)
        if run["right_by_current_code"] == run["published_right"]:
            assert f"{100 * ours['accuracy']:.1f}" == run["published_accuracy"]
            for name in BY:
                for value, count in run["published"][name].items():
                    size = sum(truth[name] == value for truth in truths)
                    if size:
                        got = ours[f"accuracy {name}={value}"] * size
                        assert got == pytest.approx(count, abs=1e-9), (run["model"], name, value)
        compared("MathVista published runs, extractions", len(rows))
