"""Tiny random components of `diffusers` pipelines: what a class of the library is built with.

Text encoders are 32 wide (Qwen's 16), latents have 4 channels where a class leaves the choice.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from evalsuite_baselines.image_text.videoless import without_videos

from tests.baselines import tiny

LENGTH = 512
CLIP_LENGTH = 77
hf: Any = import_module("transformers")


def words(length: int = LENGTH) -> Any:
    """A token per byte between begin and end, with the marks of Qwen's processors and a chat template."""
    from tokenizers.processors import TemplateProcessing

    made = tiny.tokenizer("<|im_start|>", "<|im_end|>", "<|endoftext|>", "<think>", "</think>",
                          **tiny.QWEN_MARKS)  # fmt: skip
    made.backend_tokenizer.post_processor = TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 1), ("</s>", 2)]
    )
    made.model_max_length = length
    made.chat_template = tiny.QWEN_CHAT
    return made


def _size() -> int:
    return len(words())


def t5(kind: Any = None, **more: Any) -> Any:
    wanted = {"vocab_size": _size(), "d_model": 32, "d_kv": 8, "d_ff": 32, "num_layers": 1, "num_heads": 4}
    if kind is not None and "UMT5" in kind.__name__:
        return hf.UMT5EncoderModel(hf.UMT5Config(**wanted, **more))
    return hf.T5EncoderModel(hf.T5Config(**wanted, **more))


def clip(kind: Any = None, **more: Any) -> Any:
    config = hf.CLIPTextConfig(**{
        "vocab_size": _size(), "hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 2,
        "num_attention_heads": 4, "projection_dim": 32, "max_position_embeddings": CLIP_LENGTH,
        "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, **more})  # fmt: skip
    return (kind or hf.CLIPTextModel)(config)


def clip_vision(kind: Any = None, **more: Any) -> Any:
    config = hf.CLIPVisionConfig(**{
        "hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4,
        "projection_dim": 32, "image_size": 32, "patch_size": 8, **more})  # fmt: skip
    return (kind or hf.CLIPVisionModelWithProjection)(config)


def clip_pixels(kind: Any = None, side: int = 32) -> Any:
    return hf.CLIPImageProcessorPil(size={"shortest_edge": side}, crop_size={"height": side, "width": side})


def bert(kind: Any = None) -> Any:
    return hf.BertModel(hf.BertConfig(
        vocab_size=_size(), hidden_size=32, num_hidden_layers=1, num_attention_heads=4,
        intermediate_size=32))  # fmt: skip


def _decoder(kind: Any, config: Any, width: int = 16, **more: Any) -> Any:
    return kind(config(**{
        "vocab_size": _size(), "hidden_size": width, "intermediate_size": width, "num_hidden_layers": 2,
        "num_attention_heads": 2, "num_key_value_heads": 2, "head_dim": 8, "max_position_embeddings": 2048,
        "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, **more}))  # fmt: skip


def gemma(kind: Any = None, **more: Any) -> Any:
    return _decoder(hf.GemmaModel, hf.GemmaConfig, 32, **more)


def gemma2(kind: Any = None, **more: Any) -> Any:
    return _decoder(hf.Gemma2Model, hf.Gemma2Config, 32, **more)


def llama(kind: Any = None, **more: Any) -> Any:
    return _decoder(hf.LlamaForCausalLM, hf.LlamaConfig, **more)


def qwen3(kind: Any = None, **more: Any) -> Any:
    return _decoder(kind if kind in (hf.Qwen3ForCausalLM, hf.Qwen3Model) else hf.Qwen3Model,
                    hf.Qwen3Config, **more)  # fmt: skip


def glm(kind: Any = None, **more: Any) -> Any:
    return _decoder(hf.GlmModel, hf.GlmConfig, 32, **more)


def smollm(kind: Any = None, **more: Any) -> Any:
    return _decoder(hf.SmolLM3ForCausalLM, hf.SmolLM3Config, 32, **more)


def t5gemma(kind: Any = None) -> Any:
    module: Any = hf.T5GemmaEncoder
    config = hf.T5GemmaModuleConfig(
        vocab_size=_size(), hidden_size=32, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2,
        num_key_value_heads=1, head_dim=16, layer_types=["full_attention"], dropout_rate=0.0,
        query_pre_attn_scalar=16)  # fmt: skip
    return module(config)


def mistral3(kind: Any = None, **more: Any) -> Any:
    text = {"model_type": "mistral", "vocab_size": _size(), "hidden_size": 16, "intermediate_size": 16,
            "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 2,
            "head_dim": 8}  # fmt: skip
    vision = {"model_type": "pixtral", "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1,
              "num_attention_heads": 2, "image_size": 32, "patch_size": 8, "head_dim": 8}  # fmt: skip
    config = hf.Mistral3Config(text_config=text, vision_config=vision, image_token_index=4)
    return (kind or hf.Mistral3Model)(config)


def siglip2(kind: Any = None) -> Any:
    return hf.Siglip2VisionModel(hf.Siglip2VisionConfig(
        hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2, patch_size=8,
        num_patches=16))  # fmt: skip


def qwen2_5_vl(kind: Any = None) -> Any:
    with without_videos():
        return tiny.qwen2_5_vl()[0]


def qwen3_vl(kind: Any = None) -> Any:
    with without_videos():
        made = tiny.qwen3_vl()[0]
    return made.model if kind is hf.Qwen3VLModel else made


def qwen21() -> Any:
    """Qwen-Image 2.1 wants a place in the text for every 32 x 32 pixels."""
    model = qwen3_vl()
    config = model.config
    config.vision_config.patch_size = 16
    return type(model)(config)


def qwen21_processor() -> Any:
    made = processor(hf.Qwen3VLProcessor)
    made.image_processor.patch_size = 16
    return made


def processor(kind: Any) -> Any:
    with without_videos():
        if kind.__name__ == "Qwen3VLProcessor":
            made = tiny.qwen3_vl()[1]
        else:
            pixels = hf.Qwen2VLImageProcessorPil(
                patch_size=8, merge_size=2, size={"shortest_edge": 256, "longest_edge": 1024})  # fmt: skip
            made = kind(pixels, words(), tiny.video("Qwen2VLVideoProcessor", patch_size=8))
    made.tokenizer = words()
    made.chat_template = tiny.QWEN_CHAT
    return made


def multilingual_clip(kind: Any) -> Any:
    from diffusers.pipelines.kandinsky.text_encoder import MCLIPConfig

    return kind(MCLIPConfig(
        transformerDimSize=32, imageDimSize=32, hidden_size=32, intermediate_size=32, num_attention_heads=4,
        num_hidden_layers=1, vocab_size=_size()))  # fmt: skip


def dpt(kind: Any = None) -> Any:
    return hf.DPTForDepthEstimation(hf.DPTConfig(
        hidden_size=32, num_hidden_layers=4, num_attention_heads=4, intermediate_size=32, image_size=32,
        patch_size=16, backbone_out_indices=[0, 1, 2, 3], neck_hidden_sizes=[8, 8, 8, 8],
        fusion_hidden_size=8, is_hybrid=False))  # fmt: skip


def prior(kind: Any) -> Any:
    made = kind(num_attention_heads=2, attention_head_dim=12, embedding_dim=32, num_layers=1)
    made.clip_std = torch.nn.Parameter(torch.ones_like(made.clip_std))
    return made


def z_image(kind: Any, **more: Any) -> Any:
    made = kind(**{
        "in_channels": 4, "dim": 32, "n_layers": 2, "n_refiner_layers": 1, "n_heads": 2, "n_kv_heads": 2,
        "cap_feat_dim": 16, "axes_dims": [8, 4, 4], "axes_lens": [1024, 64, 64], **more})  # fmt: skip
    with torch.no_grad():  # left as they were allocated by the class itself
        for name, parameter in made.named_parameters():
            if name.endswith("pad_token"):
                parameter.fill_(1.0)
    return made


def glm_image(kind: Any) -> Any:
    ids = {f"image_{name}_id": 300 + i for i, name in enumerate(("start_token", "end_token"))}
    ids["image_token_id"] = glm_words().convert_tokens_to_ids("<|image|>")
    return kind(hf.GlmImageConfig(
        **ids,
        text_config={"vocab_size": 1024, "hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 2,
                     "num_attention_heads": 2, "num_key_value_heads": 2, "max_position_embeddings": 512,
                     "pad_token_id": 0, "vision_vocab_size": 128, "rope_parameters": {
                         "rope_type": "default", "rope_theta": 10000.0, "mrope_section": [4, 2, 2]}},
        vision_config={"depth": 2, "hidden_size": 32, "num_heads": 2, "image_size": 32, "patch_size": 8,
                       "intermediate_size": 32},
        vq_config={"embed_dim": 32, "num_embeddings": 128, "latent_channels": 32}))  # fmt: skip


def chatglm(kind: Any) -> Any:
    from diffusers.pipelines.kolors.text_encoder import ChatGLMConfig

    return kind(ChatGLMConfig(
        num_layers=2, padded_vocab_size=400, hidden_size=32, ffn_hidden_size=32, kv_channels=8,
        num_attention_heads=4, seq_length=256, multi_query_attention=True, multi_query_group_num=2,
        add_qkv_bias=True, original_rope=True))  # fmt: skip


def chatglm_words(kind: Any) -> Any:
    """Kolors' tokenizer reads a SentencePiece file: one of bytes is trained."""
    import sentencepiece

    folder = tempfile.mkdtemp()
    with Path(folder, "tokenizer.model").open("wb") as stream:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(["a red circle on green grass", "blue square"]), model_writer=stream,
            vocab_size=300, byte_fallback=True, hard_vocab_limit=False, minloglevel=2,
        )  # fmt: skip
    return kind(vocab_file=str(Path(folder, "tokenizer.model")))


def glm_words() -> Any:
    marks = {"image_token": "<|image|>", "grid_bos_token": "<sop>", "grid_eos_token": "<eop>"}
    return tiny.tokenizer("<|dit_token_16384|>", **marks)


def glm_processor(kind: Any) -> Any:
    made = glm_words()
    made.chat_template = tiny.CHAT.replace("<image>", "<|image|>")
    pixels: Any = import_module("transformers.models.glm_image.image_processing_pil_glm_image")
    return kind(pixels.GlmImageImageProcessorPil(patch_size=8, merge_size=1), made)


MAKERS: dict[str, Callable[[Any], Any]] = {
    **dict.fromkeys(("T5EncoderModel", "UMT5EncoderModel"), t5),
    **dict.fromkeys(("CLIPTextModel", "CLIPTextModelWithProjection"), clip),
    **dict.fromkeys(("CLIPVisionModel", "CLIPVisionModelWithProjection"), clip_vision),
    "CLIPImageProcessorPil": clip_pixels, "BertModel": bert, "GemmaPreTrainedModel": gemma,
    "Gemma2PreTrainedModel": gemma2, "LlamaForCausalLM": llama, "Qwen3ForCausalLM": qwen3,
    "Qwen3Model": qwen3, "GlmModel": glm, "SmolLM3ForCausalLM": smollm, "T5GemmaEncoder": t5gemma,
    "Mistral3Model": mistral3, "Mistral3ForConditionalGeneration": mistral3,
    "Qwen2_5_VLForConditionalGeneration": qwen2_5_vl, "Qwen3VLForConditionalGeneration": qwen3_vl,
    "Qwen3VLModel": qwen3_vl, "Qwen2VLProcessor": processor, "Qwen3VLProcessor": processor,
    "MultilingualCLIP": multilingual_clip, "DPTForDepthEstimation": dpt, "PriorTransformer": prior,
    "DPTImageProcessorPil": lambda kind: kind(size={"height": 32, "width": 32}),
    "ZImageTransformer2DModel": z_image, "GlmImageForConditionalGeneration": glm_image,
    "Siglip2VisionModel": siglip2, "PreTrainedModel": qwen3, "AutoProcessor": lambda kind: words(),
    "Siglip2ImageProcessorPil": lambda kind: kind(patch_size=8, max_num_patches=16),
    "ChatGLMModel": chatglm, "ChatGLMTokenizer": chatglm_words, "GlmImageProcessor": glm_processor,
    "ByT5Tokenizer": lambda kind: kind(),
}  # fmt: skip
"""Name of a class -> what builds one; classes of models only, tokenizers are `words`."""
