"""Small made-up checkpoints in the layout of the real ones."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from transformers import (
    CLIPConfig,
    CLIPImageProcessorPil,
    CLIPModel,
    CLIPTextConfig,
    CLIPVisionConfig,
    ViTConfig,
    ViTModel,
)

from evalsuite.features.lpips import state_dict_shapes, weights_files
from evalsuite.mini.training.tokenizer import make_tokenizer


def write_clip(folder: Path, seed: int = 0, **processor: object) -> Path:
    """A CLIP of 16-pixel images and 12-token texts with random weights."""
    torch.manual_seed(seed)
    tokenizer = make_tokenizer(end=True, max_length=12, lower=True)
    text = CLIPTextConfig(
        vocab_size=len(tokenizer), hidden_size=16, intermediate_size=32, num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=12, projection_dim=8, pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id,
    )  # fmt: skip
    vision = CLIPVisionConfig(
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        image_size=16,
        patch_size=4,
        projection_dim=8,
    )
    CLIPModel(
        CLIPConfig(text_config=text.to_dict(), vision_config=vision.to_dict(), projection_dim=8)
    ).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    size: dict[str, Any] = {"size": {"shortest_edge": 16}, "crop_size": {"height": 16, "width": 16}}
    CLIPImageProcessorPil(**(size | processor)).save_pretrained(folder)
    return folder


def write_mpnet(folder: Path) -> Path:
    """An MPNet of 12-token texts with random weights."""
    from transformers import MPNetConfig, MPNetModel

    torch.manual_seed(0)
    tokenizer = make_tokenizer(end=True, max_length=12, lower=True)
    config = MPNetConfig(
        vocab_size=len(tokenizer), hidden_size=16, intermediate_size=32, num_hidden_layers=2,
        num_attention_heads=2, max_position_embeddings=16,
    )  # fmt: skip
    MPNetModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def write_dino(folder: Path) -> Path:
    """A ViT of 28-pixel images with random weights."""
    torch.manual_seed(0)
    config = ViTConfig(
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        image_size=28,
        patch_size=7,
    )
    ViTModel(config, add_pooling_layer=False).save_pretrained(folder)
    return folder


def write_dinov2(folder: Path) -> Path:
    """A DINOv2 of 28-pixel positions that is given 14 pixels out of 16, with its processor's file."""
    from transformers import BitImageProcessor, Dinov2Config, Dinov2Model

    torch.manual_seed(1)
    config = Dinov2Config(
        hidden_size=16, num_hidden_layers=2, num_attention_heads=2, mlp_ratio=2, image_size=28, patch_size=7
    )
    Dinov2Model(config).save_pretrained(folder)
    size: dict[str, Any] = {"size": {"shortest_edge": 16}, "crop_size": {"height": 14, "width": 14}}
    mean, std = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
    BitImageProcessor(**size, image_mean=mean, image_std=std).save_pretrained(folder)
    return folder


def pictures(count: int = 5, seed: int = 0) -> list[Image.Image]:
    """Noise of different sizes and aspects."""
    random = np.random.RandomState(seed)
    sizes = [(40, 24), (24, 40), (16, 16), (33, 17), (7, 50)]
    return [
        Image.fromarray(random.randint(0, 256, (h, w, 3)).astype(np.uint8))
        for w, h in (sizes[i % len(sizes)] for i in range(count))
    ]


def lpips_weights(source: str, flat: bool = False) -> dict[str, torch.Tensor]:
    """Made-up weights of an LPIPS backbone and its heads, the same on every machine.

    Args:
        flat: biases so low that most channels are off: where implementations differ.
    """
    found = {}
    for key, shape in sorted(state_dict_shapes(source).items()):
        random = np.random.RandomState(zlib.crc32(key.encode()))
        values: np.ndarray = random.standard_normal(shape).astype(np.float32)
        if key.startswith("lin"):
            values = np.abs(values) / 10
        elif key.endswith("weight"):
            values *= np.sqrt(2 / np.prod(shape[1:]))
        else:
            values = values / 10 - (1.0 if flat else 0.0)
        found[key] = torch.from_numpy(values.astype(np.float32))
    return found


def write_lpips(folder: Path, source: str, flat: bool = False) -> None:
    """Both files of a backbone, under their published names."""
    weights = lpips_weights(source, flat)
    backbone, heads = weights_files(source)
    for name, prefix in ((backbone, "features"), (heads, "lin")):
        torch.save({key: value for key, value in weights.items() if key.startswith(prefix)}, folder / name)
