"""MME: answers read under three rules, and the totals of whole answer sets from the declared metrics."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from evalsuite.metrics.pope import yes_or_no
from evalsuite.task import SampleScore
from tests.golden.comprehension import benchmark, hit, numbers, row
from tests.goldens import case_files, read_json

Compared = Callable[[str, int], None]
READ = {True: "yes", False: "no", None: "other"}
VLMEVALKIT = {True: "Yes", False: "No", None: "Unknown"}


def each(pattern: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("path", case_files(pattern), ids=lambda path: path.name)


@each("*mme_cases*.json*")
def test_answers_are_read_as_three_tools_read_them(path: Path, compared: Compared) -> None:
    cases = read_json(path)["answers"]
    for case in cases:
        said = case["answer"]
        assert READ[yes_or_no(said, "mme")] == case["official"], case
        assert READ[yes_or_no(said + "\n", "mme")] == case["official_at_line_end"], case
        assert READ[yes_or_no(said, "mme-lmms")] == case["lmms-eval"], case
        assert VLMEVALKIT[yes_or_no(said, "vlmevalkit")] == case["vlmevalkit"], case
    compared("MME answers", 4 * len(cases))


def _row(place: int, parts: tuple[str, str, str, str], rules: str) -> SampleScore:
    task, image, right, said = parts
    value = hit("mme", rules, said, right.lower())
    return row(place, {"category": task, "image": image}, value, f"{task}/{image}")


def _of_files(files: dict[str, str]) -> Iterator[tuple[str, str, str, str]]:
    """Task, image, right answer and answer of the official text files."""
    for task, text in files.items():
        for line in text.replace("\r\n", "\n").replace("\r", "\n").splitlines():
            if line:
                image, _, right, said = line.split("\t", 3)
                yield task, image, right, said


def _equal_official(rows: list[SampleScore], official: dict[str, dict[str, float]]) -> None:
    ours = numbers("mme", rows)
    assert 100 * ours["MME-P"] == pytest.approx(official["Perception"]["total"], abs=1e-9)
    assert 100 * ours["MME-C"] == pytest.approx(official["Cognition"]["total"], abs=1e-9)
    for group in official.values():
        for task, value in group.items():
            if task != "total":
                parts = [ours[f"{name} category={task}"] for name in ("accuracy", "accuracy+")]
                assert 100 * sum(parts) == pytest.approx(value, abs=1e-9), task


@each("*mme_cases*.json*")
def test_answer_files_have_the_official_totals(path: Path, compared: Compared) -> None:
    for one in read_json(path)["official_sets"]:
        rows = [_row(i, parts, "official") for i, parts in enumerate(_of_files(one["files"]))]
        _equal_official(rows, one["official"])
        compared("MME official answer files, answers", len(rows))


def _equal_lmms(rows: list[SampleScore], expected: dict[str, float]) -> None:
    ours = numbers("mme", rows)
    assert 100 * ours["MME-P"] == pytest.approx(expected["mme_perception_score"], abs=1e-9)
    assert 100 * ours["MME-C"] == pytest.approx(expected["mme_cognition_score"], abs=1e-9)


@each("*mme_cases*.json*")
def test_shuffled_rows_have_lmms_evals_totals(path: Path, compared: Compared) -> None:
    for one in read_json(path)["lmms_sets"]:
        rows = [
            _row(i, (r["category"], r["question_id"], r["answer"], r["said"]), "lmms-eval")
            for i, r in enumerate(one["rows"])
        ]
        _equal_lmms(rows, one["lmms-eval"])
        compared("MME lmms-eval sets, answers", len(rows))


@each("*mme_full_cases*.json*")
def test_whole_answer_sets_have_both_totals(path: Path, compared: Compared) -> None:
    found = read_json(path)
    for one in found["sets"]:
        asked: list[tuple[str, str, str, str]] = [
            (task, image, right, said)
            for task, images in found["meta"]["images_and_labels"].items()
            for (image, right), said in zip(images, one["answers"][task], strict=True)
        ]
        assert len(asked) == benchmark("mme").count
        _equal_official([_row(i, parts, "official") for i, parts in enumerate(asked)], one["official"])
        _equal_lmms([_row(i, parts, "lmms-eval") for i, parts in enumerate(asked)], one["lmms-eval"])
        compared("MME whole answer sets, answers", 2 * len(asked))
