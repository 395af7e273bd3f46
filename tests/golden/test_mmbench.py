"""MMBench: letters out of free text, circular evaluation, abilities, and real uploads with their results."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from evalsuite.metrics.choice import (
    _vlmevalkit_letter,
    ability_report,
    circular_hit,
    extract_choice,
    rotations_of,
)
from tests.golden.published import agrees, expected_of
from tests.goldens import case_files, read_json, read_text

Compared = Callable[[str, int], None]
EVERY_FILE = pytest.mark.parametrize("path", case_files("*mmbench_cases*.json*"), ids=lambda path: path.name)
LETTERS = "ABCD"


def _hits(table: list[dict[str, Any]]) -> tuple[dict[int, bool | None], dict[int, bool]]:
    """Per question: whether all rotations are right (None: only a judge can tell), and the first alone."""
    options = [{letter: row.get(letter) for letter in LETTERS} for row in table]
    picks = [extract_choice(row["prediction"], given) for row, given in zip(table, options, strict=True)]
    groups = rotations_of([int(row["index"]) for row in table])
    circular = {
        question: circular_hit([table[i]["answer"] for i in rows], [picks[i] for i in rows])
        for question, rows in groups.items()
    }
    first = {
        question: any(picks[i] == table[i]["answer"] for i in rows if int(table[i]["index"]) == question)
        for question, rows in groups.items()
    }
    return circular, first


@EVERY_FILE
def test_every_extraction_case_gives_the_letters_of_both_tools(path: Path, compared: Compared) -> None:
    rows = read_json(path)["rows"]
    for prediction, options, vlmevalkit, letter_only, lmms_eval in rows:
        assert extract_choice(prediction, options) == vlmevalkit, (prediction, options)
        assert extract_choice(prediction, options, "lmms-eval") == lmms_eval, (prediction, options)
        present = {key: text for key, text in options.items() if text is not None}
        assert _vlmevalkit_letter(prediction, present) == letter_only, (prediction, options)
    compared("MMBench choice extraction, VLMEvalKit's and lmms-eval's rules", len(rows))


@EVERY_FILE
def test_circular_hits_equal_the_official_ones_with_undecided_groups_wrong(
    path: Path, compared: Compared
) -> None:
    circular = read_json(path).get("circular")
    if circular is None:
        pytest.skip(f"{path.name} has no circular table")
    hits, _ = _hits(circular["table"])
    assert {str(question): int(bool(hit)) for question, hit in hits.items()} == circular["hit"]
    assert sum(hit is None for hit in hits.values()) == circular["undecided_groups_needing_LLM"]
    compared("MMBench CircularEval, questions", len(hits))


@EVERY_FILE
def test_ability_report_equals_the_official_table(path: Path, compared: Compared) -> None:
    circular = read_json(path).get("circular")
    if circular is None:
        pytest.skip(f"{path.name} has no circular table")
    hits, _ = _hits(circular["table"])
    first = [row for row in circular["table"] if row["index"] in hits]
    report = ability_report(
        [float(bool(hits[row["index"]])) for row in first],
        [row["split"] for row in first],
        [row["l2-category"] for row in first],
        [row["category"] for row in first],
    )
    assert {split: report[split] for split in circular["report_acc"]} == circular["report_acc"]
    compared("MMBench ability report, cells", sum(map(len, circular["report_acc"].values())))


@pytest.mark.parametrize("path", case_files("mmbench/*.tsv*", "*mmbench*.tsv*"), ids=lambda path: path.name)
def test_real_uploads_give_the_published_accuracy(path: Path, compared: Compared) -> None:
    csv.field_size_limit(1 << 30)
    rows = list(csv.DictReader(io.StringIO(read_text(path)), delimiter="\t"))
    assert rows, f"{path.name} is empty"
    if lacking := sorted({"index", "answer", "prediction"} - set(rows[0])):
        pytest.skip(f"{path.name} has no column {', '.join(lacking)}")
    table = [_row(row) for row in rows]
    hits, vanilla = _hits(table)
    ours = {
        "circular": sum(map(bool, hits.values())) / len(hits),
        "vanilla": sum(vanilla.values()) / len(vanilla),
    }
    expected = expected_of("mmbench", path)
    if not expected:
        pytest.skip(f"no expected value for {path.name} beside it or in published.json")
    for name, value in expected.items():
        assert agrees(ours[name], value), (name, ours[name], value)
    compared("MMBench real uploads, questions", len(hits))


def _row(row: Mapping[str, str]) -> dict[str, Any]:
    """Empty cells are absent options, as pandas reads them."""
    return {key: value for key, value in row.items() if value != "" or key == "prediction"}
