"""`evalsuite doctor --gpu`, on the CPU, which has the same capabilities and no figures of a device."""

from __future__ import annotations

import pytest
import torch

from evalsuite import gpu_check
from evalsuite.errors import CheckpointError, UnavailableError
from evalsuite.gpu_check import Measured, block, measure
from evalsuite.model import METHODS
from evalsuite.registry import load_registry


@pytest.mark.slow
def test_every_capability_is_measured() -> None:
    rows = list(measure(load_registry(), "cpu", ["float32"]))
    assert [row.capability for row in rows] == list(METHODS)
    for row in rows:
        assert row.error == ""
        assert row.speed > 0
        assert (row.peak, row.busy) == (None, None)
    assert {row.unit for row in rows} == {"tokens", "images", "requests"}
    text = block(rows)
    assert torch.__version__ in text
    assert len(text.splitlines()) >= 7


@pytest.mark.slow
def test_what_fails_is_a_row_and_the_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    from evalsuite.dreamllm.adapter import DreamLLMAdapter

    def fail(self: object, batch: object) -> None:
        raise RuntimeError("CUDA error: no kernel image is available")

    monkeypatch.setattr(DreamLLMAdapter, "score_choices", fail)
    rows = list(measure(load_registry(), "cpu", ["float32"]))
    assert [row.capability for row in rows if row.error] == ["choices"]
    assert "failed: CUDA error: no kernel image" in block(rows)


def test_a_precision_that_cannot_be_loaded_is_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object) -> None:
        raise CheckpointError("no such dtype")

    monkeypatch.setattr(gpu_check, "build_model", refuse)
    assert list(measure(load_registry(), "cpu", ["bfloat16"])) == [
        Measured("loading", "bfloat16", error="no such dtype")
    ]


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_it_says_so() -> None:
    with pytest.raises(UnavailableError, match="torch sees no GPU"):
        next(measure(load_registry(), "cuda"))
