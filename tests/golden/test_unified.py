"""Letters out of answers about a model's own images: UniEval, RealUnify, and BLINK as lmms-eval reads it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from evalsuite.metrics.drift import drift_decay, mean_drift
from evalsuite.metrics.letters import read_letter
from evalsuite.metrics.puzzles import jigsaw_choice, maze_moves, moves_right
from evalsuite.metrics.ueval import image_verdict, parse_rubric, rubric_met, rubric_summary
from evalsuite.task import SampleScore
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
        marks = iter(run["records"])
        rows: list[SampleScore] = []
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


@each("*realunify_cases*.json*")
def test_realunify_images_are_right_where_all_replies_are(path: Path, compared: Compared) -> None:
    cases = read_json(path)["ueg"]
    for case in cases:
        assert image_verdict(case["answers"], case["judge_replies"]) == bool(case["score"]), case
    compared("RealUnify images", len(cases))


@each("*ueval_cases*.json*")
def test_ueval_replies_and_summaries(path: Path, compared: Compared) -> None:
    found = read_json(path)
    for case in found["replies"]:
        if "error" in case["official"]:
            with pytest.raises(Exception):  # noqa: B017 - the official script raises several kinds
                parse_rubric(case["reply"])["criteria_met"]
            continue
        value = parse_rubric(case["reply"]).get("criteria_met")
        assert rubric_met(value) == case["official"]["met"], case
    compared("UEval replies", len(found["replies"]))
    for one in found["summaries"]:
        ours, official = rubric_summary(one["items"]), one["official"]
        for kind in ("text", "image"):
            expected = official[f"{kind}_avg_rate"]
            assert ours[kind] == (None if expected is None else pytest.approx(expected, abs=1e-12))
        compared("UEval summaries, items", len(one["items"]))


@each("*mme_unify_cases*.json*")
def test_mme_unify_counts_equal_letters(path: Path, compared: Compared) -> None:
    for one in read_json(path)["sets"]:
        hits = [
            float(
                bool(r["output"])
                and read_letter(r["output"], dict.fromkeys("ABCDEF", ""), "equal") == r["answer"]
            )
            for r in one["rows"]
        ]
        assert sum(hits) / len(hits) == pytest.approx(one["overall"], abs=1e-12)
        for kind, value in one["by_category"].items():
            part = [hit for hit, r in zip(hits, one["rows"], strict=True) if r["category"] == kind]
            assert sum(part) / len(part) == pytest.approx(value, abs=1e-12)
        compared("MME-Unify answers", len(hits))


@each("*uni_mmmu_jigsaw_cases*.json*")
def test_jigsaw_choices(path: Path, compared: Compared) -> None:
    cases = read_json(path)["texts"]
    for case in cases:
        assert jigsaw_choice(case["text"]) == (case["choice"], case["status"]), case
    compared("Uni-MMMU jigsaw", len(cases))


@each("*unified_small_cases*.json*")
def test_maze_moves_and_drifts(path: Path, compared: Compared) -> None:
    found = read_json(path)
    for case in found["maze_moves"]:
        moves = maze_moves(case["text"])
        exact, share = moves_right(moves, case["gt"])
        assert (moves, exact) == (case["moves"], bool(case["text_exact"])), case
        assert share == pytest.approx(case["text_frame_acc"], abs=1e-12), case
    compared("Uni-MMMU moves", len(found["maze_moves"]))
    for case in found["drift"]:
        assert mean_drift(case["mean_similarity"]) == pytest.approx(case["MCD"], abs=1e-12)
        if case["SDR_abc"] is not None and "error" not in str(case["SDR_abc"]):
            fit = drift_decay(case["generations"], case["mean_similarity"])
            assert fit == pytest.approx(case["SDR_abc"], abs=1e-4)
    compared("drifts", len(found["drift"]))
