"""Choices of one prompt share its cache: the numbers of whole passes, the prompt computed once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evalsuite.request import ScoreChoices
from tests.baselines.families import HAS_TORCHVISION, asked, families, load, save
from tests.baselines.tiny import NEEDS_TORCHVISION

CHOICES = (" red", " blue, of course", " green and a little of yellow")
SHARING = {
    "Llama", "OPT", "LLaVA", "LLaVA-NeXT", "Idefics2", "Idefics3", "Gemma 3", "Emu3", "Qwen2-VL",
}  # fmt: skip
"""Of these at least it is known that they share; whether others do is the model's business."""


def decoders() -> Iterator[str]:
    for name in families():
        if name not in NEEDS_TORCHVISION or HAS_TORCHVISION:
            yield name


@pytest.mark.parametrize("name", decoders())
def test_shared_prompts_give_the_numbers_of_whole_passes(name: str, tmp_path: Path) -> None:
    adapter, make = families()[name]
    save(make, tmp_path)
    options = {"image_area": "256"} if name == "Emu3" else {}
    model: Any = load(adapter, tmp_path, **options)
    scores = model._likelihoods
    batch = [model.prepare(request) for request in asked(adapter, ScoreChoices(CHOICES))]
    try:
        shared = model.score_choices(batch)
    except Exception as error:
        pytest.skip(f"scores no choices: {error}")
    used = dict(scores._shares)
    scores._shares = {"": False}
    whole = model.score_choices(batch)
    found, expected = (np.array([one.log_likelihoods for one in each]) for each in (shared, whole))
    assert np.abs(found - expected).max() < 1e-4
    assert [one.token_counts for one in shared] == [one.token_counts for one in whole]
    if name in SHARING:
        assert used
        assert all(used.values()), used
