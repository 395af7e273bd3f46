"""Tiny random pipelines of real classes of `diffusers`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

WORDS = ["[PAD]", "<s>", "</s>", "a", "red", "blue", "circle"]


def _words(length: int = 8) -> Any:
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    made = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="[PAD]"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    return PreTrainedTokenizerFast(tokenizer_object=made, pad_token="[PAD]", model_max_length=length)


def _clip(**more: Any) -> Any:
    from transformers import CLIPTextConfig, CLIPTextModel

    return CLIPTextModel(CLIPTextConfig(
        vocab_size=7, hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2,
        max_position_embeddings=8, bos_token_id=1, eos_token_id=2, **more)).eval()  # fmt: skip


def _vae(**more: Any) -> Any:
    from diffusers import AutoencoderKL

    return AutoencoderKL(
        block_out_channels=(8, 8), down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2, latent_channels=4, norm_num_groups=4, **more)  # fmt: skip


def _unet(channels: int) -> Any:
    from diffusers import UNet2DConditionModel

    return UNet2DConditionModel(
        sample_size=8, in_channels=channels, out_channels=4, block_out_channels=(8, 16), layers_per_block=1,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"), norm_num_groups=4, attention_head_dim=4,
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"), cross_attention_dim=16)  # fmt: skip


def _stable(kind: str, channels: int) -> Any:
    import diffusers

    return getattr(diffusers, kind)(
        vae=_vae(), text_encoder=_clip(), tokenizer=_words(), unet=_unet(channels),
        scheduler=diffusers.PNDMScheduler(skip_prk_steps=True, steps_offset=1), safety_checker=None,
        feature_extractor=None)  # fmt: skip


def _t5(width: int) -> Any:
    from transformers import T5Config, T5EncoderModel

    return T5EncoderModel(T5Config(
        vocab_size=7, d_model=width, d_kv=8, d_ff=16, num_layers=1, num_heads=2)).eval()  # fmt: skip


def _flux(kind: str) -> Any:
    import diffusers

    return getattr(diffusers, kind)(
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(), vae=_vae(shift_factor=0.0, scaling_factor=1.0),
        text_encoder=_clip(projection_dim=16), tokenizer=_words(),
        text_encoder_2=_t5(16),
        tokenizer_2=_words(),
        transformer=diffusers.FluxTransformer2DModel(
            patch_size=1, in_channels=16, num_layers=1, num_single_layers=1, attention_head_dim=16,
            num_attention_heads=2, joint_attention_dim=16, pooled_projection_dim=16,
            axes_dims_rope=(4, 4, 8)),
    )  # fmt: skip


def _sd3() -> Any:
    import diffusers
    from transformers import CLIPTextConfig, CLIPTextModelWithProjection

    def clip() -> Any:
        return CLIPTextModelWithProjection(CLIPTextConfig(
            vocab_size=7, hidden_size=16, intermediate_size=16, num_hidden_layers=2, num_attention_heads=2,
            max_position_embeddings=8, bos_token_id=1, eos_token_id=2, projection_dim=16)).eval()  # fmt: skip

    return diffusers.StableDiffusion3Pipeline(
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(), vae=_vae(shift_factor=0.0, scaling_factor=1.0),
        text_encoder=clip(), tokenizer=_words(), text_encoder_2=clip(), tokenizer_2=_words(),
        text_encoder_3=_t5(32), tokenizer_3=_words(),
        transformer=diffusers.SD3Transformer2DModel(
            sample_size=8, patch_size=1, in_channels=4, num_layers=1, attention_head_dim=8,
            num_attention_heads=4, joint_attention_dim=32, caption_projection_dim=32,
            pooled_projection_dim=32, out_channels=4),
    )  # fmt: skip


PIPELINES: dict[str, Callable[[], Any]] = {
    "sd": lambda: _stable("StableDiffusionPipeline", 4),
    "ip2p": lambda: _stable("StableDiffusionInstructPix2PixPipeline", 8),
    "flux": lambda: _flux("FluxPipeline"),
    "kontext": lambda: _flux("FluxKontextPipeline"),
    "sd3": _sd3,
}


def save_all(root: Path) -> None:
    """Writes every pipeline into a folder of its name."""
    for name, make in PIPELINES.items():
        torch.manual_seed(0)
        make().save_pretrained(root / name)
