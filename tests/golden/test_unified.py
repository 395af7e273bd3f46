"""Letters out of answers about a model's own images: UniEval, RealUnify, and BLINK as lmms-eval reads it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from evalsuite.metrics.letters import read_letter
from tests.golden.comprehension import LETTERS, numbers, row
from tests.goldens import case_files, find_support, read_json

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


@each("*unieval_cases*.json*")
def test_unibench_runs_have_the_official_statistics(path: Path, compared: Compared) -> None:
    """Prompts and tags are UniBench's own; without its file only the replies' distribution could be had."""
    place = find_support("comprehension", "uni_bench.json") or find_support("unieval", "uni_bench.json")
    if place is None:
        pytest.skip("UniBench (uni_bench.json) is not in the golden folder")
    bench = read_json(place)
    for run in read_json(path)["runs"]:
        cases = range(len(bench)) if run["cases"] == "all" else run["cases"]
        marks, rows = iter(run["records"]), []
        for case in cases:
            for _ in range(run["images_per_case"]):
                for question in bench[case]["QAs"]:
                    labels = dict(zip(("L0", "L1", "L2"), question["tag"].split(", "), strict=True))
                    labels["prompt"] = str(case)
                    rows.append(row(len(rows), labels, float(next(marks) == "1"), str(case)))
        assert next(marks, None) is None
        ours, official = numbers("unieval", rows), run["official"]
        assert ours["UniScore"] == official["tag-L1-UniScore"]
        assert ours["UniScore-L0"] == official["tag-L0-UniScore"]
        assert ours["UniScore-L2"] == official["tag-L2-UniScore"]
        assert ours["UniScore-case"] == official["case-UniScore"]
        assert ours["UniScoreA"] == official["UniScoreA"]
        compared("UniEval runs, answers", len(rows))
