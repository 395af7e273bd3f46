"""MMMU-Pro: the parser, and the published answers of GPT-4o."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from evalsuite.metrics.letters import read_letter
from tests.golden.comprehension import LETTERS, hit, numbers, row
from tests.goldens import case_files, read_json

Compared = Callable[[str, int], None]
EVERY_FILE = pytest.mark.parametrize("path", case_files("*mmmu_pro_cases*.json*"), ids=lambda path: path.name)


@EVERY_FILE
def test_answers_give_the_official_letter_or_a_guess(path: Path, compared: Compared) -> None:
    cases = read_json(path)["parse"]
    for case in cases:
        options = dict(zip(LETTERS, case["options"], strict=False))
        assert read_letter(case["response"], options, "mmmu-pro") == case["official"], case
    compared("MMMU-Pro answers", len(cases))


@EVERY_FILE
def test_gpt4o_has_its_published_score_but_for_the_guesses(path: Path, compared: Compared) -> None:
    for run in read_json(path)["published_runs"]:
        name = "mmmu-pro-vision" if "vision" in run["file"] else "mmmu-pro-standard"
        rows, guessed = [], 0
        for i, one in enumerate(run["rows"]):
            value = hit(name, "official", one["response"], one["answer"], one["options"])
            if one["rule"] is None:
                guessed += bool(one["published_right"])
                assert value == 0
            else:
                assert value == one["published_right"], one["id"]
            subject = "_".join(one["id"].split("_")[1:-1])
            rows.append(row(i, {"subject": subject}, value))
        right = sum(bool(one["published_right"]) for one in run["rows"])
        if run["complete"]:
            assert right == run["published_right_of_1730"]
        assert numbers(name, rows)["accuracy"] * len(rows) == pytest.approx(right - guessed)
        compared("MMMU-Pro published runs, answers", len(rows))
