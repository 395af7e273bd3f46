"""Made-up weights under the names of DreamSim's published files: twelve blocks of 128 dimensions (two heads
of 64), patches of 32 pixels."""

from __future__ import annotations

import json
import zlib
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

WIDTH, DEPTH, PATCH, PROJECTED, RANK, ALPHA = 128, 12, 32, 24, 3, 2.0
FILES = {
    "checkpoints/dino_vitbase16_pretrain.pth": "dino",
    "clip_vitb16_pretrain.pth.tar": "clip",
    "open_clip_vitb16_pretrain.pth.tar": "open_clip",
}


def _tensor(name: str, *shape: int, scale: float = 0.0, around: float = 0.0) -> torch.Tensor:
    random = np.random.RandomState(zlib.crc32(name.encode()))
    width = scale or 1 / np.sqrt(np.prod(shape[1:]) or 1)
    return torch.from_numpy((around + width * random.standard_normal(shape)).astype(np.float32))


def backbone(kind: str) -> dict[str, torch.Tensor]:
    """A ViT's state dict; CLIP's have a norm before the blocks, and a projection."""
    found: dict[str, torch.Tensor] = {}

    def add(name: str, *shape: int, scale: float = 0.0, around: float = 0.0) -> None:
        found[name] = _tensor(f"{kind}.{name}", *shape, scale=scale, around=around)

    def linear(name: str, out: int, into: int) -> None:
        add(f"{name}.weight", out, into)
        add(f"{name}.bias", out, scale=0.05)

    def norm(name: str) -> None:
        add(f"{name}.weight", WIDTH, scale=0.1, around=1.0)
        add(f"{name}.bias", WIDTH, scale=0.1)

    add("cls_token", 1, 1, WIDTH, scale=0.3)
    add("pos_embed", 1, (224 // PATCH) ** 2 + 1, WIDTH, scale=0.3)
    add("patch_embed.proj.weight", WIDTH, 3, PATCH, PATCH)
    add("patch_embed.proj.bias", WIDTH, scale=0.05)
    for block in range(DEPTH):
        norm(f"blocks.{block}.norm1")
        linear(f"blocks.{block}.attn.qkv", 3 * WIDTH, WIDTH)
        linear(f"blocks.{block}.attn.proj", WIDTH, WIDTH)
        norm(f"blocks.{block}.norm2")
        linear(f"blocks.{block}.mlp.fc1", 4 * WIDTH, WIDTH)
        linear(f"blocks.{block}.mlp.fc2", WIDTH, 4 * WIDTH)
    norm("norm")
    if kind != "dino":
        norm("pos_drop")
        add("proj", WIDTH, PROJECTED)
    return found


def lora() -> dict[str, torch.Tensor]:
    """The adapter of all three, with its published names."""
    found = {}
    for branch in range(3):
        for block in range(DEPTH):
            name = f"base_model.model.extractor_list.{branch}.model.blocks.{block}.attn.qkv"
            found[f"{name}.lora_A.weight"] = _tensor(f"{name}.A", RANK, WIDTH)
            found[f"{name}.lora_B.weight"] = _tensor(f"{name}.B", 3 * WIDTH, RANK, scale=0.05)
    return found


def write_dreamsim(folder: Path) -> Path:
    """The folder that the official package leaves behind, but for DINO's head, which is not used."""
    for name, kind in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        state = backbone(kind)
        torch.save(state if kind == "dino" else {"state_dict": state}, folder / name)
    adapter = folder / "ensemble_lora"
    adapter.mkdir()
    save_file(lora(), adapter / "adapter_model.safetensors")
    config = {
        "peft_type": "LORA", "r": RANK, "lora_alpha": ALPHA, "lora_dropout": 0.3, "bias": "none",
        "target_modules": ["qkv"],
    }  # fmt: skip
    (adapter / "adapter_config.json").write_text(json.dumps(config))
    return folder
