"""A cache of fixed size for transformers: the same texts, or a refusal."""

from __future__ import annotations

from pathlib import Path

import pytest

from evalsuite.errors import SpecError
from evalsuite.request import GenerateText
from tests.baselines.families import answers, asked, families, load, save


@pytest.mark.parametrize("name", ["Llama", "LLaVA"])
def test_a_cache_of_fixed_size_writes_the_same(name: str, tmp_path: Path) -> None:
    adapter, make = families()[name]
    save(make, tmp_path)
    requests = asked(adapter, GenerateText(max_new_tokens=8))
    growing = answers(load(adapter, tmp_path), requests)
    assert answers(load(adapter, tmp_path, cache="static"), requests) == growing


def test_compiling_needs_it(tmp_path: Path) -> None:
    save(families()["Llama"][1], tmp_path)
    with pytest.raises(SpecError, match="fixed size"):
        load("causal", tmp_path, compile="yes")


def test_a_model_that_cannot_have_it_is_refused(tmp_path: Path) -> None:
    adapter, make = families()["IDEFICS"]
    save(make, tmp_path)
    with pytest.raises(SpecError, match="fixed size"):
        load(adapter, tmp_path, cache="static")
