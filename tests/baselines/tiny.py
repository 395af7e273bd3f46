"""Tiny random checkpoints of real classes: the model types of `transformers` that people compare with.

Every function returns a model and its processor; sizes are the smallest that the classes accept, weights are
large enough for answers to depend on prompts and images.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import transformers as hf
from evalsuite_baselines.image_text.videoless import needed, no_videos

CHAT = (
    "{% for m in messages %}{{ m.role }}: {% for c in m.content %}"
    "{{ '<image>' if c.type == 'image' else c.text }}{% endfor %}\n{% endfor %}"
    "{% if add_generation_prompt %}assistant:{% endif %}"
)
TEXT: dict[str, Any] = {
    "vocab_size": 300, "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2,
    "num_attention_heads": 2, "num_key_value_heads": 2, "max_position_embeddings": 512,
    "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2,
}  # fmt: skip
VISION: dict[str, Any] = {
    "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2,
    "image_size": 16, "patch_size": 8,
}  # fmt: skip
SIZE = {"height": 16, "width": 16}

Made = tuple[Any, Any]


def tokenizer(*extra: str, **named: str) -> Any:
    """A token per byte, no merges; `named` special tokens are attributes (`image_token`)."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    special = ["<pad>", "<s>", "</s>", "<unk>", *dict.fromkeys([*named.values(), *extra])]
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    words = {word: i for i, word in enumerate([*special, *alphabet])}
    made = Tokenizer(models.BPE(words, [], unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    return hf.PreTrainedTokenizerFast(
        tokenizer_object=made, pad_token="<pad>", bos_token="<s>", eos_token="</s>", unk_token="<unk>",
        additional_special_tokens=list(extra), extra_special_tokens=named,
    )  # fmt: skip


def video(kind: str, **settings: Any) -> Any:
    """A video processor; its stand-in where torchvision is missing."""
    return no_videos(settings) if needed() else getattr(hf, kind)(**settings)


def lively(model: Any) -> Any:
    """Random weights large enough for answers to differ."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.5)
    return model.eval()


def llava() -> Made:
    words = tokenizer(image_token="<image>")
    kind: Any = hf.LlavaConfig  # its annotations lack what it takes
    config = kind(
        text_config=hf.LlamaConfig(**TEXT), vision_config=hf.CLIPVisionConfig(**VISION),
        image_token_id=words.convert_tokens_to_ids("<image>"), vision_feature_select_strategy="default",
    )  # fmt: skip
    images = hf.CLIPImageProcessorPil(size={"shortest_edge": 16}, crop_size=SIZE)
    processor = hf.LlavaProcessor(
        images, words, patch_size=8, vision_feature_select_strategy="default", num_additional_image_tokens=1,
        chat_template=CHAT,
    )  # fmt: skip
    return hf.LlavaForConditionalGeneration(config), processor


def llava_next() -> Made:
    words = tokenizer(image_token="<image>")
    kind: Any = hf.LlavaNextConfig
    config = kind(
        text_config=hf.LlamaConfig(**TEXT), vision_config=hf.CLIPVisionConfig(**VISION),
        image_token_id=words.convert_tokens_to_ids("<image>"), vision_feature_select_strategy="default",
        image_grid_pinpoints=[[16, 32], [32, 16], [32, 32]],
    )  # fmt: skip
    images = hf.LlavaNextImageProcessorPil(
        size={"shortest_edge": 16}, crop_size=SIZE, image_grid_pinpoints=[[16, 32], [32, 16], [32, 32]]
    )
    processor = hf.LlavaNextProcessor(
        images, words, patch_size=8, vision_feature_select_strategy="default", num_additional_image_tokens=1,
        chat_template=CHAT,
    )  # fmt: skip
    return hf.LlavaNextForConditionalGeneration(config), processor


def blip_2() -> Made:
    words = tokenizer("<image>")
    config = hf.Blip2Config(
        vision_config=VISION,
        qformer_config={"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2,
                        "intermediate_size": 16, "encoder_hidden_size": 16, "vocab_size": 30},
        text_config=hf.OPTConfig(vocab_size=300, hidden_size=16, ffn_dim=32, num_hidden_layers=2,
                                 num_attention_heads=2, word_embed_proj_dim=16, max_position_embeddings=512,
                                 pad_token_id=0, bos_token_id=1, eos_token_id=2),
        num_query_tokens=4, image_token_index=words.convert_tokens_to_ids("<image>"),
    )  # fmt: skip
    processor = hf.Blip2Processor(hf.BlipImageProcessorPil(size=SIZE), words, num_query_tokens=4)
    return hf.Blip2ForConditionalGeneration(config), processor


def blip_2_t5() -> Made:
    words = tokenizer("<image>")
    t5: Any = hf.T5Config  # its annotations lack what it takes
    config = hf.Blip2Config(
        vision_config=VISION,
        qformer_config={"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2,
                        "intermediate_size": 16, "encoder_hidden_size": 16, "vocab_size": 30},
        text_config=t5(vocab_size=300, d_model=16, d_kv=8, d_ff=32, num_layers=2, num_heads=2,
                                decoder_start_token_id=0, pad_token_id=0, eos_token_id=2),
        num_query_tokens=4, image_token_index=words.convert_tokens_to_ids("<image>"),
    )  # fmt: skip
    processor = hf.Blip2Processor(hf.BlipImageProcessorPil(size=SIZE), words, num_query_tokens=4)
    return hf.Blip2ForConditionalGeneration(config), processor


def instructblip() -> Made:
    words, qformer = tokenizer("<image>"), tokenizer()
    config = hf.InstructBlipConfig(
        vision_config=VISION,
        qformer_config={"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2,
                        "intermediate_size": 16, "encoder_hidden_size": 16, "vocab_size": 300},
        text_config=hf.LlamaConfig(**TEXT), num_query_tokens=4,
        image_token_index=words.convert_tokens_to_ids("<image>"),
    )  # fmt: skip
    processor = hf.InstructBlipProcessor(
        hf.BlipImageProcessorPil(size=SIZE), words, qformer, num_query_tokens=4
    )
    return hf.InstructBlipForConditionalGeneration(config), processor


def idefics() -> Made:
    words = tokenizer("<fake_token_around_image>", "<image>", "<end_of_utterance>")
    config = hf.IdeficsConfig(
        **TEXT, additional_vocab_size=0, cross_layer_interval=1, use_resampler=False,
        vision_config={"embed_dim": 16, "image_size": 16, "patch_size": 8, "num_hidden_layers": 2,
                       "num_attention_heads": 2, "intermediate_size": 16},
        alpha_initializer="ones",
    )  # fmt: skip
    return hf.IdeficsForVisionText2Text(config), hf.IdeficsProcessor(
        hf.IdeficsImageProcessorPil(image_size=16), words, image_size=16
    )


def idefics2() -> Made:
    words = tokenizer(
        image_token="<image>", image_boundary_token="<fake_token_around_image>",
        end_of_utterance_token="<end_of_utterance>",
    )  # fmt: skip
    config = hf.Idefics2Config(
        text_config=hf.MistralConfig(**TEXT), vision_config=VISION,
        perceiver_config={"resampler_n_latents": 4, "resampler_depth": 1, "resampler_n_heads": 2,
                          "resampler_head_dim": 8, "num_key_value_heads": 2, "hidden_size": 16},
        image_token_id=words.convert_tokens_to_ids("<image>"),
    )  # fmt: skip
    images = hf.Idefics2ImageProcessorPil(
        size={"shortest_edge": 16, "longest_edge": 16}, do_image_splitting=False
    )
    return hf.Idefics2ForConditionalGeneration(config), hf.Idefics2Processor(
        images, words, image_seq_len=4, chat_template=CHAT
    )


def idefics3() -> Made:
    words = tokenizer(
        "<fake_token_around_image>", "<end_of_utterance>", "<global-img>", image_token="<image>"
    )
    config = hf.Idefics3Config(
        text_config=hf.LlamaConfig(**TEXT), vision_config=VISION, scale_factor=2,
        image_token_id=words.convert_tokens_to_ids("<image>"),
    )  # fmt: skip
    images = hf.Idefics3ImageProcessorPil(
        size={"longest_edge": 16}, max_image_size={"longest_edge": 16}, do_image_splitting=False
    )
    return hf.Idefics3ForConditionalGeneration(config), hf.Idefics3Processor(
        images, words, image_seq_len=1, chat_template=CHAT
    )


def paligemma() -> Made:
    words = tokenizer(image_token="<image>")
    config = hf.PaliGemmaConfig(
        text_config=hf.GemmaConfig(**TEXT, head_dim=8), vision_config=hf.SiglipVisionConfig(**VISION),
        image_token_index=words.convert_tokens_to_ids("<image>"), projection_dim=16,
    )  # fmt: skip
    images: Any = hf.SiglipImageProcessorPil(size=SIZE)
    images.image_seq_length = 4
    return hf.PaliGemmaForConditionalGeneration(config), hf.PaliGemmaProcessor(images, words)


def gemma3() -> Made:
    words = tokenizer(
        boi_token="<start_of_image>", eoi_token="<end_of_image>", image_token="<image_soft_token>"
    )
    config = hf.Gemma3Config(
        text_config=hf.Gemma3TextConfig(**TEXT, head_dim=8, sliding_window=64, tie_word_embeddings=False),
        vision_config=hf.SiglipVisionConfig(**VISION), mm_tokens_per_image=4, tie_word_embeddings=False,
        image_token_index=words.convert_tokens_to_ids("<image_soft_token>"),
        boi_token_index=words.convert_tokens_to_ids("<start_of_image>"),
        eoi_token_index=words.convert_tokens_to_ids("<end_of_image>"),
    )  # fmt: skip
    processor = hf.Gemma3Processor(
        hf.Gemma3ImageProcessorPil(size=SIZE), words, image_seq_length=4,
        chat_template=CHAT.replace("<image>", "<start_of_image>"),
    )  # fmt: skip
    return hf.Gemma3ForConditionalGeneration(config), processor


def kosmos_2() -> Made:
    words = tokenizer("<image>", "</image>", "<phrase>", "</phrase>", "<object>", "</object>", "<grounding>")
    config = hf.Kosmos2Config(
        text_config={"vocab_size": 300, "embed_dim": 16, "layers": 2, "ffn_dim": 16, "attention_heads": 2,
                     "max_position_embeddings": 512, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2},
        vision_config=VISION, latent_query_num=64,
    )  # fmt: skip
    processor = hf.Kosmos2Processor(
        hf.CLIPImageProcessorPil(size={"shortest_edge": 16}, crop_size=SIZE), words, num_patch_index_tokens=4
    )
    return hf.Kosmos2ForConditionalGeneration(config), processor


def mllama() -> Made:
    words = tokenizer(image_token="<|image|>")
    text = {**TEXT, "vocab_size": 300, "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0}}
    config = hf.MllamaConfig(
        text_config=hf.models.mllama.MllamaTextConfig(**text, cross_attention_layers=[1]),
        vision_config=hf.models.mllama.MllamaVisionConfig(
            hidden_size=16, attention_heads=2, num_hidden_layers=2, num_global_layers=1, intermediate_size=16,
            image_size=16, patch_size=8, max_num_tiles=1, supported_aspect_ratios=[[1, 1]],
            intermediate_layers_indices=[1], vision_output_dim=32),
        image_token_index=words.convert_tokens_to_ids("<|image|>"),
    )  # fmt: skip
    processor = hf.MllamaProcessor(
        hf.MllamaImageProcessorPil(size=SIZE, max_image_tiles=1), words,
        chat_template=CHAT.replace("<image>", "<|image|>"),
    )  # fmt: skip
    return hf.MllamaForConditionalGeneration(config), processor


FAMILIES: dict[str, Callable[[], Made]] = {
    "LLaVA": llava,
    "LLaVA-NeXT": llava_next,
    "BLIP-2 (OPT)": blip_2,
    "BLIP-2 (Flan-T5)": blip_2_t5,
    "InstructBLIP": instructblip,
    "IDEFICS": idefics,
    "Idefics2": idefics2,
    "Idefics3": idefics3,
    "PaliGemma": paligemma,
    "Gemma 3": gemma3,
    "Kosmos-2": kosmos_2,
    "Llama 3.2 Vision": mllama,
}
QWEN_TEXT: dict[str, Any] = {
    **TEXT, "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [1, 1, 2]}
}  # fmt: skip
QWEN_MARKS = {
    "image_token": "<|image_pad|>", "video_token": "<|video_pad|>", "vision_bos_token": "<|vision_start|>",
    "vision_eos_token": "<|vision_end|>",
}  # fmt: skip
QWEN_CHAT = CHAT.replace("<image>", "<|vision_start|><|image_pad|><|vision_end|>")


def _qwen_ids(words: Any) -> dict[str, Any]:
    return {
        "image_token_id": words.convert_tokens_to_ids("<|image_pad|>"),
        "video_token_id": words.convert_tokens_to_ids("<|video_pad|>"),
        "vision_start_token_id": words.convert_tokens_to_ids("<|vision_start|>"),
        "vision_end_token_id": words.convert_tokens_to_ids("<|vision_end|>"),
    }


def qwen2_vl() -> Made:
    words = tokenizer(**QWEN_MARKS)
    config = hf.Qwen2VLConfig(
        text_config=QWEN_TEXT, **_qwen_ids(words),
        vision_config={"depth": 2, "embed_dim": 16, "hidden_size": 16, "num_heads": 2, "mlp_ratio": 1,
                       "patch_size": 8, "spatial_merge_size": 2},
    )  # fmt: skip
    images = hf.Qwen2VLImageProcessorPil(
        patch_size=8, merge_size=2, size={"shortest_edge": 256, "longest_edge": 1024}
    )
    processor = hf.Qwen2VLProcessor(
        images, words, video("Qwen2VLVideoProcessor", patch_size=8), chat_template=QWEN_CHAT
    )
    return hf.Qwen2VLForConditionalGeneration(config), processor


def qwen2_5_vl() -> Made:
    words = tokenizer(**QWEN_MARKS)
    config = hf.Qwen2_5_VLConfig(
        text_config=QWEN_TEXT, **_qwen_ids(words),
        vision_config={"depth": 2, "hidden_size": 16, "num_heads": 2, "intermediate_size": 16,
                       "patch_size": 8, "spatial_merge_size": 2, "out_hidden_size": 16,
                       "fullatt_block_indexes": [1], "window_size": 32},
    )  # fmt: skip
    images = hf.Qwen2VLImageProcessorPil(
        patch_size=8, merge_size=2, size={"shortest_edge": 256, "longest_edge": 1024}
    )
    processor = hf.Qwen2_5_VLProcessor(
        images, words, video("Qwen2VLVideoProcessor", patch_size=8), chat_template=QWEN_CHAT
    )
    return hf.Qwen2_5_VLForConditionalGeneration(config), processor


def qwen3_vl() -> Made:
    words = tokenizer(**QWEN_MARKS)
    config = hf.Qwen3VLConfig(
        text_config={**QWEN_TEXT, "head_dim": 8}, **_qwen_ids(words),
        vision_config={"depth": 2, "hidden_size": 16, "num_heads": 2, "intermediate_size": 16,
                       "patch_size": 8, "spatial_merge_size": 2, "out_hidden_size": 16,
                       "deepstack_visual_indexes": [0], "num_position_embeddings": 16},
    )  # fmt: skip
    images = hf.Qwen2VLImageProcessorPil(
        patch_size=8, merge_size=2, size={"shortest_edge": 256, "longest_edge": 1024}
    )
    processor = hf.Qwen3VLProcessor(
        images, words, video("Qwen3VLVideoProcessor", patch_size=8), chat_template=QWEN_CHAT
    )
    return hf.Qwen3VLForConditionalGeneration(config), processor


def internvl() -> Made:
    words = tokenizer(
        start_image_token="<img>", end_image_token="</img>", context_image_token="<IMG_CONTEXT>",
        video_token="<video>",
    )  # fmt: skip
    config = hf.InternVLConfig(
        text_config=hf.Qwen2Config(**TEXT),
        vision_config={**VISION, "image_size": [16, 16], "patch_size": [4, 4]},
        image_token_id=words.convert_tokens_to_ids("<IMG_CONTEXT>"), downsample_ratio=0.5,
    )  # fmt: skip
    processor = hf.InternVLProcessor(
        hf.GotOcr2ImageProcessorPil(size=SIZE, crop_to_patches=False), words, video("InternVLVideoProcessor"),
        image_seq_length=4, chat_template=CHAT.replace("<image>", "<IMG_CONTEXT>"),
    )  # fmt: skip
    return hf.InternVLForConditionalGeneration(config), processor


def smolvlm() -> Made:
    words = tokenizer(
        image_token="<image>", fake_image_token="<fake_token_around_image>",
        global_image_token="<global-img>",
        end_of_utterance_token="<end_of_utterance>",
    )  # fmt: skip
    config = hf.SmolVLMConfig(
        text_config=hf.LlamaConfig(**TEXT), vision_config=VISION, scale_factor=2,
        image_token_id=words.convert_tokens_to_ids("<image>"),
    )  # fmt: skip
    images = hf.SmolVLMImageProcessorPil(
        size={"longest_edge": 16}, max_image_size={"longest_edge": 16}, do_image_splitting=False
    )
    processor = hf.SmolVLMProcessor(
        images, words, video("SmolVLMVideoProcessor"), image_seq_len=1, chat_template=CHAT
    )
    return hf.SmolVLMForConditionalGeneration(config), processor


def llava_onevision() -> Made:
    words = tokenizer(image_token="<image>", video_token="<video>")
    grid = [[16, 32], [32, 16], [32, 32]]
    kind: Any = hf.LlavaOnevisionConfig
    config = kind(
        text_config=hf.Qwen2Config(**TEXT), vision_config=hf.SiglipVisionConfig(**VISION),
        image_token_id=words.convert_tokens_to_ids("<image>"), image_grid_pinpoints=grid,
        video_token_id=words.convert_tokens_to_ids("<video>"),
    )  # fmt: skip
    processor = hf.LlavaOnevisionProcessor(
        hf.LlavaOnevisionImageProcessorPil(size=SIZE, image_grid_pinpoints=grid), words,
        video("LlavaOnevisionVideoProcessor"), num_image_tokens=4, vision_feature_select_strategy="full",
        chat_template=CHAT,
    )  # fmt: skip
    return hf.LlavaOnevisionForConditionalGeneration(config), processor


NEEDS_TORCHVISION: dict[str, Callable[[], Made]] = {
    "Qwen2-VL": qwen2_vl,
    "Qwen2.5-VL": qwen2_5_vl,
    "Qwen3-VL": qwen3_vl,
    "InternVL3": internvl,
    "SmolVLM": smolvlm,
    "LLaVA-OneVision": llava_onevision,
}
"""Their processors hold a video processor, which is torchvision's."""


def janus() -> Made:
    words = tokenizer(image_token="<image>", boi_token="<boi>", eoi_token="<eoi>")
    config = hf.JanusConfig(
        text_config=hf.LlamaConfig(**TEXT),
        vision_config={**{k: v for k, v in VISION.items() if k != "intermediate_size"}, "mlp_ratio": 1,
                       "projection_dim": 16, "num_image_tokens": 4},
        vq_config={"embed_dim": 4, "num_embeddings": 32, "latent_channels": 8, "base_channels": 32,
                   "channel_multiplier": [1, 1], "num_res_blocks": 1, "num_patches": 2, "projection_dim": 16,
                   "image_token_embed_dim": 16},
        image_token_id=words.convert_tokens_to_ids("<image>"), tie_word_embeddings=False,
    )  # fmt: skip
    model = hf.JanusForConditionalGeneration(config)
    generation: Any = model.generation_config
    generation.generation_kwargs = {"boi_token_id": words.convert_tokens_to_ids("<boi>")}
    generation._from_model_config = False
    model.generation_config.update(pad_token_id=0, bos_token_id=1, eos_token_id=2)
    images = hf.JanusImageProcessorPil(size=SIZE, min_size=4)
    return model, hf.JanusProcessor(images, words, chat_template=CHAT, num_image_tokens=4)


def emu3() -> Made:
    visual = [f"<|visual token {i:06d}|>" for i in range(16)]
    words = tokenizer(
        *visual, "<|extra_200|>", image_token="<image>", boi_token="<|image start|>",
        eoi_token="<|image end|>",
        image_wrapper_token="<|image token|>", eof_token="<|extra_201|>",
    )  # fmt: skip
    vocabulary = {word: words.convert_tokens_to_ids(word) for word in [*visual, "<|extra_200|>", "<image>"]}
    config = hf.Emu3Config(
        text_config=TEXT,
        vq_config={"codebook_size": 16, "embed_dim": 4, "latent_channels": 4, "base_channels": 32,
                   "channel_multiplier": [1, 1, 1, 1], "num_res_blocks": 1, "hidden_size": 32,
                   "attn_resolutions": []},
        vocabulary_map=vocabulary,
    )  # fmt: skip
    images = hf.Emu3ImageProcessor(min_pixels=16 * 16, max_pixels=32 * 32)
    return hf.Emu3ForConditionalGeneration(config), hf.Emu3Processor(images, words, chat_template=CHAT)


def chameleon() -> Made:
    visual = [f"IMGIMG{letters}Z" for letters in ("A", "B", "C", "D", "E", "F", "G", "H", "I", "J")]
    words = tokenizer(
        *visual, image_token="<image>", boi_token="<racm3:break>", eoi_token="<eoss>", sep_token="<sep>"
    )
    vocabulary = {word: words.convert_tokens_to_ids(word) for word in [*visual, "<image>"]}
    config = hf.ChameleonConfig(
        **TEXT, vocabulary_map=vocabulary,
        vq_config={"embed_dim": 4, "num_embeddings": 10, "latent_channels": 4, "base_channels": 32,
                   "channel_multiplier": [1, 1], "num_res_blocks": 1, "resolution": 16},
    )  # fmt: skip
    images = hf.ChameleonImageProcessorPil(size={"shortest_edge": 16}, crop_size=SIZE)
    processor = hf.ChameleonProcessor(images, words, image_seq_length=64)
    processor.chat_template = CHAT
    return hf.ChameleonForConditionalGeneration(config), processor


def llama() -> Made:
    words = tokenizer()
    words.chat_template = (
        "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}"
        "{% if add_generation_prompt %}assistant:{% endif %}"
    )
    return hf.LlamaForCausalLM(hf.LlamaConfig(**TEXT)), words


def opt() -> Made:
    config = hf.OPTConfig(
        vocab_size=300, hidden_size=16, ffn_dim=32, num_hidden_layers=2, num_attention_heads=2,
        word_embed_proj_dim=16, max_position_embeddings=512, pad_token_id=0, bos_token_id=1, eos_token_id=2,
        tie_word_embeddings=False,
    )  # fmt: skip
    return hf.OPTForCausalLM(config), tokenizer()


LANGUAGE: dict[str, Callable[[], Made]] = {"Llama": llama, "OPT": opt}
UNIFIED: dict[str, Callable[[], Made]] = {"Janus": janus, "Emu3": emu3}
FAMILIES["Chameleon"] = chameleon
