"""What a model type needs beside the rules of `tests.baselines.generic`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Override:
    """One type's.

    Args:
        config: settings, nested as in the configuration.
        keep: settings that stay as they are.
        named: special tokens by their attribute.
        tokens: further special tokens.
        processor, images: names of classes, where the library's lists have none.
        settings, image_settings, videos: of the processor, the image processor and the video processor.
        mark: what stands for an image in a chat template.
        template: whether it gets a chat template.
        mrope: sections of the rotary embedding, of a type that has some.
        wrapped: the tokenizer puts <s> and </s> around a text.
        decoder_start: the first token of an encoder-decoder.
    """

    config: dict[str, Any] = field(default_factory=dict)
    keep: tuple[str, ...] = ()
    named: dict[str, str] = field(default_factory=dict)
    tokens: tuple[str, ...] = ()
    processor: str = ""
    images: str = ""
    settings: dict[str, Any] = field(default_factory=dict)
    image_settings: dict[str, Any] = field(default_factory=dict)
    videos: dict[str, Any] = field(default_factory=dict)
    mark: str = ""
    template: bool = True
    mrope: list[int] | None = None
    wrapped: bool = False
    decoder_start: int | None = None


PLAIN = Override(template=False)
PATCH_16 = {"patch_size": 16}
LLAVA = Override(
    config={"vision_config": {"patch_size": 14, "image_size": 224}},
    image_settings={},
    settings={
        "patch_size": 14,
        "vision_feature_select_strategy": "default",
        "num_additional_image_tokens": 1,
    },
)
OVERRIDES: dict[str, Override] = {
    "aria": Override(
        config={"vision_config": {"patch_size": 14, "image_size": 490}},
        image_settings={"max_image_size": 490, "min_image_size": 490},
    ),
    "aya_vision": Override(
        config={
            "image_token_index": "token:<|IMG_PATCH|>",
            "vision_config": {"image_size": 364, "patch_size": 14},
        },
        image_settings={"size": {"height": 364, "width": 364}},
        tokens=("<|IMG_PATCH|>", "<|START_OF_IMG|>", "<|END_OF_IMG|>"),
        mark="<image>",
    ),
    "blip": Override(template=False, wrapped=True),
    "cohere_compass": Override(
        config={
            "text_config": {
                "rope_parameters": {
                    "full_attention": {
                        "rope_type": "default",
                        "rope_theta": 10000.0,
                        "mrope_section": [4, 2, 2],
                    }
                }
            }
        },
        mrope=[],
        image_settings=PATCH_16,
    ),
    "deepseek_ocr2": Override(
        config={
            "text_config": {"mlp_layer_types": ["dense", "sparse"], "num_experts_per_tok": 2},
            "vision_config": {"sam_config": {"downsample_channels": [16, 32]}},
        }
    ),
    "deepseek_vl": Override(config={"vision_config": {"image_size": 384}}),
    "deepseek_vl_hybrid": Override(config={"vision_config": {"image_size": 384}}),
    "ovis2": Override(
        settings={"image_seq_length": 729},
        config={"vision_config": {"image_size": 384}, "image_token_id": "token:<IMG_ATOM>"},
        tokens=("<image>",),
    ),
    "granite4_vision": Override(
        settings={"patch_size": 16, "vision_feature_select_strategy": "full", "downsample_rate": "1/2"},
        config={
            "deepstack_layer_map": [[0, 0]],
            "spatial_target_layers": [0, 0, 1, 1],
            "downsample_rate": "1/2",
            "vision_config": {"hidden_size": 64},
        },
    ),
    "hunyuan_vl": Override(
        config={"text_config": {"head_dim": 16}},
        mark="<image_start><image><image_end>",
    ),
    "pp_chart2table": Override(
        tokens=("<imgpad>",),
        mark="<imgpad>" * 256,
        config={"image_token_id": "token:<imgpad>", "image_token_index": "token:<imgpad>"},
    ),
    "got_ocr2": Override(
        tokens=("<imgpad>", "<img>", "</img>"),
        mark="<imgpad>",
        config={"image_token_index": "token:<imgpad>"},
        image_settings={"size": {"height": 1024, "width": 1024}},
    ),
    "minicpmv4_6": Override(
        config={"vision_config": {"patch_size": 14}}, videos={"slice_mode": False, "downsample_mode": "16x"}
    ),
    "minicpmv4_7": Override(
        config={"vision_config": {"patch_size": 14}}, videos={"slice_mode": False, "downsample_mode": "16x"}
    ),
    "qianfan_ocr": Override(
        mark="<image>",
        image_settings={"size": {"height": 448, "width": 448}},
        config={"image_token_id": "token:<context_image>"},
        tokens=("<IMG_CONTEXT>",),
    ),
    "qwen4_exp": Override(
        image_settings=PATCH_16,
        config={
            "text_config": {
                "indexer_n_heads": 2,
                "indexer_kv_heads": 1,
                "indexer_head_dim": 16,
                "indexer_budget": 64,
                "indexer_compress_ratio": 4,
            }
        },
    ),
    "vipllava": Override(config={**LLAVA.config, "vision_feature_layers": [-2, -1]}, settings=LLAVA.settings),
    "git": PLAIN,
    "fuyu": PLAIN,
    "florence2": Override(
        template=False,
        config={
            "vision_config": {
                "embed_dim": [16, 16, 32, 32],
                "num_heads": [2, 2, 2, 2],
                "num_groups": [2, 2, 2, 2],
                "depths": [1, 1, 1, 1],
            }
        },
        named={"image_token": "<image>"},
        image_settings={"image_seq_length": 50},
    ),
    "pix2struct": Override(template=False, decoder_start=0),
    "udop": Override(template=False, decoder_start=0),
    "kosmos-2.5": Override(
        template=False,
        keep=("patch_embed_hidden_size",),
        config={"latent_query_num": 16},
        settings={"num_image_tokens": 16},
        image_settings={"max_patches": 64},
    ),
    "cosmos3_edge": Override(
        config={
            "text_config": {
                "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [4, 2, 2]}
            }
        }
    ),
    "cosmos3_omni": Override(processor="Qwen3VLProcessor", image_settings=PATCH_16),
    "qwen3_5": Override(image_settings=PATCH_16),
    "qwen3_5_moe": Override(image_settings=PATCH_16),
    "lfm3_vl": Override(image_settings=PATCH_16),
    "video_llama_3": Override(image_settings=PATCH_16),
    "glm46v": Override(mrope=[4, 2, 2]),
    "gemma4": Override(
        config={
            "vision_config": {
                "model_type": "gemma4_vision",
                "hidden_size": 32,
                "intermediate_size": 32,
                "num_hidden_layers": 2,
                "num_attention_heads": 2,
                "num_key_value_heads": 2,
                "head_dim": 16,
                "global_head_dim": 16,
            }
        }
    ),
    "llava_next_video": LLAVA,
    "video_llava": LLAVA,
    "qwen2_5_omni": Override(config={"enable_audio_output": False}),
    "glm_ocr": Override(processor="Glm46VProcessor", images="Glm46VImageProcessorPil"),
    "glmga": Override(processor="Glm46VProcessor", mrope=[4, 2, 2]),
    "glm4v_moe": Override(mrope=[2, 1, 1], images="Glm4vImageProcessorPil"),
    "qwen3_vl_moe": Override(image_settings=PATCH_16, images="Qwen2VLImageProcessorPil"),
    "qwen2_5_omni_thinker": Override(
        processor="Qwen2_5OmniProcessor",
        images="Qwen2VLImageProcessorPil",
        config={"vision_start_token_id": "token:<vision_bos>"},
        mark="<vision_bos><image><vision_eos>",
    ),
    "qwen3_omni_moe_thinker": Override(
        processor="Qwen3OmniMoeProcessor",
        images="Qwen2VLImageProcessorPil",
        image_settings=PATCH_16,
        config={"vision_start_token_id": "token:<vision_bos>"},
        mark="<vision_bos><image><vision_eos>",
    ),
    "ernie4_5_vl_moe": Override(mrope=[3, 3, 2]),
    "qwen3_omni_moe": Override(keep=("talker_config", "code2wav_config")),
    "t5gemma2": Override(
        decoder_start=1, config={"encoder": {"vision_config": {"image_size": 224, "patch_size": 14}}}
    ),
    "diffusion_gemma": Override(
        images="Gemma4ImageProcessorPil",
        config={"text_config": {"num_experts": 4, "top_k_experts": 2, "moe_intermediate_size": 32}},
    ),
}
