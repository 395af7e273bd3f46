"""Choice extraction and circular evaluation against VLMEvalKit and lmms-eval."""

from __future__ import annotations

import pytest

from evalsuite.errors import SampleError, SpecError
from evalsuite.metrics.choice import (
    _vlmevalkit_letter,
    ability_report,
    circular_hit,
    extract_choice,
    rotations_of,
)
from tests.goldens import load_json


def test_every_extraction_case_gives_the_letters_of_both_tools():
    rows = load_json("oracles", "mmbench_cases.json.gz")["rows"]
    assert len(rows) > 500
    for prediction, options, vlmevalkit, letter_only, lmms_eval in rows:
        assert extract_choice(prediction, options) == vlmevalkit, (prediction, options)
        assert extract_choice(prediction, options, "lmms-eval") == lmms_eval, (prediction, options)
        present = {key: text for key, text in options.items() if text is not None}
        assert _vlmevalkit_letter(prediction, present) == letter_only, (prediction, options)


def _circular():
    circular = load_json("oracles", "mmbench_cases.json.gz")["circular"]
    table = circular["table"]
    picks = [extract_choice(row["prediction"], {letter: row[letter] for letter in "ABCD"}) for row in table]
    groups = rotations_of([row["index"] for row in table])
    hits = {
        question: circular_hit([table[i]["answer"] for i in rows], [picks[i] for i in rows])
        for question, rows in groups.items()
    }
    return circular, table, hits


def test_circular_hits_equal_the_official_ones_with_undecided_groups_wrong():
    circular, _, hits = _circular()
    assert {str(question): int(bool(hit)) for question, hit in hits.items()} == circular["hit"]
    assert sum(hit is None for hit in hits.values()) == circular["undecided_groups_needing_LLM"]


def test_ability_report_equals_the_official_table():
    circular, table, hits = _circular()
    first = [row for row in table if row["index"] in hits]
    report = ability_report(
        [float(bool(hits[row["index"]])) for row in first],
        [row["split"] for row in first],
        [row["l2-category"] for row in first],
        [row["category"] for row in first],
    )
    assert {split: report[split] for split in circular["report_acc"]} == circular["report_acc"]


def test_a_wrong_rotation_decides_even_when_another_is_open():
    assert circular_hit("AB", [None, "A"]) is False
    assert circular_hit("AB", [None, "B"]) is None
    assert circular_hit("AB", ["A", "B"]) is True


def test_a_rotation_without_its_first_row_is_left_out():
    assert rotations_of([1, 1_000_001, 1_000_002]) == {1: [0, 1]}


def test_unknown_rules_and_unequal_groups_are_refused():
    with pytest.raises(SpecError, match="vlmevalkit"):
        extract_choice("A", {"A": "x"}, "nope")
    with pytest.raises(SampleError):
        circular_hit("AB", ["A"])
