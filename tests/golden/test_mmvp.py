"""MMVP: letters out of answers as three programs read them, and their scores of pairs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from evalsuite.metrics.letters import read_letter
from tests.golden.comprehension import hit, numbers, row
from tests.goldens import case_files, read_json

Compared = Callable[[str, int], None]


def each(pattern: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("path", case_files(pattern), ids=lambda path: path.name)


@each("*mmvp_cases*.json*")
def test_answers_are_read_as_bagel_and_cambrian_read_them(path: Path, compared: Compared) -> None:
    """BAGEL's code gives the answer itself back where it finds no letter, and stops at an empty one."""
    cases = read_json(path)["picks"]
    for case in cases:
        theirs = case["bagel"] if case["bagel"] in ("A", "B") else None
        assert read_letter(case["answer"], case["options"], "mmvp-bagel") == theirs, case
        said = case["cambrian_text"]
        letters = [k for k, text in case["options"].items() if said in (k.lower(), text.lower())]
        assert read_letter(case["answer"], case["options"], "mmvp-cambrian") == (letters or [None])[0], case
    compared("MMVP answers", 2 * len(cases))


def _hits(rules: str, rows: Sequence[dict[str, Any]]) -> list[float]:
    found = []
    for one in rows:
        options = [*one["options"].values()]
        value = hit("mmvp", rules, one["answer"], one["gt_answer"][1].upper(), options)
        assert value is not None
        found.append(value)
    return found


def _pairs(hits: Sequence[float]) -> dict[str, float]:
    return numbers(
        "mmvp", [row(i, {"pair": str(i // 2)}, value, str(i // 2)) for i, value in enumerate(hits)]
    )


@each("*mmvp_cases*.json*")
def test_sets_have_bagels_pairs_and_cambrians_count(path: Path, compared: Compared) -> None:
    """Cambrian counts by the parity of its sum, which goes wrong where only the second of a pair is right:
    its count is made of our hits here, and is no metric of the benchmark."""
    for one in read_json(path)["sets"]:
        if "error" not in str(one["bagel"]):
            ours = _pairs(_hits("bagel", one["rows"]))
            assert ours["pairs"] * one["bagel"]["pairs"] == pytest.approx(one["bagel"]["pairs_right"])
        count = 0
        for i, value in enumerate(_hits("cambrian", one["rows"])):
            second, odd = i % 2 == 1, count % 2 == 1
            count += (value == 1 and (not second or odd)) - (value == 0 and second and odd)
        assert count == one["cambrian"]["correct"]
        compared("MMVP sets, answers", 2 * len(one["rows"]))


@each("*mmvp_cases*.json*")
def test_graded_pairs_count_as_officially(path: Path, compared: Compared) -> None:
    for one in read_json(path)["graded_pairs"]:
        grades = [float(grade == "yes") for grade in one["grades_in_order"]]
        grades = grades[: 2 * one["official"]["pairs"]]
        ours = _pairs(grades)
        assert ours["pairs"] * one["official"]["pairs"] == pytest.approx(one["official"]["pairs_right"])
        compared("MMVP graded pairs", len(grades))


@each("*mmvp_lmms_cases*.json*")
def test_lmms_evals_letters_and_scores(path: Path, compared: Compared) -> None:
    """Its code corrects four answers of the original data by their index; made-up sets stay below those."""
    found = read_json(path)
    for case in found["letters"]:
        assert (read_letter(case["prediction"], {}, "mmvp-lmms") or "") == case["lmms_letter"], case
    compared("MMVP letters of lmms-eval", len(found["letters"]))
    for one in found["sets"]:
        hits = []
        for each_row in one["rows"]:
            right = each_row["doc"]["Correct Answer"].strip().lower().strip("()").upper()
            letter = read_letter(each_row["prediction"], {}, "mmvp-lmms")
            hits.append((each_row["doc"]["Index"], float(letter == right)))
        rows = [
            row(i, {"pair": str((index - 1) // 2)}, value, str((index - 1) // 2))
            for i, (index, value) in enumerate(hits)
        ]
        ours = numbers("mmvp", rows)
        official = one["lmms-eval"]
        assert ours["accuracy"] == pytest.approx(official["mmvp_accuracy|mmvp_aggregate_results"], abs=1e-12)
        assert ours["pairs"] == pytest.approx(
            official["mmvp_pair_accuracy|mmvp_aggregate_pair_results"], abs=1e-12
        )
        compared("MMVP sets of lmms-eval, answers", len(rows))
