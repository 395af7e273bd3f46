"""Settings of tiny components by class, and what single pipelines need otherwise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import transformers as hf

from tests.baselines import pipeline_parts as parts

_DOWN, _UP = "DownEncoderBlock2D", "UpDecoderBlock2D"
_FLUX: dict[str, Any] = {
    "patch_size": 1, "in_channels": 16, "num_layers": 1, "num_single_layers": 1, "attention_head_dim": 16,
    "num_attention_heads": 2, "joint_attention_dim": 32, "pooled_projection_dim": 32,
    "axes_dims_rope": (4, 4, 8),
}  # fmt: skip
_WAN: dict[str, Any] = {
    "base_dim": 4, "z_dim": 16, "dim_mult": [1, 1, 1, 1], "num_res_blocks": 1,
    "temperal_downsample": [False, True, True],
}  # fmt: skip
_QWEN_VAE: dict[str, Any] = {
    "base_dim": 8, "z_dim": 4, "dim_mult": [1, 2, 4], "num_res_blocks": 1,
    "temperal_downsample": [False, True], "latents_mean": [0.0] * 4, "latents_std": [1.0] * 4,
}  # fmt: skip
_JOY: dict[str, Any] = {
    "patch_size": [1, 2, 2], "in_channels": 16, "hidden_size": 32, "num_attention_heads": 2, "text_dim": 16,
    "num_layers": 1, "rope_dim_list": [4, 6, 6], "theta": 256,
}  # fmt: skip
_UNET: dict[str, Any] = {
    "sample_size": 16, "in_channels": 4, "out_channels": 4, "block_out_channels": (8, 16),
    "layers_per_block": 1, "down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"),
    "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D"), "norm_num_groups": 4, "attention_head_dim": 4,
    "cross_attention_dim": 32,
}  # fmt: skip
XL: dict[str, Any] = {
    "addition_embed_type": "text_time", "addition_time_embed_dim": 8, "cross_attention_dim": 64,
    "projection_class_embeddings_input_dim": 6 * 8 + 32, "use_linear_projection": True,
}  # fmt: skip
_SIMPLE: dict[str, Any] = {
    "block_out_channels": (16, 32), "layers_per_block": 1, "attention_head_dim": 8, "norm_num_groups": 8,
    "down_block_types": ("ResnetDownsampleBlock2D", "SimpleCrossAttnDownBlock2D"),
    "mid_block_type": "UNetMidBlock2DSimpleCrossAttn",
    "up_block_types": ("SimpleCrossAttnUpBlock2D", "ResnetUpsampleBlock2D"),
    "encoder_hid_dim": 32, "cross_attention_dim": 32, "resnet_time_scale_shift": "scale_shift",
}  # fmt: skip
IF: dict[str, Any] = {
    **_SIMPLE, "sample_size": 32, "in_channels": 3, "out_channels": 6, "addition_embed_type": "text",
    "addition_embed_type_num_heads": 2, "cross_attention_norm": "group_norm", "act_fn": "gelu",
}  # fmt: skip

SETTINGS: dict[str, dict[str, Any]] = {
    "AutoencoderKL": {
        "block_out_channels": (8, 8), "down_block_types": (_DOWN,) * 2, "up_block_types": (_UP,) * 2,
        "latent_channels": 4, "norm_num_groups": 4, "shift_factor": 0.0, "scaling_factor": 1.0,
        "sample_size": 32},
    "AsymmetricAutoencoderKL": {},
    "AutoencoderKLFlux2": {
        "sample_size": 32, "down_block_types": (_DOWN,), "up_block_types": (_UP,), "block_out_channels": (4,),
        "layers_per_block": 1, "latent_channels": 1, "norm_num_groups": 1},
    "AutoencoderKLWan": _WAN,
    "AutoencoderKLQwenImage": _QWEN_VAE,
    "AutoencoderKLQwenImage21": {
        "base_dim": 8, "decoder_base_dim": 8, "z_dim": 4, "dim_mult": [1, 1, 1, 1, 1], "num_res_blocks": 1,
        "latents_mean": [0.0] * 4, "latents_std": [1.0] * 4},
    "AutoencoderKLHunyuanImage": {
        "in_channels": 3, "out_channels": 3, "latent_channels": 4, "block_out_channels": (32, 64, 64, 64),
        "layers_per_block": 1, "scaling_factor": 0.5, "spatial_compression_ratio": 8, "sample_size": 128},
    "AutoencoderDC": {
        "in_channels": 3, "latent_channels": 4, "attention_head_dim": 2,
        "encoder_block_types": ("ResBlock", "EfficientViTBlock"),
        "decoder_block_types": ("ResBlock", "EfficientViTBlock"), "encoder_block_out_channels": (8, 8),
        "decoder_block_out_channels": (8, 8), "encoder_qkv_multiscales": ((), (5,)),
        "decoder_qkv_multiscales": ((), (5,)), "encoder_layers_per_block": (1, 1),
        "decoder_layers_per_block": (1, 1), "downsample_block_type": "conv",
        "upsample_block_type": "interpolate", "decoder_norm_types": "rms_norm", "decoder_act_fns": "silu",
        "scaling_factor": 0.5},
    "AutoencoderTiny": {
        "encoder_block_out_channels": (8, 8), "decoder_block_out_channels": (8, 8),
        "num_encoder_blocks": (1, 1), "num_decoder_blocks": (1, 1), "latent_channels": 4},
    "VQModel": {
        "block_out_channels": [32, 64], "down_block_types": [_DOWN, "AttnDownEncoderBlock2D"],
        "up_block_types": ["AttnUpDecoderBlock2D", _UP], "latent_channels": 4, "layers_per_block": 1,
        "norm_num_groups": 8, "norm_type": "spatial", "num_vq_embeddings": 12, "vq_embed_dim": 4},
    "PaellaVQModel": {"bottleneck_blocks": 1, "num_vq_embeddings": 2, "embed_dim": 16},
    "UNet2DConditionModel": _UNET,
    "Kandinsky3UNet": {
        "in_channels": 4, "time_embedding_dim": 4, "groups": 2, "attention_head_dim": 4,
        "layers_per_block": 3, "block_out_channels": (32, 64), "cross_attention_dim": 4,
        "encoder_hid_dim": 32},
    "DreamLiteUNetModel": {
        "sample_size": 8, "down_block_types": (
            "DreamLiteCrossAttnNoSelfAttnDownBlock2D", "DreamLiteCrossAttnDownBlock2D"),
        "up_block_types": ("DreamLiteCrossAttnUpBlock2D", "DreamLiteUpBlock2D"),
        "block_out_channels": (32, 64), "cross_attention_dim": 16, "attention_head_dim": 8,
        "layers_per_block": 1, "norm_num_groups": 8},
    "StableCascadeUNet": {},
    "AuraFlowTransformer2DModel": {
        "sample_size": 32, "patch_size": 2, "in_channels": 4, "num_mmdit_layers": 1,
        "num_single_dit_layers": 1, "attention_head_dim": 8, "num_attention_heads": 4,
        "caption_projection_dim": 32, "joint_attention_dim": 32, "out_channels": 4,
        "pos_embed_max_size": 256},
    "BriaTransformer2DModel": {**_FLUX, "pooled_projection_dim": None, "axes_dims_rope": [0, 8, 8]},
    "BriaFiboTransformer2DModel": {
        **_FLUX, "attention_head_dim": 8, "joint_attention_dim": 64, "text_encoder_dim": 32,
        "pooled_projection_dim": None, "axes_dims_rope": [0, 4, 4]},
    "BriaFibo2Transformer2DModel": {
        "in_channels": 1, "patch_size": 2, "dim": 32, "n_layers": 2, "n_refiner_layers": 1, "n_heads": 2,
        "cap_feat_dim": 48, "injection_layer_ids": (0,), "perceiver_num_layers": 1,
        "min_num_gist_tokens": 8, "max_num_gist_tokens": 16, "gist_step": 8, "gist_min_text_len": 8,
        "gist_max_text_len": 64, "axes_dims": (8, 4, 4), "axes_lens": (2048, 64, 64)},
    "ChromaTransformer2DModel": {
        **{k: v for k, v in _FLUX.items() if k != "pooled_projection_dim"}, "approximator_hidden_dim": 32,
        "approximator_layers": 1, "approximator_num_channels": 16},
    "ChronoEditTransformer3DModel": {
        "patch_size": (1, 2, 2), "num_attention_heads": 2, "attention_head_dim": 12, "in_channels": 36,
        "out_channels": 16, "text_dim": 32, "freq_dim": 16, "ffn_dim": 32, "num_layers": 1,
        "cross_attn_norm": True, "rope_max_seq_len": 32, "image_dim": 32},
    "CogView3PlusTransformer2DModel": {
        "patch_size": 2, "in_channels": 4, "num_layers": 1, "attention_head_dim": 4, "out_channels": 4,
        "num_attention_heads": 2, "text_embed_dim": 32, "time_embed_dim": 8, "condition_dim": 2,
        "pos_embed_max_size": 8, "sample_size": 8},
    "CogView4Transformer2DModel": {
        "patch_size": 2, "in_channels": 4, "num_layers": 1, "attention_head_dim": 4, "out_channels": 4,
        "num_attention_heads": 4, "text_embed_dim": 32, "time_embed_dim": 8, "condition_dim": 4},
    "CosmosTransformer3DModel": {
        "in_channels": 16, "out_channels": 16, "num_attention_heads": 2, "attention_head_dim": 16,
        "num_layers": 1, "mlp_ratio": 2, "text_embed_dim": 32, "adaln_lora_dim": 4, "max_size": (4, 32, 32),
        "patch_size": (1, 2, 2), "rope_scale": (1.0, 4.0, 4.0), "concat_padding_mask": True,
        "extra_pos_embed_type": None},
    "ErnieImageTransformer2DModel": {
        "hidden_size": 32, "num_attention_heads": 2, "num_layers": 1, "ffn_hidden_size": 32, "in_channels": 4,
        "out_channels": 4, "text_in_dim": 16, "rope_axes_dim": (8, 4, 4)},
    "Flux2Transformer2DModel": {
        "in_channels": 4, "num_layers": 1, "num_single_layers": 1, "attention_head_dim": 16,
        "num_attention_heads": 2, "joint_attention_dim": 16, "axes_dims_rope": [4, 4, 4, 4]},
    "FluxTransformer2DModel": _FLUX,
    "GlmImageTransformer2DModel": {
        "patch_size": 2, "in_channels": 4, "out_channels": 4, "num_layers": 1, "attention_head_dim": 8,
        "num_attention_heads": 2, "text_embed_dim": 32, "time_embed_dim": 16, "condition_dim": 8,
        "prior_vq_quantizer_codebook_size": 128},
    "HiDreamImageTransformer2DModel": {
        "patch_size": 2, "in_channels": 4, "out_channels": 4, "num_layers": 1, "num_single_layers": 1,
        "attention_head_dim": 8, "num_attention_heads": 4, "caption_channels": [32, 16], "text_emb_dim": 64,
        "num_routed_experts": 4, "num_activated_experts": 2, "axes_dims_rope": (4, 2, 2),
        "max_resolution": (32, 32), "llama_layers": (0, 1)},
    "HunyuanDiT2DModel": {
        "sample_size": 16, "num_layers": 2, "patch_size": 2, "attention_head_dim": 8,
        "num_attention_heads": 3, "in_channels": 4, "cross_attention_dim": 32, "cross_attention_dim_t5": 32,
        "pooled_projection_dim": 16, "hidden_size": 24, "activation_fn": "gelu-approximate"},
    "HunyuanImageTransformer2DModel": {
        "in_channels": 4, "out_channels": 4, "num_attention_heads": 4, "attention_head_dim": 8,
        "num_layers": 1, "num_single_layers": 1, "num_refiner_layers": 1, "patch_size": (1, 1),
        "text_embed_dim": 16, "text_embed_2_dim": 32, "rope_axes_dim": (4, 4)},
    "Ideogram4Transformer2DModel": {
        "in_channels": 4, "num_layers": 1, "attention_head_dim": 16, "num_attention_heads": 2,
        "intermediate_size": 32, "adaln_dim": 16, "llm_features_dim": 16 * 13, "mrope_section": (4, 2, 2)},
    "JoyImageEditTransformer3DModel": _JOY,
    "JoyImageEditPlusTransformer3DModel": _JOY,
    "Kandinsky5Transformer3DModel": {
        "in_visual_dim": 4, "in_text_dim": 16, "in_text_dim2": 32, "time_dim": 16, "out_visual_dim": 4,
        "patch_size": (1, 2, 2), "model_dim": 16, "ff_dim": 32, "num_text_blocks": 1, "num_visual_blocks": 1,
        "axes_dims": (1, 1, 2), "visual_cond": False, "attention_type": "regular"},
    "Krea2Transformer2DModel": {
        "in_channels": 16, "num_layers": 1, "attention_head_dim": 8, "num_attention_heads": 4,
        "num_key_value_heads": 2, "intermediate_size": 32, "timestep_embed_dim": 8, "text_hidden_dim": 16,
        "num_text_layers": 3, "text_num_attention_heads": 2, "text_num_key_value_heads": 1,
        "text_intermediate_size": 16, "num_layerwise_text_blocks": 1, "num_refiner_text_blocks": 1,
        "axes_dims_rope": (4, 2, 2), "rope_theta": 1000.0},
    "LongCatImageTransformer2DModel": {
        **_FLUX, "joint_attention_dim": 16, "pooled_projection_dim": 16, "axes_dims_rope": [4, 4, 8]},
    "Lumina2Transformer2DModel": {
        "sample_size": 4, "patch_size": 2, "in_channels": 4, "hidden_size": 32, "num_layers": 1,
        "num_attention_heads": 2, "num_kv_heads": 1, "multiple_of": 16, "axes_dim_rope": [8, 4, 4],
        "cap_feat_dim": 32},
    "LuminaNextDiT2DModel": {
        "sample_size": 4, "patch_size": 2, "in_channels": 4, "hidden_size": 32, "num_layers": 1,
        "num_attention_heads": 2, "num_kv_heads": 1, "multiple_of": 16, "ffn_dim_multiplier": None,
        "norm_eps": 1e-5, "learn_sigma": True, "qk_norm": True, "cross_attention_dim": 32,
        "scaling_factor": 1.0},
    "NucleusMoEImageTransformer2DModel": {
        "patch_size": 2, "in_channels": 16, "out_channels": 4, "num_layers": 2, "attention_head_dim": 16,
        "num_attention_heads": 4, "joint_attention_dim": 16, "axes_dims_rope": (8, 4, 4),
        "moe_enabled": False, "capacity_factors": [8.0, 8.0]},
    "OmniGenTransformer2DModel": {
        "hidden_size": 16, "num_attention_heads": 4, "num_key_value_heads": 4, "intermediate_size": 32,
        "num_layers": 1, "in_channels": 4, "time_step_dim": 4,
        "rope_scaling": {"long_factor": [1, 2], "short_factor": [1, 2]}},
    "OvisImageTransformer2DModel": {
        **{k: v for k, v in _FLUX.items() if k != "pooled_projection_dim"}, "out_channels": 16,
        "joint_attention_dim": 16},
    "PRXTransformer2DModel": {
        "patch_size": 1, "in_channels": 4, "context_in_dim": 32, "hidden_size": 8, "mlp_ratio": 2.0,
        "num_heads": 2, "depth": 1, "axes_dim": [2, 2]},
    "PixArtTransformer2DModel": {
        "sample_size": 8, "num_layers": 1, "patch_size": 2, "attention_head_dim": 8, "num_attention_heads": 3,
        "caption_channels": 32, "in_channels": 4, "cross_attention_dim": 24, "out_channels": 8},
    "QwenImage21Transformer2DModel": {
        "in_channels": 4, "out_channels": 4, "num_layers": 1, "attention_head_dim": 16,
        "num_attention_heads": 2, "context_in_dim": 16, "mlp_ratio": 2, "axes_dims_rope": (8, 4, 4)},
    "QwenImageTransformer2DModel": {
        "patch_size": 2, "in_channels": 16, "out_channels": 4, "num_layers": 1, "attention_head_dim": 16,
        "num_attention_heads": 3, "joint_attention_dim": 16, "guidance_embeds": False,
        "axes_dims_rope": (8, 4, 4)},
    "SD3Transformer2DModel": {
        "sample_size": 16, "patch_size": 1, "in_channels": 4, "num_layers": 1, "attention_head_dim": 8,
        "num_attention_heads": 4, "joint_attention_dim": 32, "caption_projection_dim": 32,
        "pooled_projection_dim": 64, "out_channels": 4},
    "SanaTransformer2DModel": {
        "patch_size": 1, "in_channels": 4, "out_channels": 4, "num_layers": 1, "num_attention_heads": 2,
        "attention_head_dim": 4, "num_cross_attention_heads": 2, "cross_attention_head_dim": 4,
        "cross_attention_dim": 8, "caption_channels": 32, "sample_size": 16},
    "StableUnCLIPImageNormalizer": {"embedding_dim": 32},
    "IFWatermarker": {},
}  # fmt: skip
"""Name of a class of the library -> arguments of a tiny one."""

_CASCADE_BLOCKS = (
    ("SDCascadeResBlock", "SDCascadeTimestepBlock"),
    ("SDCascadeResBlock", "SDCascadeTimestepBlock"),
    ("SDCascadeResBlock", "SDCascadeTimestepBlock", "SDCascadeAttnBlock"),
    ("SDCascadeResBlock", "SDCascadeTimestepBlock", "SDCascadeAttnBlock"),
)
_VAE_8 = {
    "block_out_channels": (8, 8, 8, 8), "down_block_types": (_DOWN,) * 4, "up_block_types": (_UP,) * 4
}  # fmt: skip
_FIBO_VAE = {
    "base_dim": 4, "decoder_base_dim": 4, "num_res_blocks": 1, "in_channels": 12, "out_channels": 12,
    "patch_size": 2, "scale_factor_spatial": 16, "is_residual": True, "z_dim": 16,
    "dim_mult": [1, 1, 1, 1], "latents_mean": [0.0] * 16, "latents_std": [1.0] * 16,
}  # fmt: skip
_INPAINT: dict[str, Any] = {"unet": {"in_channels": 9}}
_UNCLIP: dict[str, Any] = {
    "unet": {"class_embed_type": "projection", "projection_class_embeddings_input_dim": 64},
}
_SPRINT: dict[str, Any] = {
    "transformer": {"qk_norm": "rms_norm_across_heads", "guidance_embeds": True},
    "scheduler": lambda: _made("SCMScheduler"),
}
_KLEIN: dict[str, Any] = {"is_distilled": False}
_KANDINSKY: dict[str, Any] = {
    "unet": {**_SIMPLE, "in_channels": 4, "out_channels": 8, "addition_embed_type": "text_image",
             "encoder_hid_dim_type": "text_image_proj"},
    "scheduler": lambda: _made("DDIMScheduler"),
}  # fmt: skip
_KANDINSKY22: dict[str, Any] = {
    "unet": {**_SIMPLE, "in_channels": 4, "out_channels": 8, "addition_embed_type": "image",
             "encoder_hid_dim_type": "image_proj"},
    "scheduler": lambda: _made("DDPMScheduler"),
}  # fmt: skip
_SD3_PAG: dict[str, Any] = {"transformer": {"num_layers": 2}}
_LONGCAT: dict[str, Any] = {"vae": {"latent_channels": 16}, "transformer": {"in_channels": 64}}
_KOLORS: dict[str, Any] = {
    "unet": {**XL, "cross_attention_dim": 32, "projection_class_embeddings_input_dim": 6 * 8 + 32},
}
_HUNYUAN: dict[str, Any] = {
    "text_encoder_2": parts.t5, "tokenizer_2": lambda: parts.words(256), "vae": _VAE_8,
}  # fmt: skip
_XL: dict[str, Any] = {"unet": XL}
_XL_INPAINT: dict[str, Any] = {"unet": {**XL, "in_channels": 9}}
_IF: dict[str, Any] = {"unet": IF}
_SDXL = "StableDiffusionXL"


def _made(name: str, **more: Any) -> Any:
    import diffusers

    return getattr(diffusers, name)(**more)


def _shifting() -> Any:
    return _made("FlowMatchEulerDiscreteScheduler", use_dynamic_shifting=True, base_shift=0.5,
                      max_shift=1.15, base_image_seq_len=256, max_image_seq_len=4096)  # fmt: skip


def _apg() -> Any:
    from diffusers.guiders import AdaptiveProjectedMixGuidance

    return AdaptiveProjectedMixGuidance(adaptive_projected_guidance_start_step=1)


def _cascade(**more: Any) -> Callable[[], Any]:
    def make() -> Any:
        from diffusers.models.unets import StableCascadeUNet

        return StableCascadeUNet(**more)

    return make


_PRIOR = _cascade(
    in_channels=16, out_channels=16, conditioning_dim=32, block_out_channels=(32, 32),
    num_attention_heads=(2, 2), down_num_layers_per_block=(1, 1), up_num_layers_per_block=(1, 1),
    clip_image_in_channels=768, switch_level=(False,), clip_text_in_channels=32,
    clip_text_pooled_in_channels=32)  # fmt: skip
_DECODER = _cascade(
    in_channels=4, out_channels=4, conditioning_dim=32, block_out_channels=(16, 32, 64, 128),
    num_attention_heads=(-1, -1, 1, 2), down_num_layers_per_block=(1, 1, 1, 1),
    up_num_layers_per_block=(1, 1, 1, 1), down_blocks_repeat_mappers=(1, 1, 1, 1),
    up_blocks_repeat_mappers=(3, 3, 2, 2), block_types_per_layer=_CASCADE_BLOCKS, switch_level=None,
    clip_text_pooled_in_channels=32, dropout=(0.1, 0.1, 0.1, 0.1), effnet_in_channels=16)  # fmt: skip

OVERRIDES: dict[str, dict[str, Any]] = {
    "BriaFiboPipeline": {"vae": _FIBO_VAE},
    "BriaFiboEditPipeline": {"vae": _FIBO_VAE},
    "ChronoEditPipeline": {"image_encoder": lambda: parts.clip_vision(hf.CLIPVisionModelWithProjection)},
    "CogView3PlusPipeline": {"scheduler": lambda: _made("CogVideoXDDIMScheduler")},
    "CogView4Pipeline": {
        "scheduler": lambda: _made(
            "FlowMatchEulerDiscreteScheduler", base_shift=0.25, max_shift=0.75, base_image_seq_len=256,
            use_dynamic_shifting=True, time_shift_type="linear")},
    "Flux2KleinPipeline": _KLEIN, "Flux2KleinInpaintPipeline": _KLEIN,
    "Flux2KleinKVPipeline": {"transformer": {"guidance_embeds": False}},
    "FluxFillPipeline": {"transformer": {"in_channels": 48, "out_channels": 16}},
    "GlmImagePipeline": {"vae": {**_VAE_8, "latents_mean": [0.0] * 4, "latents_std": [1.0] * 4}},
    "HiDreamImagePipeline": {
        "text_encoder": lambda: parts.clip(hf.CLIPTextModelWithProjection, max_position_embeddings=128),
        "text_encoder_2": lambda: parts.clip(hf.CLIPTextModelWithProjection, max_position_embeddings=128)},
    "HunyuanDiTPipeline": _HUNYUAN, "HunyuanDiTPAGPipeline": _HUNYUAN,
    "HunyuanImagePipeline": {
        "guider": _apg, "ocr_guider": _apg},
    **dict.fromkeys(("IFPipeline", "IFImg2ImgPipeline", "IFInpaintingPipeline"), _IF),
    "Kandinsky5I2IPipeline": {"transformer": {"visual_cond": True}, "vae": _VAE_8},
    "KandinskyCombinedPipeline": _KANDINSKY, "KandinskyImg2ImgCombinedPipeline": _KANDINSKY,
    "KandinskyInpaintCombinedPipeline": {**_KANDINSKY, "unet": {**_KANDINSKY["unet"], "in_channels": 9}},
    **dict.fromkeys(("KandinskyV22CombinedPipeline", "KandinskyV22Img2ImgCombinedPipeline"), _KANDINSKY22),
    "KandinskyV22InpaintCombinedPipeline": {
        **_KANDINSKY22, "unet": {**_KANDINSKY22["unet"], "in_channels": 9}},
    **dict.fromkeys(("KolorsPipeline", "KolorsPAGPipeline", "KolorsImg2ImgPipeline"), _KOLORS),
    "Krea2Pipeline": {"text_encoder_select_layers": (0, 1, 2), "scheduler": _shifting},
    "LDMTextToImagePipeline": {
        "vqvae": lambda: _made("AutoencoderKL", **SETTINGS["AutoencoderKL"]),
        "bert": parts.clip, "unet": lambda: _made("UNet2DConditionModel", **_UNET)},
    "LatentConsistencyModelPipeline": {"unet": {"time_cond_proj_dim": 32}},
    "LatentConsistencyModelImg2ImgPipeline": {"unet": {"time_cond_proj_dim": 32}},
    "LongCatImagePipeline": _LONGCAT, "LongCatImageEditPipeline": _LONGCAT,
    "PixArtSigmaPAGPipeline": {"transformer": {"num_layers": 2}},
    "OmniGenPipeline": {
        "vae": _VAE_8,
        "scheduler": lambda: _made(
            "FlowMatchEulerDiscreteScheduler", invert_sigmas=True, num_train_timesteps=1)},
    "PRXPixelPipeline": {"transformer": {
        "in_channels": 3, "context_in_dim": 16, "bottleneck_size": 8, "resolution_embeds": True}},
    "SanaSprintPipeline": _SPRINT, "SanaSprintImg2ImgPipeline": _SPRINT,
    "QwenImage21Pipeline": {"text_encoder": parts.qwen21, "processor": parts.qwen21_processor},
    "StableDiffusion3PAGPipeline": _SD3_PAG, "StableDiffusion3PAGImg2ImgPipeline": _SD3_PAG,
    "StableDiffusion3InpaintPipeline": {
        "vae": {"latent_channels": 16}, "transformer": {"in_channels": 16, "out_channels": 16}},
    "StableCascadeCombinedPipeline": {"prior_prior": _PRIOR, "decoder": _DECODER},
    "StableDiffusionDepth2ImgPipeline": {
        "unet": {"in_channels": 5}, "feature_extractor": lambda: hf.DPTImageProcessorPil(
            size={"height": 32, "width": 32})},
    "StableDiffusionInpaintPipeline": _INPAINT, "StableDiffusionPAGInpaintPipeline": _INPAINT,
    "StableDiffusionInstructPix2PixPipeline": {"unet": {"in_channels": 8}},
    **dict.fromkeys((f"{_SDXL}Pipeline", f"{_SDXL}Img2ImgPipeline", f"{_SDXL}PAGPipeline",
                     f"{_SDXL}PAGImg2ImgPipeline"), _XL),
    **dict.fromkeys((f"{_SDXL}InpaintPipeline", f"{_SDXL}PAGInpaintPipeline"), _XL_INPAINT),
    f"{_SDXL}InstructPix2PixPipeline": {"unet": {**XL, "in_channels": 8}},
    "StableUnCLIPPipeline": _UNCLIP,
    "StableUnCLIPImg2ImgPipeline": {**_UNCLIP, "feature_extractor": parts.clip_pixels},
    "VisualClozePipeline": {"transformer": {"in_channels": 48, "out_channels": 16}, "resolution": 32},
    "VisualClozeGenerationPipeline": {
        "transformer": {"in_channels": 48, "out_channels": 16}, "resolution": 32},
    "ZImageOmniPipeline": {"transformer": lambda kind: parts.z_image(kind, siglip_feat_dim=16)},
}  # fmt: skip
"""Pipeline -> argument of its class -> settings on top of `SETTINGS`, what makes it, or the value itself."""

_LAYERS = {"text_encoder_out_layers": "(1,)"}
OPTIONS: dict[str, dict[str, str]] = {
    "Flux2Pipeline": _LAYERS, "Flux2KleinPipeline": _LAYERS, "Flux2KleinInpaintPipeline": _LAYERS,
    "Flux2KleinKVPipeline": _LAYERS,
    "FluxKontextPipeline": {"max_area": "1024", "_auto_resize": "False"},
    "FluxKontextInpaintPipeline": {"max_area": "1024", "_auto_resize": "False"},
    "Ideogram4Pipeline": {"guidance_scale": "7.0"},
    "NucleusMoEImagePipeline": {"return_index": "-1"},
    "LongCatImagePipeline": {"enable_prompt_rewrite": "False"},
}  # fmt: skip
"""Options of the adapter that tiny weights need: layers that exist, sizes as asked for."""
