"""Tiny weights of every scorer, in the folders that users have."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from transformers import BertTokenizerFast  # type: ignore[attr-defined]

from evalsuite.features.scorers.aesthetic import HEAD
from evalsuite.features.scorers.clip_t5 import clip_t5
from evalsuite.features.scorers.converting import convert
from evalsuite.mini.training.tokenizer import make_tokenizer
from tests.features.networks import write_clip

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "yes", "no", "a", "cat", "dog", "?", "[DEC]", "[ENC]"]


def write_bert(folder: Path) -> Path:
    """A tokenizer of twelve words, the last two being BLIP's."""
    folder.mkdir(parents=True, exist_ok=True)
    BertTokenizerFast(vocab={word: place for place, word in enumerate(WORDS)}).save_pretrained(folder)
    return folder


def image_reward_state(words: int = len(WORDS)) -> dict[str, torch.Tensor]:
    """Random tensors under the names of `ImageReward.pt`: two layers, 16-pixel images."""
    state = {f"blip.{name}": tensor for name, tensor in _encoders(words, 16).items()}
    for number, (wide, narrow) in zip((0, 2, 4), ((32, 16), (16, 8), (8, 1)), strict=True):
        state[f"mlp.layers.{number}.weight"] = torch.randn(narrow, wide) * 0.2
        state[f"mlp.layers.{number}.bias"] = torch.randn(narrow) * 0.2
    return state


def blip_vqa_state(words: int = len(WORDS)) -> dict[str, torch.Tensor]:
    """Random tensors under the names of `model_base_vqa_capfilt_large.pth`."""
    state = _encoders(words, 24)
    for name, tensor in _encoders(words, 24).items():
        if name.startswith("text_encoder."):
            state[f"text_decoder.bert.{name.removeprefix('text_encoder.')}"] = tensor
    embeddings = state["text_decoder.bert.embeddings.word_embeddings.weight"]
    start = "text_decoder.cls.predictions"
    state |= {
        f"{start}.bias": torch.zeros(words),
        f"{start}.transform.dense.weight": torch.randn(32, 32) * 0.2,
        f"{start}.transform.dense.bias": torch.zeros(32),
        f"{start}.transform.LayerNorm.weight": torch.ones(32),
        f"{start}.transform.LayerNorm.bias": torch.zeros(32),
        f"{start}.decoder.weight": embeddings,
        f"{start}.decoder.bias": torch.zeros(words),
    }
    return state


def _encoders(words: int, side: int) -> dict[str, torch.Tensor]:
    torch.manual_seed(words + side)
    width, patch = 32, 8
    state = {
        "visual_encoder.cls_token": torch.randn(1, 1, width),
        "visual_encoder.pos_embed": torch.randn(1, (side // patch) ** 2 + 1, width),
        "visual_encoder.patch_embed.proj.weight": torch.randn(width, 3, patch, patch) * 0.1,
        "visual_encoder.patch_embed.proj.bias": torch.zeros(width),
        "text_encoder.embeddings.word_embeddings.weight": torch.randn(words, width),
        "text_encoder.embeddings.position_embeddings.weight": torch.randn(40, width),
        "text_encoder.embeddings.position_ids": torch.arange(40)[None],
    }
    norms = ["visual_encoder.norm", "text_encoder.embeddings.LayerNorm"]
    layers: list[tuple[str, int, int]] = []
    for number in range(2):
        block, layer = f"visual_encoder.blocks.{number}", f"text_encoder.encoder.layer.{number}"
        norms += [f"{block}.norm1", f"{block}.norm2", f"{layer}.output.LayerNorm"]
        layers += [(f"{block}.attn.qkv", width, 3 * width), (f"{block}.attn.proj", width, width)]
        layers += [(f"{block}.mlp.fc1", width, 64), (f"{block}.mlp.fc2", 64, width)]
        layers += [(f"{layer}.intermediate.dense", width, 64), (f"{layer}.output.dense", 64, width)]
        for attention in ("attention", "crossattention"):
            norms.append(f"{layer}.{attention}.output.LayerNorm")
            layers += [(f"{layer}.{attention}.self.{one}", width, width) for one in ("query", "key", "value")]
            layers.append((f"{layer}.{attention}.output.dense", width, width))
    for name, wide, narrow in layers:
        state |= {f"{name}.weight": torch.randn(narrow, wide) * 0.2, f"{name}.bias": torch.zeros(narrow)}
    for name in norms:
        state |= {f"{name}.weight": torch.ones(width), f"{name}.bias": torch.zeros(width)}
    return state


def write_vqascore(folder: Path) -> Path:
    """A CLIP-FlanT5 of 16-pixel images, with its tokenizer beside it."""
    torch.manual_seed(0)
    tokenizer = make_tokenizer(end=True, max_length=512, lower=True)
    kind = clip_t5()
    sizes = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 3, "num_attention_heads": 2}
    config = kind.config_class(
        vocab_size=len(tokenizer), d_model=16, d_kv=8, d_ff=32, num_layers=2, num_heads=2,
        feed_forward_proj="gated-gelu", tie_word_embeddings=False, decoder_start_token_id=0, pad_token_id=0,
        eos_token_id=1, vision_config={**sizes, "image_size": 16, "patch_size": 8},
    )  # fmt: skip
    kind(config).save_pretrained(folder)
    written = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**written, "tie_word_embeddings": False}))
    tokenizer.save_pretrained(folder)
    return folder


def write_aesthetic(folder: Path, width: int = 8) -> Path:
    """A CLIP with a head of two layers beside it."""
    write_clip(folder)
    torch.manual_seed(1)
    torch.save(
        {
            "layers.0.weight": torch.randn(4, width), "layers.0.bias": torch.randn(4),
            "layers.2.weight": torch.randn(1, 4), "layers.2.bias": torch.randn(1),
        },
        folder / HEAD,
    )  # fmt: skip
    return folder


def write_all(root: Path) -> dict[str, str]:
    """Column -> folder."""
    bert = write_bert(root / "bert")
    torch.save(image_reward_state(), root / "ImageReward.pt")
    torch.save({"model": blip_vqa_state()}, root / "blip.pth")
    convert("image-reward", root / "ImageReward.pt", bert, root / "image-reward", heads=2)
    convert("blip-vqa", root / "blip.pth", bert, root / "blip-vqa", heads=2)
    first, second = write_clip(root / "hps21"), write_clip(root / "hps2", seed=1)
    return {
        "HPSv2.1": str(first),
        "HPSv2": str(second),
        "HPSv2.1 without antialias": str(first),
        "HPSv2 without antialias": str(second),
        "PickScore": str(first),
        "ImageReward": str(root / "image-reward"),
        "Aesthetic": str(write_aesthetic(root / "aesthetic")),
        "VQAScore": str(write_vqascore(root / "vqascore")),
        "BLIP-VQA": str(root / "blip-vqa"),
    }
