"""Letters out of answers about a model's own images: UniEval, RealUnify, and BLINK as lmms-eval reads it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from evalsuite.metrics.letters import read_letter
from tests.golden.comprehension import LETTERS
from tests.goldens import case_files, read_json

Compared = Callable[[str, int], None]


def each(pattern: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("path", case_files(pattern), ids=lambda path: path.name)


@each("*unieval_cases*.json*")
def test_unieval_replies_mean_the_official_letter(path: Path, compared: Compared) -> None:
    cases = read_json(path)["answers"]
    for case in cases:
        options = dict(zip(LETTERS, case["options"], strict=False))
        letter = read_letter(case["reply"], options, "unieval")
        assert (letter or "None") == case["official"]["letter"], case
        right = -1 if letter is None else int(letter == case["answer"])
        assert right == case["official"]["right"], case
    compared("UniEval answers", len(cases))


@each("*realunify_cases*.json*")
def test_realunify_answers_are_read_as_two_tools_read_them(path: Path, compared: Compared) -> None:
    cases = read_json(path)["answers"]
    for case in cases:
        assert (read_letter(case["response"], {}, "realunify") or "") == case["official"], case
        assert (read_letter(case["response"], {}, "realunify-lmms") or "") == case["lmms-eval"], case
    compared("RealUnify answers", 2 * len(cases))


@each("*unified_small_cases*.json*")
def test_blink_letters_of_lmms_eval(path: Path, compared: Compared) -> None:
    cases = read_json(path)["blink_letters"]
    for case in cases:
        assert (read_letter(case["prediction"], {}, "blink-lmms") or "") == case["lmms_letter"], case
    compared("BLINK letters of lmms-eval", len(cases))
