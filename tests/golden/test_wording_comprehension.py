"""The wording of lmms-eval's MME and AI2D, and InternVL's postprocessing of MME, against their own code."""

from __future__ import annotations

from pathlib import Path

import pytest

from evalsuite.content import Text
from evalsuite.task.prompts import postprocess, preprocess, render
from tests.golden.comprehension import LETTERS, benchmark
from tests.goldens import case_files, read_json


def each(pattern: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("path", case_files(pattern), ids=lambda path: path.name)


def asked(name: str, protocol: str, **values: str) -> str:
    """The wording of a protocol without its images."""
    spec = benchmark(name).protocols[protocol]
    parts = render(spec.template, preprocess({"image": "", **values}, spec.preprocess))
    return "".join(part.text for part in parts if isinstance(part, Text))


@each("*mme_cases*.json*")
def test_mme_is_asked_as_lmms_eval_asks(path: Path) -> None:
    suffix = "\nAnswer the question using a single word or phrase."
    cases = [case for case in read_json(path)["prompts"] if case["kwargs"]["post_prompt"] == suffix]
    assert cases
    for case in cases:
        assert asked("mme", "lmms-eval", question=case["question"]) == case["lmms-eval"]


@each("*ai2d_cases*.json*")
def test_ai2d_is_asked_as_lmms_eval_asks(path: Path) -> None:
    cases = [case for case in read_json(path)["prompts"] if case["kwargs"]["prompt_format"] == "mcq"]
    assert cases
    for case in cases:
        pairs = zip(LETTERS, case["options"], strict=False)
        options = "\n".join(f"{letter}. {text}" for letter, text in pairs)
        assert asked("ai2d", "lmms-eval", question=case["question"], options=options) == case["prompt"]


@each("*mme_cases*.json*")
def test_internvls_postprocessing_of_mme(path: Path) -> None:
    steps = benchmark("mme").protocols["internvl"].postprocess
    cases = read_json(path)["answers"]
    assert cases
    for case in cases:
        assert postprocess(case["answer"], steps) == case["internvl_post_processing"], case
