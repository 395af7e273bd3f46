"""BLIP's image encoder and text encoder (Li et al. 2022): tensors of published checkpoints under the names of
transformers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from evalsuite.errors import CheckpointError

if TYPE_CHECKING:
    from torch import Tensor

_PLAIN = {
    "cls_token": "embeddings.class_embedding",
    "pos_embed": "embeddings.position_embedding",
    "patch_embed.proj.weight": "embeddings.patch_embedding.weight",
    "patch_embed.proj.bias": "embeddings.patch_embedding.bias",
    "norm.weight": "post_layernorm.weight",
    "norm.bias": "post_layernorm.bias",
}
_LAYER = {
    "norm1": "layer_norm1",
    "norm2": "layer_norm2",
    "attn.qkv": "self_attn.qkv",
    "attn.proj": "self_attn.projection",
    "mlp.fc1": "mlp.fc1",
    "mlp.fc2": "mlp.fc2",
}
_BLOCK = re.compile(r"blocks\.(\d+)\.(.+)\.(weight|bias)")
_REMEDY = "Give the checkpoint as it is published."
HEAD_WIDTH = 64
"""Of the attention of every published BLIP."""


def vision_state(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of `visual_encoder.` (without that prefix) under `BlipVisionModel`'s names.

    Raises CheckpointError for a tensor that BLIP's image encoder does not have.
    """
    found: dict[str, Tensor] = {}
    for name, tensor in state.items():
        block = _BLOCK.fullmatch(name)
        if name in _PLAIN:
            found[_PLAIN[name]] = tensor
        elif block is not None and block[2] in _LAYER:
            found[f"encoder.layers.{block[1]}.{_LAYER[block[2]]}.{block[3]}"] = tensor
        else:
            raise CheckpointError(f"The tensor {name!r} belongs to no image encoder of BLIP.", _REMEDY)
    return found


def part(state: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors whose names begin with a prefix, without it; numbers of positions are left out."""
    return {
        name.removeprefix(prefix): tensor
        for name, tensor in state.items()
        if name.startswith(prefix) and not name.endswith("position_ids")
    }


def vision_config(state: Mapping[str, Tensor], heads: int = 0) -> dict[str, Any]:
    """`BlipVisionConfig`'s sizes, read from the tensors of `visual_encoder.` (without that prefix).

    Args:
        heads: of the attention, which tensors do not tell; 0: one per 64 channels.
    """
    try:
        width, _, patch, _ = state["patch_embed.proj.weight"].shape
        positions = state["pos_embed"].shape[1] - 1
        return {
            "hidden_size": width,
            "intermediate_size": state["blocks.0.mlp.fc1.weight"].shape[0],
            "num_hidden_layers": _count(state, r"blocks\.(\d+)\."),
            "num_attention_heads": heads or width // HEAD_WIDTH,
            "image_size": round(positions**0.5) * patch,
            "patch_size": patch,
            "hidden_act": "gelu",
            "layer_norm_eps": 1e-6,
        }
    except (KeyError, ValueError) as error:
        raise CheckpointError(f"The checkpoint has no image encoder of BLIP: {error}.", _REMEDY) from error


def text_config(state: Mapping[str, Tensor], heads: int = 0) -> dict[str, Any]:
    """`BlipTextConfig`'s sizes, read from the tensors of `text_encoder.` (without that prefix)."""
    try:
        words, width = state["embeddings.word_embeddings.weight"].shape
        return {
            "vocab_size": words,
            "hidden_size": width,
            "encoder_hidden_size": state["encoder.layer.0.crossattention.self.key.weight"].shape[1],
            "intermediate_size": state["encoder.layer.0.intermediate.dense.weight"].shape[0],
            "num_hidden_layers": _count(state, r"encoder\.layer\.(\d+)\."),
            "num_attention_heads": heads or width // HEAD_WIDTH,
            "max_position_embeddings": state["embeddings.position_embeddings.weight"].shape[0],
            "hidden_act": "gelu",
            "layer_norm_eps": 1e-12,
            "hidden_dropout_prob": 0.0,
            "attention_probs_dropout_prob": 0.0,
            "is_decoder": True,
            # init_tokenizer adds [DEC] and [ENC] behind BERT's 30,522 words.
            "bos_token_id": words - 2,
            "eos_token_id": None,
            "sep_token_id": None,
            "pad_token_id": 0,
        }
    except KeyError as error:
        raise CheckpointError(
            f"The checkpoint has no text encoder of BLIP: {error} is missing.", _REMEDY
        ) from error


def _count(state: Mapping[str, Tensor], pattern: str) -> int:
    found = {match[1] for name in state if (match := re.match(pattern, name))}
    if not found:
        raise ValueError("it has no layers")
    return len(found)
