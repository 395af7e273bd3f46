"""Choices from log-likelihoods: edges; compared with lm-evaluation-harness in tests/golden."""

from __future__ import annotations

import pytest

from evalsuite.errors import SampleError
from evalsuite.metrics.likelihood import choose


def test_characters_are_not_bytes() -> None:
    chosen = choose([-6.0, -7.0], ["猫猫", "cats"])
    assert (chosen.plain, chosen.per_character, chosen.per_byte) == (0, 1, 0)


def test_the_first_of_equals_wins() -> None:
    assert choose([-1.0, -1.0], ["a", "b"]).plain == 0


def test_nan_and_missing_values_are_refused() -> None:
    with pytest.raises(SampleError, match="NaN"):
        choose([float("nan"), -1.0], ["a", "b"])
    with pytest.raises(SampleError):
        choose([-1.0], ["a", "b"])
