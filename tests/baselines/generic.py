"""Tiny random checkpoints of any image-text or multimodal type of `transformers`, built by rule.

Sizes of widths, layers, heads, experts and vocabularies are shrunk in the type's default configuration; what
has to do with the geometry of images (sides, patches, merges) keeps its default, because configuration and
processor agree there. Token ids of the configuration are those of a tokenizer made in the process.
"""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import transformers as hf
from evalsuite_baselines.image_text.videoless import needed, no_videos, without_videos

from tests.baselines import tiny
from tests.baselines.overrides import OVERRIDES, Override

WIDTH, HEAD, HEADS, LAYERS = 32, 16, 2, 2
RULES: tuple[tuple[str, Any], ...] = (
    (r"(moe_)?(num_(local_)?experts|n_routed_experts|moe_num_experts)", 4),
    (r"num_experts_per_tok(en)?|moe_topk|moe_k|top_k_experts|router_top_?k", 2),
    (r"(moe_num|n|num)_shared_experts", 1),
    (r"n_group|topk_group", 1),
    (r"num_nextn_predict_layers|first_k_dense_replace|num_kv_shared_layers", 0),
    (r"(num_|n_)?(hidden_|encoder_|decoder_)?(layers|blocks)|depth|num_layers|num_global_layers", LAYERS),
    (r"conf_num_hidden_layers|num_global_layers|vision_num_hidden_layers", LAYERS),
    (r".*(num|n)_(attention_|key_value_|kv_|sliding_attention_)?heads|attention_heads", HEADS),
    (r"(encoder|decoder)_attention_heads|conf_num_attention_heads|num_global_key_value_heads", HEADS),
    (r"linear_num_(key|value)_heads|linear_num_heads|index_n_heads", HEADS),
    (r"(linear_(key|value)_)?head_dim|d_kv|dim_head|global_head_dim|(v|vision)_head_dim", HEAD),
    (r"index_head_dim|linear_head_dim|mamba_head_dim", HEAD),
    (r"qk_(rope|nope)_head_dim", HEAD),
    (r"(q|kv|o)_lora_rank", HEAD),
    (r"((text|merged|moe|out|output|patch_embed|encoder|decoder|projection|projector)_)*hidden_(size|dim)",
     WIDTH),
    (r"d_model|d_ff|(encoder|decoder)_ffn_dim|ffn_dim|mlp_dim|projection_dim|output_dim", WIDTH),
    (r"(.*_)?intermediate_size(_.*)?|projector_(in|out)put_dim", WIDTH),
    (r"image_text_hidden_size|output_channels", WIDTH),
    (r"alignment_intermediate_size|hidden_size_per_layer_input|laurel_rank|text_dim|multimodal_hidden_size",
     WIDTH),
)  # fmt: skip
"""Name of a setting -> its tiny value, the first that matches."""


HAND_MADE: dict[str, Callable[[], tiny.Made]] = {
    "llava": tiny.llava, "llava_next": tiny.llava_next, "blip-2": tiny.blip_2,
    "instructblip": tiny.instructblip, "idefics": tiny.idefics, "idefics2": tiny.idefics2,
    "idefics3": tiny.idefics3, "paligemma": tiny.paligemma, "gemma3": tiny.gemma3, "kosmos-2": tiny.kosmos_2,
    "mllama": tiny.mllama, "chameleon": tiny.chameleon, "qwen2_vl": tiny.qwen2_vl,
    "qwen2_5_vl": tiny.qwen2_5_vl, "qwen3_vl": tiny.qwen3_vl, "internvl": tiny.internvl,
    "smolvlm": tiny.smolvlm, "llava_onevision": tiny.llava_onevision, "janus": tiny.janus, "emu3": tiny.emu3,
}  # fmt: skip
"""Types with a builder of their own."""


@cache
def types() -> dict[str, str]:
    """Model type -> its class, of both of the library's lists."""
    auto: Any = importlib.import_module("transformers.models.auto.modeling_auto")
    image_text = auto.MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES
    multimodal = auto.MODEL_FOR_MULTIMODAL_LM_MAPPING_NAMES
    found = {**multimodal, **image_text}
    return {name: str(found[name]) for name in sorted(found)}


def make(model_type: str) -> tiny.Made:
    """A tiny model of a type, and its processor. Raises whatever the library raises."""
    if model_type in HAND_MADE:
        with without_videos():
            return HAND_MADE[model_type]()
    own = OVERRIDES.get(model_type, Override())
    _require_parts(model_type)
    words = _tokenizer(model_type, own)
    config = _config(model_type, words, own)
    module: Any = importlib.import_module("transformers.models.auto.modeling_auto")
    image_text = model_type in module.MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES
    auto: Any = hf.AutoModelForImageTextToText if image_text else hf.AutoModelForMultimodalLM
    model = auto.from_config(config)
    generation = model.generation_config
    generation.update(pad_token_id=0, bos_token_id=1, eos_token_id=2)
    if own.decoder_start is not None:
        generation.decoder_start_token_id = own.decoder_start
    return model, _processor(model_type, words, config, own)


def _require_parts(model_type: str) -> None:
    """Raises NotImplementedError with the reason where a type reads no images, or needs what is not here."""
    kind = processor_class(model_type)
    if kind is None:
        raise NotImplementedError("the library names no processor for it")
    names = image_processor_names(model_type)
    if not names:
        reads = "videos only" if "Video" in kind.__name__ else "no images (audio, proteins)"
        raise NotImplementedError(f"reads {reads}")
    if "pil" not in names and needed():
        raise NotImplementedError("needs torchvision: its image processor has no PIL version")


def processor_class(model_type: str) -> Any:
    """The class of a type's processor; None where the library names none."""
    own = OVERRIDES.get(model_type, Override())
    auto: Any = importlib.import_module("transformers.models.auto.processing_auto")
    name = own.processor or auto.PROCESSOR_MAPPING_NAMES.get(model_type)
    if name is None:
        source = _processing_source(model_type)
        found = re.search(r"class (\w+)\(ProcessorMixin\)", source)
        name = found[1] if found else None
    return getattr(hf, name) if name else None


def image_processor_names(model_type: str) -> dict[str, str]:
    """Backend -> the class that computes a type's pixels."""
    own = OVERRIDES.get(model_type, Override())
    if own.images:
        return {"pil": own.images}
    auto: Any = importlib.import_module("transformers.models.auto.image_processing_auto")
    return {k: v for k, v in (auto.IMAGE_PROCESSOR_MAPPING_NAMES.get(model_type) or {}).items() if v}


def _module(model_type: str) -> str:
    auto: Any = importlib.import_module("transformers.models.auto.configuration_auto")
    return str(auto.model_type_to_module_name(model_type))


def _processing_source(model_type: str) -> str:
    module = _module(model_type)
    path = Path(hf.__file__).parent / "models" / module / f"processing_{module}.py"
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def _modeling_source(model_type: str) -> str:
    module = _module(model_type)
    path = Path(hf.__file__).parent / "models" / module / f"modeling_{module}.py"
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def _source_of_processor(model_type: str) -> str:
    kind = processor_class(model_type)
    return Path(str(importlib.import_module(kind.__module__).__file__)).read_text("utf-8") if kind else ""


def _tokenizer(model_type: str, own: Override) -> Any:
    """Special tokens are those that the processor's source names."""
    source = _source_of_processor(model_type)
    named = {}
    for name in dict.fromkeys(re.findall(r"tokenizer, \"(\w+_token)\"|tokenizer\.(\w+_token)\b", source)):
        word = name[0] or name[1]
        if word not in ("pad_token", "bos_token", "eos_token", "unk_token", "add_bos_token", "add_eos_token",
                        "cls_token", "sep_token", "mask_token"):  # fmt: skip
            default = re.search(rf"\"(<[^\"\s]+>)\" if not hasattr\(tokenizer, \"{word}\"\)", source)
            named[word] = default[1] if default else f"<{word.removesuffix('_token')}>"
    named |= own.named
    literal = dict.fromkeys(re.findall(r"[\"'](<[^\"'\s{}]+>|\[[A-Z_]+\])[\"']", source))
    extra = [word for word in (*literal, *own.tokens) if word not in named.values()]
    extra = [word for word in extra if word not in ("<pad>", "<s>", "</s>", "<unk>")]
    words = tiny.tokenizer(*extra, **named)
    marks = [hf.AddedToken(word, special=True, normalized=False) for word in extra]
    words.add_tokens(marks, special_tokens=True)
    if own.wrapped:
        from tokenizers.processors import TemplateProcessing

        words.backend_tokenizer.post_processor = TemplateProcessing(
            single="<s> $A </s>", special_tokens=[("<s>", 1), ("</s>", 2)]
        )
    return words


def _config(model_type: str, words: Any, own: Override) -> Any:
    kind: Any = hf.CONFIG_MAPPING[model_type]
    default = kind().to_dict()
    mrope = own.mrope
    if mrope is None and "mrope_section" in _modeling_source(model_type):
        mrope = [4, 2, 2]
    wanted = _shrunk(default, words, replace(own, mrope=mrope), top=True)
    _merge(wanted, own.config, words)
    return kind(**wanted)


def _shrunk(default: dict[str, Any], words: Any, own: Override, top: bool = False) -> dict[str, Any]:
    """The settings that differ from a default configuration."""
    found: dict[str, Any] = {}
    for name, value in default.items():
        if name in own.keep or not isinstance(name, str):
            continue
        if isinstance(value, dict) and (name.endswith("config") or "model_type" in value):
            found[name] = _shrunk(value, words, own)
            if value.get("model_type"):
                found[name]["model_type"] = value["model_type"]
        elif isinstance(value, bool) or value is None:
            continue
        elif isinstance(value, list):
            if (short := _short(name, value)) is not None:
                found[name] = short
        elif isinstance(value, int):
            number = _small(name, value, words)
            if number is not None and number != value:
                found[name] = number
    if "rope_parameters" in default and own.mrope and default.get("num_attention_heads") is not None:
        found["rope_parameters"] = {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": own.mrope}
    if top:
        found |= {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
        found["tie_word_embeddings"] = bool(default.get("tie_word_embeddings", False))
    return found


def _short(name: str, value: list[Any]) -> list[Any] | None:
    """A list with a value per layer is cut; indices of layers become those of layers that are there."""
    if re.search(r"(index(e)?s|indices|layers|idxs)$", name) and all(isinstance(v, int) for v in value):
        return list(value[:LAYERS]) if set(value) <= {0, 1} else [LAYERS - 1]
    kinds = ("layer_types", "mlp_layer_types", "layers_block_type")
    if name in kinds or (len(value) > 8 and "layer" in name):
        return value[-LAYERS:]
    if name.endswith("_token_id"):
        return [2]
    return None


def _small(name: str, value: int, words: Any) -> int | None:
    if re.fullmatch(r"pad_token_id|bos_token_id|eos_token_id", name):
        return {"pad": 0, "bos": 1, "eos": 2}[name[:3]]
    if name in ("vocab_size", "text_vocab_size", "vocab_size_per_layer_input"):
        return len(words)
    if re.search(r"_token_id$|_token_index$|_id$|_start_id$|_end_id$", name):
        return _token(name, words)
    for pattern, number in RULES:
        if re.fullmatch(pattern, name):
            return number if value > 0 else None
    return None


def _token(name: str, words: Any) -> int:
    """The id of the token that a setting means; the unknown token's where the tokenizer has none."""
    stem = re.sub(r"_(token_)?(id|index)$", "", name)
    synonyms = {"boi": "image_start", "eoi": "image_end", "image_start": "boi", "image_end": "eoi",
                "vision_start": "image_start", "vision_end": "image_end", "image_patch": "image"}  # fmt: skip
    for one in (stem, synonyms.get(stem, stem)):
        word = getattr(words, f"{one}_token", None) or words.special_tokens_map.get(f"{one}_token")
        if word:
            return int(words.convert_tokens_to_ids(word))
    for word in sorted(word for word in words.get_vocab() if word[0] in "<[" and len(word) > 2):
        if stem.replace("_", "") in re.sub(r"\W|_", "", word.lower()):
            return int(words.convert_tokens_to_ids(word))
    return 3


def _merge(into: dict[str, Any], more: dict[str, Any], words: Any) -> None:
    for name, value in more.items():
        if isinstance(value, dict) and isinstance(into.get(name), dict):
            _merge(into[name], value, words)
        elif isinstance(value, str) and value.startswith("token:"):
            into[name] = words.convert_tokens_to_ids(value.removeprefix("token:"))
        else:
            into[name] = value


def _processor(model_type: str, words: Any, config: Any, own: Override) -> Any:
    kind = processor_class(model_type)
    if kind is None:
        raise LookupError("transformers names no processor for this type")
    parts: dict[str, Any] = {}
    with without_videos():
        for name in kind.get_attributes():
            if name.endswith("tokenizer"):
                parts[name] = words
            elif name == "image_processor":
                parts[name] = _images(model_type, own)
            elif name == "video_processor":
                parts[name] = no_videos(own.videos)
            else:
                parts[name] = _audio(model_type)
        takes = inspect.signature(kind.__init__).parameters
        if "chat_template" in takes:
            parts["chat_template"] = None
        processor = kind(**parts, **own.settings)
    if own.template:
        mark = own.mark or getattr(processor, "image_token", None) or getattr(words, "image_token", "")
        processor.chat_template = tiny.CHAT.replace("<image>", str(mark))
    return processor


def _images(model_type: str, own: Override) -> Any:
    names = image_processor_names(model_type)
    if "pil" not in names:
        raise NotImplementedError("needs torchvision: its image processor has no PIL version")
    return getattr(hf, names["pil"])(**own.image_settings)


def _audio(model_type: str) -> Any:
    auto: Any = importlib.import_module("transformers.models.auto.feature_extraction_auto")
    name = auto.FEATURE_EXTRACTOR_MAPPING_NAMES.get(model_type) or "WhisperFeatureExtractor"
    return getattr(hf, name)()
