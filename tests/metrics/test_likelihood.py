"""Choices from log-likelihoods against lm-evaluation-harness (oracles/llm_cases.json.gz)."""

from __future__ import annotations

import math

import pytest

from evalsuite.errors import SampleError
from evalsuite.metrics.likelihood import choose
from tests.goldens import load_json


def test_every_recorded_document_has_the_harness_metrics():
    compared = 0
    rows = load_json("oracles", "llm_cases.json.gz")["rows"]
    for _, document, _, continuations, gold, sums, metrics in rows:
        if isinstance(continuations, str):  # one continuation after two contexts
            choices = [document["option1"], document["option2"]]
        else:
            choices = [continuation.removeprefix(" ") for continuation in continuations]
        chosen = choose([-math.inf if value is None else value for value in sums], choices)
        ours = {"acc": chosen.plain, "acc_norm": chosen.per_character, "acc_bytes": chosen.per_byte}
        assert metrics == {name: float(ours[name] == gold) for name in metrics}
        compared += 1
    assert compared > 250


def test_characters_are_not_bytes():
    chosen = choose([-6.0, -7.0], ["猫猫", "cats"])
    assert (chosen.plain, chosen.per_character, chosen.per_byte) == (0, 1, 0)


def test_the_first_of_equals_wins():
    assert choose([-1.0, -1.0], ["a", "b"]).plain == 0


def test_nan_and_missing_values_are_refused():
    with pytest.raises(SampleError, match="NaN"):
        choose([float("nan"), -1.0], ["a", "b"])
    with pytest.raises(SampleError):
        choose([-1.0], ["a", "b"])
