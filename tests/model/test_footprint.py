"""Memory that is estimated from the files' headers."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors.torch import save_file

from evalsuite.model.footprint import Footprint, footprint


def test_a_folder_says_what_it_will_take(tmp_path: Path) -> None:
    save_file({"w": torch.zeros(1000, 3)}, tmp_path / "model.safetensors")
    config = {
        "text_config": {"num_hidden_layers": 2, "num_attention_heads": 4, "hidden_size": 64},
        "unet_config": {"block_out_channels": [320, 640], "sample_size": 64},
        "vae_config": {"block_out_channels": [128, 512]},
    }
    (tmp_path / "config.json").write_text(json.dumps(config))
    half, full = footprint(tmp_path, 2), footprint(tmp_path, 4)
    assert half is not None
    assert full is not None
    assert (half.parameters, half.weights, full.weights) == (3000, 6000, 12000)
    assert half.cache == 2 * 2 * 64 * 2
    assert (full.cache, full.image, full.decoding) == (2 * half.cache, 2 * half.image, 2 * half.decoding)
    # one guided Stable Diffusion image at 512 pixels takes tens of MiB a step in half precision
    assert 50 * 2**20 < half.image < 200 * 2**20
    assert footprint(tmp_path / "nothing", 2) is None


def test_a_batch_is_what_is_left_of_the_memory() -> None:
    found = Footprint(10, 100, cache=2, image=50, decoding=40)
    assert found.batch(1000, tokens=10) == (900 - 100) // 20
    assert found.batch(1000, tokens=10, images=1) == (900 - 140) // 70
    assert found.batch(100, tokens=10) == 0
    assert found.total(batch=found.batch(1000, 10, 1), tokens=10, images=1) <= 900
