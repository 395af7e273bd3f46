"""Sampling by a generator per request: a seed means the same in every batch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from evalsuite.content import user
from evalsuite.request import GenerateImages, GenerateText, Request
from tests.baselines.families import SMALL, answers, asked, families, load, save

SAMPLED = GenerateText(max_new_tokens=8, temperature=1.0, top_p=0.9)


@pytest.mark.parametrize("name", ["Llama", "LLaVA", "BLIP-2 (OPT)", "InstructBLIP (OPT)", "Janus"])
def test_sampled_text_does_not_depend_on_the_batch(name: str, tmp_path: Path) -> None:
    if name not in families():
        pytest.skip("no such tiny model")
    adapter, make = families()[name]
    save(make, tmp_path)
    model: Any = load(adapter, tmp_path)
    requests = asked(adapter, SAMPLED)
    assert len({model.prepare(request).group for request in requests}) == 1, "seeds forbid a batch"
    together, alone = answers(model, requests)
    assert together == alone
    torch.manual_seed(5)  # nothing global matters
    assert answers(model, requests)[0] == together
    assert len(set(together)) > 1


@pytest.mark.parametrize("guidance", [1.0, 3.0])
@pytest.mark.parametrize("name", ["Janus", "Emu3"])
def test_an_image_of_tokens_does_not_depend_on_the_batch(name: str, guidance: float, tmp_path: Path) -> None:
    adapter, make = families()[name]
    save(make, tmp_path)
    model: Any = load(adapter, tmp_path, **SMALL.get(name, {}))
    output = GenerateImages(guidance_scale=guidance)
    batch = [
        model.prepare(Request((user(text),), output, seed=seed))
        for seed, text in enumerate(["a red circle", "two blue squares and a line", "a circle"])
    ]
    together = [np.asarray(one.images[0].pixels) for one in model.generate_images(batch)]
    alone = [np.asarray(model.generate_images([item])[0].images[0].pixels) for item in batch]
    for one, other in zip(together, alone, strict=True):
        assert np.abs(one.astype(int) - other.astype(int)).max() <= 1
    assert not np.array_equal(together[0], together[1])
