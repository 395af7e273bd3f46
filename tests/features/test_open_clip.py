"""open_clip's checkpoints become folders that a network of kind `clip` reads; damaged ones are one error."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from PIL import Image

from evalsuite.errors import CheckpointError, DataError
from evalsuite.features import NetworkSpec, load_network
from evalsuite.features.base import TextFeatureNetwork
from evalsuite.features.open_clip import convert_open_clip, to_transformers
from tests.features.networks import write_clip


def _checkpoint(path: Path, vocabulary: int) -> Path:
    """A tiny CLIP under open_clip's names: 16-pixel images, 12-token texts."""
    make = torch.Generator().manual_seed(0)

    def random(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=make) * 0.1

    state = {
        "positional_embedding": random(12, 16), "text_projection": random(16, 8),
        "visual.proj": random(16, 8),
        "logit_scale": torch.tensor(2.0), "visual.class_embedding": random(16),
        "visual.positional_embedding": random(17, 16), "visual.conv1.weight": random(16, 3, 4, 4),
        "token_embedding.weight": random(vocabulary, 16),
    }  # fmt: skip
    norms = ["visual.ln_pre", "visual.ln_post", "ln_final"]
    for tower in ("visual.transformer", "transformer"):
        start = f"{tower}.resblocks.0"
        norms += [f"{start}.ln_1", f"{start}.ln_2"]
        for name, shape in {
            "attn.in_proj_": (48, 16), "attn.out_proj.": (16, 16),
            "mlp.c_fc.": (32, 16), "mlp.c_proj.": (16, 32),
        }.items():  # fmt: skip
            state |= {f"{start}.{name}weight": random(*shape), f"{start}.{name}bias": random(shape[0])}
    for name in norms:
        state |= {f"{name}.weight": random(16) + 1, f"{name}.bias": random(16)}
    torch.save({"state_dict": {f"module.{name}": tensor for name, tensor in state.items()}}, path)
    return path


def _vocabulary(folder: Path) -> int:
    from transformers import AutoTokenizer

    return len(AutoTokenizer.from_pretrained(folder))


def test_a_converted_checkpoint_is_a_clip_with_a_scale(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip")
    checkpoint = _checkpoint(tmp_path / "hps.pt", _vocabulary(clip))
    folder = convert_open_clip(checkpoint, clip, tmp_path / "hps", vision_heads=2, text_heads=2)
    network = load_network(NetworkSpec("clip", str(folder), "hps"), "cpu")
    assert isinstance(network, TextFeatureNetwork)
    assert network.images([Image.new("RGB", (40, 10), "red")]).shape == (1, 8)
    assert network.texts(["a red cube"]).shape == (1, 8)
    assert network.scale == pytest.approx(7.389056, rel=1e-6)  # type: ignore[attr-defined]


def test_the_target_must_be_empty_and_the_tokenizer_there(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip")
    checkpoint = _checkpoint(tmp_path / "hps.pt", _vocabulary(clip))
    with pytest.raises(DataError, match="is not empty"):
        convert_open_clip(checkpoint, clip, clip)
    with pytest.raises(DataError, match="holds no tokenizer"):
        convert_open_clip(checkpoint, tmp_path / "none", tmp_path / "hps")


def test_another_checkpoint_is_one_error(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip")
    (tmp_path / "torn.pt").write_bytes(b"torn")
    with pytest.raises(CheckpointError, match="cannot be read"):
        convert_open_clip(tmp_path / "torn.pt", clip, tmp_path / "a")
    torch.save({"visual.conv1.weight": torch.zeros(4, 3, 2, 2)}, tmp_path / "part.pt")
    with pytest.raises(CheckpointError, match="is missing"):
        convert_open_clip(tmp_path / "part.pt", clip, tmp_path / "b")
    with pytest.raises(CheckpointError, match=r"visual\.trunk"):
        to_transformers({"visual.trunk.weight": torch.zeros(1)})
