"""ChartQA's relaxed accuracy and OCRBench's containment: every answer and every set's score."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from evalsuite.metrics.short_answers import contains, relaxed_match
from tests.golden.comprehension import hit, numbers, row
from tests.goldens import case_files, read_json

Compared = Callable[[str, int], None]


def each(pattern: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("path", case_files(pattern), ids=lambda path: path.name)


@each("*chartqa_cases*.json*")
def test_chartqa_answers_are_scored_as_three_tools_score_them(path: Path, compared: Compared) -> None:
    cases = read_json(path)["pairs"]
    for case in cases:
        said, right = case["prediction"], case["target"]
        assert hit("chartqa", "official", said, right) == case["official"] == case["lmms-eval"], case
        assert hit("chartqa", "vlmevalkit", said, right) == case["vlmevalkit"], case
        assert relaxed_match(right, said) == case["official"], case
    compared("ChartQA answers", 3 * len(cases))


@each("*chartqa_cases*.json*")
def test_chartqa_sets_have_the_official_scores(path: Path, compared: Compared) -> None:
    for one in read_json(path)["sets"]:
        rows = [
            row(
                i,
                {"origin": case["type"].removesuffix("_test")},
                hit("chartqa", "official", case["prediction"], case["target"]),
            )
            for i, case in enumerate(one["rows"])
        ]
        ours = numbers("chartqa", rows)
        assert 100 * ours["accuracy"] == pytest.approx(one["official_percent"], abs=1e-10)
        for key, name in (
            ("relaxed_overall", "accuracy"),
            ("relaxed_human_split", "accuracy origin=human"),
            ("relaxed_augmented_split", "accuracy origin=augmented"),
        ):
            if name in ours:
                assert ours[name] == pytest.approx(one["lmms-eval"][key], abs=1e-12), key
        compared("ChartQA sets, answers", len(rows))


def _answers(found: str | Sequence[str]) -> Sequence[str]:
    return [found] if isinstance(found, str) else found


@each("*ocrbench_cases*.json*")
def test_ocrbench_answers_are_scored_as_three_tools_score_them(path: Path, compared: Compared) -> None:
    cases = read_json(path)["cases"]
    for case in cases:
        labels = {"dataset": case["dataset_name"], "question_type": case["type"]}
        answers = _answers(case["answers"])
        for rules in ("official", "lmms-eval", "vlmevalkit"):
            got = hit("ocrbench", rules, case["prediction"], answers, labels=labels)
            assert got == case[rules], (rules, case)
        squeezed = case["dataset_name"] == "HME100k"
        assert case["official"] == any(contains(a, case["prediction"], squeezed=squeezed) for a in answers)
    compared("OCRBench answers", 3 * len(cases))


@each("*ocrbench_cases*.json*")
def test_ocrbench_sets_have_the_official_counts(path: Path, compared: Compared) -> None:
    found = read_json(path)
    for one in found["sets"]:
        rows = []
        for i, ((dataset, kind), right, said) in enumerate(
            zip(found["meta"]["order"], one["answers"], one["predictions"], strict=True)
        ):
            labels = {"dataset": dataset, "question_type": kind}
            value = hit("ocrbench", "official", said, _answers(right), labels=labels)
            rows.append(row(i, labels, value))
        assert [int(r.values["accuracy"]) for r in rows] == one["hits"]
        ours = numbers("ocrbench", rows)
        assert ours["accuracy"] * len(rows) == pytest.approx(one["final"], abs=1e-9)
        kinds = [kind for _, kind in found["meta"]["order"]]
        for kind, count in one["by_type"].items():
            got = ours[f"accuracy question_type={kind}"] * kinds.count(kind)
            assert got == pytest.approx(count, abs=1e-9), kind
        compared("OCRBench sets, answers", len(rows))
