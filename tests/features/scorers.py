"""Tiny weights of every scorer, in the folders that users have."""

from __future__ import annotations

import json
import zlib
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import BertTokenizerFast, PreTrainedTokenizerFast  # type: ignore[attr-defined]

from evalsuite.features.scorers.aesthetic import HEAD
from evalsuite.features.scorers.clip_t5 import clip_t5
from evalsuite.features.scorers.converting import convert
from evalsuite.features.scorers.hpsv3 import asked
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


MARKS = (
    "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>",
    "<|video_pad|>",
)  # fmt: skip


def write_qwen(folder: Path) -> Path:
    """A byte-level tokenizer with Qwen2-VL's marks, and the configuration of a tiny network of its kind."""
    tokens = Tokenizer(models.BPE())
    tokens.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokens.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=600, special_tokens=list(MARKS), initial_alphabet=alphabet)
    tokens.train_from_iterator([asked("a cat and a dog")], trainer)
    made = PreTrainedTokenizerFast(
        tokenizer_object=tokens, eos_token="<|im_end|>", pad_token="<|endoftext|>",
        additional_special_tokens=list(MARKS[1:]),
    )  # fmt: skip
    made.save_pretrained(folder)
    config = {
        "model_type": "qwen2_vl", "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
        "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 700, "rms_norm_eps": 1e-6,
        "rope_theta": 1e6, "rope_scaling": {"type": "mrope", "mrope_section": [1, 1, 2]},
        "tie_word_embeddings": False, "max_position_embeddings": 4096, "use_sliding_window": False,
        "bos_token_id": 0, "eos_token_id": 2, "pad_token_id": 0, "vision_start_token_id": 3,
        "vision_end_token_id": 4, "image_token_id": 5, "video_token_id": 6,
        "vision_config": {
            "depth": 2, "embed_dim": 32, "mlp_ratio": 2, "num_heads": 2, "in_chans": 3, "hidden_size": 32,
            "patch_size": 14, "spatial_merge_size": 2, "temporal_patch_size": 2, "spatial_patch_size": 14,
        },
    }  # fmt: skip
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def hpsv3_state(words: int) -> dict[str, torch.Tensor]:
    """Tensors under the names of `HPSv3.safetensors`, each made from its name alone."""
    width, inner, vision = 32, 48, 32
    shapes: dict[str, tuple[int, ...]] = {
        "model.embed_tokens.weight": (words, width), "model.norm.weight": (width,),
        "lm_head.weight": (words, width), "visual.patch_embed.proj.weight": (vision, 3, 2, 14, 14),
        "visual.merger.ln_q.weight": (vision,), "visual.merger.ln_q.bias": (vision,),
        "visual.merger.mlp.0.weight": (4 * vision, 4 * vision), "visual.merger.mlp.0.bias": (4 * vision,),
        "visual.merger.mlp.2.weight": (width, 4 * vision), "visual.merger.mlp.2.bias": (width,),
        "rm_head.0.weight": (1024, width), "rm_head.0.bias": (1024,), "rm_head.3.weight": (16, 1024),
        "rm_head.3.bias": (16,), "rm_head.5.weight": (2, 16), "rm_head.5.bias": (2,),
    }  # fmt: skip
    for number in range(2):
        layer, block = f"model.layers.{number}", f"visual.blocks.{number}"
        for name, size in (("q_proj", width), ("k_proj", width // 2), ("v_proj", width // 2)):
            shapes[f"{layer}.self_attn.{name}.weight"] = (size, width)
            shapes[f"{layer}.self_attn.{name}.bias"] = (size,)
        shapes[f"{layer}.self_attn.o_proj.weight"] = (width, width)
        shapes |= {f"{layer}.mlp.{name}_proj.weight": (inner, width) for name in ("gate", "up")}
        shapes[f"{layer}.mlp.down_proj.weight"] = (width, inner)
        shapes |= {f"{layer}.{name}_layernorm.weight": (width,) for name in ("input", "post_attention")}
        for name, wide, narrow in (
            ("attn.qkv", vision, 3 * vision), ("attn.proj", vision, vision),
            ("mlp.fc1", vision, 2 * vision), ("mlp.fc2", 2 * vision, vision),
        ):  # fmt: skip
            shapes |= {f"{block}.{name}.weight": (narrow, wide), f"{block}.{name}.bias": (narrow,)}
        for name in ("norm1", "norm2"):
            shapes |= {f"{block}.{name}.weight": (vision,), f"{block}.{name}.bias": (vision,)}
    return {name: _named(name, shape) for name, shape in shapes.items()}


def _named(name: str, shape: tuple[int, ...]) -> torch.Tensor:
    values = np.random.RandomState(zlib.crc32(name.encode())).standard_normal(shape).astype(np.float32)
    scales = name.endswith("weight") and ("norm" in name or "ln_q" in name)
    return torch.from_numpy(1 + 0.1 * values if scales else 0.2 * values)


def write_hpsv3(root: Path, pixels: int = 0) -> Path:
    """A converted folder; with fewer pixels than published where that is said."""
    qwen = write_qwen(root / "qwen")
    words = len(PreTrainedTokenizerFast.from_pretrained(qwen)) + 1
    save_file(hpsv3_state(words), root / "HPSv3.safetensors")
    folder = convert("hpsv3", root / "HPSv3.safetensors", qwen, root / "hps-v3")
    if pixels:
        written = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps({**written, "pixels": pixels}))
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
        "HPSv3": str(write_hpsv3(root / "hpsv3", pixels=16 * 28 * 28)),
        "PickScore": str(first),
        "ImageReward": str(root / "image-reward"),
        "Aesthetic": str(write_aesthetic(root / "aesthetic")),
        "VQAScore": str(write_vqascore(root / "vqascore")),
        "BLIP-VQA": str(root / "blip-vqa"),
    }
