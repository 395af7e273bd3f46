"""MMStar, AI2D, BLINK and RealWorldQA: letters out of answers, and the sets' official scores."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from evalsuite.metrics.letters import read_letter
from tests.golden.comprehension import LETTERS, hit, numbers, row
from tests.goldens import case_files, read_json

Compared = Callable[[str, int], None]


def each(pattern: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("path", case_files(pattern), ids=lambda path: path.name)


@each("*mmstar_cases*.json*")
def test_mmstar_answers_are_scored_as_both_tools_score_them(path: Path, compared: Compared) -> None:
    cases = read_json(path)["answers"]
    for case in cases:
        for rules in ("official", "lmms-eval"):
            got = hit("mmstar", rules, case["prediction"], case["answer"], "abcd")
            assert got == case[rules], (rules, case)
    compared("MMStar answers", 2 * len(cases))


@each("*mmstar_cases*.json*")
def test_mmstar_sets_have_the_official_scores(path: Path, compared: Compared) -> None:
    """The official script divides by 250 per category, as many as each has in the data; made-up sets have a
    few more or less."""
    found = read_json(path)
    published = found["meta"].get("published_run")
    for one in [*found["sets"], *([published] if published else [])]:
        rows = [
            row(i, {"category": kind, "l2_category": part}, hit("mmstar", "official", said, right, "abcd"))
            for i, (said, right, kind, part) in enumerate(one["rows"])
        ]
        ours = numbers("mmstar", rows)
        for name, value in one["official"].items():
            if name == "final score":
                assert ours["accuracy"] == pytest.approx(value, abs=1e-12)
            elif name.endswith(")"):
                part = name[name.index("(") + 1 : -1]
                assert ours[f"accuracy l2_category={part}"] == pytest.approx(value, abs=1e-12), name
            else:
                count = sum(kind == name for *_, kind, _ in one["rows"])
                assert ours[f"accuracy category={name}"] * count / 250 == pytest.approx(value, abs=1e-12), (
                    name
                )
        compared("MMStar sets, answers", len(rows))


@each("*ai2d_cases*.json*")
def test_ai2d_answers_are_scored_as_three_tools_score_them(path: Path, compared: Compared) -> None:
    cases = read_json(path)["answers"]
    columns = {"lmms-eval": "lmms-eval", "cambrian": "cambrian", "internvl": "internvl_exact"}
    for case in cases:
        for rules, column in columns.items():
            got = hit("ai2d", rules, case["prediction"], LETTERS[case["answer"]], case["options"])
            assert got == case[column], (rules, case)
    compared("AI2D answers", 3 * len(cases))


@each("*blink_cases*.json*")
def test_blink_answers_give_the_official_letter_or_none(path: Path, compared: Compared) -> None:
    cases = read_json(path)["extract"]
    for case in cases:
        letter = read_letter(case["answer"], dict(zip(LETTERS, case["choices"], strict=False)), "blink")
        assert (letter and f"({letter})") == case["official"], case
        assert (letter is None) == case["asks_judge"], case
    compared("BLINK answers", len(cases))


@each("*blink_cases*.json*")
def test_blink_runs_have_their_published_totals(path: Path, compared: Compared) -> None:
    found = read_json(path)
    ids, answers = found["meta"]["ids_in_order"], found["meta"]["answers_in_order"]
    for run in found["published_runs"]:
        rows = [
            row(i, {"sub_task": name.removeprefix("val_").rpartition("_")[0]}, float(said == right))
            for i, (name, right, said) in enumerate(zip(ids, answers, run["predictions"], strict=True))
        ]
        ours = numbers("blink-val", rows)
        for name, value in run["official"].items():
            key = name if name == "Total" else f"accuracy sub_task={name}"
            assert ours[key] == pytest.approx(value, abs=1e-12), (run["model"], name)
        compared("BLINK published runs, predictions", len(rows))


@each("*mcq_lmms_cases*.json*")
def test_lmms_evals_shared_extractor_finds_the_same_letters(path: Path, compared: Compared) -> None:
    cases = read_json(path)["extract"]
    for case in cases:
        letter = read_letter(case["answer"], dict.fromkeys(case["choices"], ""), "lmms-mcq")
        assert (letter or "") == case["lmms-eval"], case
    compared("lmms-eval's letter extractor", len(cases))


@each("*mcq_lmms_cases*.json*")
def test_realworldqa_answers_are_scored_by_letter_or_text(path: Path, compared: Compared) -> None:
    cases = read_json(path)["realworldqa"]
    for case in cases:
        options = "abcd" if case["answer"] in "ABCD" else ""
        got = hit("realworldqa", "lmms-eval", case["prediction"], case["answer"], options)
        assert got == case["lmms-eval"], case
    compared("RealWorldQA answers", len(cases))


@each("*blink_real_answers_cases*.json*")
def test_blinks_rule_reads_in_real_answers_what_its_authors_read(path: Path, compared: Compared) -> None:
    """Their letters come from the rule, and from GPT-3.5 where it decides nothing: "(Z)" where an answer is
    none of the options, which the cases do not name."""
    cases = read_json(path)["answers"]
    found = [
        (letter, case)
        for case in cases
        if (letter := read_letter(case["full_prediction"], dict.fromkeys("ABCDE", ""), "blink"))
    ]
    assert len(found) > len(cases) / 2
    for letter, case in found:
        assert case["prediction"] in (f"({letter})", "(Z)"), case
    compared("BLINK real answers", len(found))
