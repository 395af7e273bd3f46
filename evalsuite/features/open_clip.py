"""Checkpoints of open_clip (HPSv2 and 2.1 are) under the names of transformers' `CLIPModel`."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalsuite.errors import CheckpointError, DataError
from evalsuite.features.preprocess import CLIP_MEAN, CLIP_STD

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["convert_open_clip", "open_clip_config", "to_transformers"]

_REMEDY = "Give the checkpoint as it is published (HPS_v2_compressed.pt, HPS_v2.1_compressed.pt)."
_PLAIN = {
    "logit_scale": "logit_scale",
    "positional_embedding": "text_model.embeddings.position_embedding.weight",
    "token_embedding.weight": "text_model.embeddings.token_embedding.weight",
    "ln_final": "text_model.final_layer_norm",
    "visual.class_embedding": "vision_model.embeddings.class_embedding",
    "visual.positional_embedding": "vision_model.embeddings.position_embedding.weight",
    "visual.conv1.weight": "vision_model.embeddings.patch_embedding.weight",
    "visual.ln_pre": "vision_model.pre_layrnorm",
    "visual.ln_post": "vision_model.post_layernorm",
}
_PROJECTIONS = {"text_projection": "text_projection.weight", "visual.proj": "visual_projection.weight"}
_LAYER = {
    "ln_1": "layer_norm1",
    "ln_2": "layer_norm2",
    "attn.out_proj": "self_attn.out_proj",
    "mlp.c_fc": "mlp.fc1",
    "mlp.c_proj": "mlp.fc2",
}
_BLOCK = re.compile(r"(visual\.)?transformer\.resblocks\.(\d+)\.(.+?)[._](weight|bias)")


def to_transformers(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors under transformers' names; the fused attention input is cut into query, key and value.

    Raises CheckpointError for a tensor that no open_clip `CLIP` with a vision transformer has.
    """
    found: dict[str, Tensor] = {}
    for name, tensor in state.items():
        stem, _, kind = name.rpartition(".")
        block = _BLOCK.fullmatch(name)
        if name in _PLAIN:
            found[_PLAIN[name]] = tensor
        elif name in _PROJECTIONS:
            found[_PROJECTIONS[name]] = tensor.T.contiguous()
        elif stem in _PLAIN and kind in ("weight", "bias"):
            found[f"{_PLAIN[stem]}.{kind}"] = tensor
        elif block is not None:
            tower, number, part, kind = block.groups()
            start = f"{'vision' if tower else 'text'}_model.encoder.layers.{number}"
            if part == "attn.in_proj":
                for letter, third in zip("qkv", tensor.chunk(3), strict=True):
                    found[f"{start}.self_attn.{letter}_proj.{kind}"] = third.contiguous()
            elif part in _LAYER:
                found[f"{start}.{_LAYER[part]}.{kind}"] = tensor
            else:
                raise CheckpointError(f"The tensor {name!r} belongs to no CLIP of open_clip.", _REMEDY)
        elif name != "attn_mask":
            raise CheckpointError(f"The tensor {name!r} belongs to no CLIP of open_clip.", _REMEDY)
    return found


def open_clip_config(
    state: Mapping[str, Tensor], *, vision_heads: int, text_heads: int, activation: str = "gelu"
) -> dict[str, Any]:
    """transformers' configuration of a checkpoint; sizes are read from its tensors.

    Args:
        vision_heads, text_heads: of the attention, which the tensors do not tell (ViT-H-14: 16 and 16).

    Raises CheckpointError where a tensor is missing.
    """
    try:
        width, _, patch, _ = state["visual.conv1.weight"].shape
        side = round((state["visual.positional_embedding"].shape[0] - 1) ** 0.5) * patch
        length, text_width = state["positional_embedding"].shape
        return {
            "projection_dim": state["text_projection"].shape[1],
            "text_config": {
                "vocab_size": state["token_embedding.weight"].shape[0],
                "hidden_size": text_width,
                "intermediate_size": state["transformer.resblocks.0.mlp.c_fc.weight"].shape[0],
                "num_hidden_layers": _layers(state, "transformer."),
                "num_attention_heads": text_heads,
                "max_position_embeddings": length,
                "projection_dim": state["text_projection"].shape[1],
                "hidden_act": activation,
                # 2 makes transformers take the largest token for the end, as open_clip does.
                "eos_token_id": 2,
            },
            "vision_config": {
                "hidden_size": width,
                "intermediate_size": state["visual.transformer.resblocks.0.mlp.c_fc.weight"].shape[0],
                "num_hidden_layers": _layers(state, "visual.transformer."),
                "num_attention_heads": vision_heads,
                "image_size": side,
                "patch_size": patch,
                "projection_dim": state["text_projection"].shape[1],
                "hidden_act": activation,
            },
        }
    except (KeyError, ValueError) as error:
        raise CheckpointError(
            f"The checkpoint is no CLIP of open_clip: {error} is missing.", _REMEDY
        ) from error


def _layers(state: Mapping[str, Tensor], start: str) -> int:
    return len(
        {name.split(".")[2 if start == "transformer." else 3] for name in state if name.startswith(start)}
    )


def convert_open_clip(
    checkpoint: Path, tokenizer: Path, target: Path, *, vision_heads: int = 16, text_heads: int = 16
) -> Path:
    """Writes a folder that a network of kind `clip` reads.

    Args:
        checkpoint: open_clip's file; its tensors may lie under `state_dict`, and begin with `module.`.
        tokenizer: a folder with CLIP's tokenizer files.

    Raises:
        DataError: a file is missing, or the target is not empty.
        CheckpointError: the checkpoint cannot be read or is another model's.
    """
    import torch
    from transformers import CLIPConfig, CLIPModel

    if target.exists() and any(target.iterdir()):
        raise DataError(f"{target} is not empty.", "Name a new folder.")
    if not (tokenizer / "tokenizer_config.json").is_file():
        raise DataError(f"{tokenizer} holds no tokenizer.", "Name the folder of a CLIP.")
    try:
        read = torch.load(checkpoint, map_location="cpu", weights_only=True)
    except Exception as error:  # pickle and zip each raise their own kinds for damaged files
        raise CheckpointError(f"{checkpoint} cannot be read ({error}).", _REMEDY) from error
    state = {name.removeprefix("module."): tensor for name, tensor in read.get("state_dict", read).items()}
    config = open_clip_config(state, vision_heads=vision_heads, text_heads=text_heads)
    model = CLIPModel(CLIPConfig(**config))
    missing, unexpected = model.load_state_dict(to_transformers(state), strict=False)
    lacking = [name for name in missing if "position_ids" not in name] + list(unexpected)
    if lacking:
        raise CheckpointError(f"{checkpoint} does not fit a CLIP: {lacking[0]}.", _REMEDY)
    model.save_pretrained(target)
    side = config["vision_config"]["image_size"]
    square = {"height": side, "width": side}
    geometry = {"size": square, "crop_size": square, "image_mean": CLIP_MEAN, "image_std": CLIP_STD}
    (target / "preprocessor_config.json").write_text(json.dumps(geometry), encoding="utf-8")
    for name in (
        "tokenizer.json",
        "tokenizer_config.json",
        "special_tokens_map.json",
        "vocab.json",
        "merges.txt",
    ):
        if (tokenizer / name).is_file():
            shutil.copy(tokenizer / name, target / name)
    return target
