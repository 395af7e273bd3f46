"""Choice extraction and circular evaluation: edges; compared with the tools in tests/golden."""

from __future__ import annotations

import pytest

from evalsuite.errors import SampleError, SpecError
from evalsuite.metrics.choice import (
    circular_hit,
    extract_choice,
    rotations_of,
)


def test_a_wrong_rotation_decides_even_when_another_is_open() -> None:
    assert circular_hit("AB", [None, "A"]) is False
    assert circular_hit("AB", [None, "B"]) is None
    assert circular_hit("AB", ["A", "B"]) is True


def test_a_rotation_without_its_first_row_is_left_out() -> None:
    assert rotations_of([1, 1_000_001, 1_000_002]) == {1: [0, 1]}


def test_unknown_rules_and_unequal_groups_are_refused() -> None:
    with pytest.raises(SpecError, match="vlmevalkit"):
        extract_choice("A", {"A": "x"}, "nope")
    with pytest.raises(SampleError):
        circular_hit("AB", ["A"])
