"""HallusionBench: both aggregations of the same gradings."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.golden.comprehension import benchmark, numbers, row
from tests.goldens import case_files, read_json

Compared = Callable[[str, int], None]
EVERY_FILE = pytest.mark.parametrize(
    "path", case_files("*hallusionbench_cases*.json*"), ids=lambda path: path.name
)
REPLIES = {"0": "Incorrect.", "1": '"correct"', "2": "unclear"}
LABELS = ("category", "subcategory", "visual_input", "set", "figure", "question")


def _graded(key: list[str], grade: str) -> float:
    """The value of a grade, read out of a judge's reply as the benchmark's own file says."""
    judge = benchmark("hallusionbench").judge
    assert judge is not None
    return judge.grade(REPLIES[grade], dict(zip(LABELS, key, strict=False)))[0]


@EVERY_FILE
def test_gradings_aggregate_as_officially(path: Path, compared: Compared) -> None:
    found = read_json(path)
    keys = found["meta"]["keys"]
    for one in found["sets"]:
        grades, official = one["correctness"], one["official"]
        rows = [
            row(i, dict(zip(LABELS, key, strict=False)), _graded(key, grade))
            for i, (key, grade) in enumerate(zip(keys, grades, strict=True))
        ]
        ours = numbers("hallusionbench", rows)
        for name in ("aAcc", "qAcc", "fAcc", "easy", "hard"):
            assert round(100 * ours[name], 4) == official[name], name
        for kind in ("VD", "VS"):
            for name in ("aAcc", "qAcc", "fAcc"):
                assert round(100 * ours[f"{name} category={kind}"], 4) == official[kind][name], (kind, name)
        compared("HallusionBench gradings, official", len(rows))


@EVERY_FILE
def test_questions_with_images_aggregate_as_in_vlmevalkit(path: Path, compared: Compared) -> None:
    found = read_json(path)
    for one in found["sets"]:
        rows = [
            row(i, dict(zip(LABELS, key, strict=False)), float(grade == "1"))
            for i, (key, grade) in enumerate(zip(found["meta"]["keys"], one["correctness"], strict=True))
            if key[2] != "0"
        ]
        ours = numbers("hallusionbench-image", rows)
        official = one["vlmevalkit_images_only"]
        for part, values in official.items():
            for name, value in values.items():
                group = {"Overall": "", "VD": " category=VD", "VS": " category=VS"}.get(
                    part, f" subcategory={part}"
                )
                if f"{name}{group}" in ours or not group:
                    assert 100 * ours[f"{name}{group}"] == pytest.approx(value, abs=1e-9), (part, name)
        overall = sum(official["Overall"].values()) / 3
        assert 100 * ours["overall"] == pytest.approx(overall, abs=1e-9)
        compared("HallusionBench questions with images, VLMEvalKit", len(rows))
