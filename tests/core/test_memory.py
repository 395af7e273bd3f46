"""What a checkpoint needs is told from headers, before anything is loaded."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from evalsuite.errors import CheckpointError, UnavailableError
from evalsuite.model import memory
from evalsuite.model.memory import Estimate, batch_that_fits, cache_per_token, estimate, require_room

CPU = torch.device("cpu")


def checkpoint(folder: Path, **config: object) -> Path:
    folder.mkdir()
    save_file({"a": torch.zeros(10, 20), "b": torch.zeros(7)}, folder / "model-1.safetensors")
    save_file({"c": torch.zeros(3, dtype=torch.float16)}, folder / "model-2.safetensors")
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def test_parameters_are_counted_from_the_headers_of_all_shards(tmp_path: Path) -> None:
    found = estimate(
        str(checkpoint(tmp_path / "m", num_hidden_layers=2, num_attention_heads=4, hidden_size=32)), 16
    )
    assert found == Estimate(parameters=210, weights=420, cache=2 * 2 * 4 * 8 * 2)


def test_quantised_weights_take_their_bits(tmp_path: Path) -> None:
    found = estimate(str(checkpoint(tmp_path / "m")), 4)
    assert found is not None
    assert found.weights == 105


def test_grouped_queries_and_a_text_configuration_inside_are_understood() -> None:
    text = {"num_hidden_layers": 28, "num_attention_heads": 28, "num_key_value_heads": 4, "hidden_size": 3584}
    assert cache_per_token({"text_config": text}, 2) == 2 * 28 * 4 * 128 * 2
    assert cache_per_token({"d_model": 3}, 2) == 0


def test_a_pipeline_counts_its_folders_and_no_variant_twice(tmp_path: Path) -> None:
    root = tmp_path / "pipe"
    checkpoint(root.with_name("unet")).rename(tmp_path / "part")
    root.mkdir()
    (root / "model_index.json").write_text("{}")
    (tmp_path / "part").rename(root / "unet")
    save_file({"a": torch.zeros(10, 20)}, root / "unet" / "model-1.fp16.safetensors")
    save_file({"all": torch.zeros(999)}, root / "single-file.safetensors")
    found = estimate(str(root), 32)
    assert found is not None
    assert found.parameters == 210


def test_a_checkpoint_that_will_not_fit_is_refused_with_its_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "free_memory", lambda device: 10 * 2**30)
    require_room("small", Estimate(1, 2**30), CPU)
    with pytest.raises(
        UnavailableError, match=r"big will not fit: 7\.00 billion parameters need 13\.0 GiB, 10\.0 GiB"
    ):
        require_room("big", Estimate(7_000_000_000, 13 * 2**30), CPU)
    require_room("unknown", None, CPU)


def test_the_batch_that_fits_follows_from_the_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "free_memory", lambda device: 10 * 2**30)
    assert batch_that_fits(2**20, 1024, CPU) == 9
    assert batch_that_fits(0, 1024, CPU) > 10**9, "an unknown cache foresees nothing"


@pytest.mark.parametrize(
    "data", [b"", b"version https://git-lfs.github.com/spec/v1\n", b"\x08\0\0\0\0\0\0\0[1, 2]  "]
)
def test_a_file_that_is_no_safetensors_is_named(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "model.safetensors").write_bytes(data)
    with pytest.raises(CheckpointError, match=r"model\.safetensors is not a safetensors file"):
        estimate(str(tmp_path), 32)


def test_without_weights_or_network_there_is_no_estimate(tmp_path: Path) -> None:
    assert estimate(str(tmp_path), 32) is None


def test_memory_that_torch_keeps_for_later_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (2 * 2**30, 80 * 2**30))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: 60 * 2**30)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: 20 * 2**30)
    assert memory.free_memory(torch.device("cuda:0")) == 42 * 2**30


def test_images_that_fit_shrink_with_their_area_and_guidance(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "free_memory", lambda device: 10 * 2**30)
    small = memory.images_that_fit(64, 64, 320, 2, CPU)
    assert 10 < small < 200
    assert memory.images_that_fit(128, 128, 320, 2, CPU) == pytest.approx(small / 4, abs=1)
    assert memory.images_that_fit(64, 64, 320, 2, CPU, guided=False) == pytest.approx(2 * small, abs=1)
    assert memory.images_that_fit(10**4, 10**4, 320, 2, CPU) == 1
