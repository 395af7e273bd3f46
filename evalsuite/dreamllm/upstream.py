"""Reading checkpoints as the original DreamLLM code writes them.

A folder holds `config.json` (model type `dreamllm`), the language model (`model.safetensors`,
`pytorch_model.bin` or shards), three plugin files (`clip_vision_embedding.bin`, `dream_embedding.bin`,
`stable_diffusion_head.bin`) and the tokenizer. The plugin files hold all weights of CLIP, UNet and VAE; of
the CLIP and Stable Diffusion folders that the configuration names, only the configurations are read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from transformers import CLIPVisionConfig, LlamaConfig

from evalsuite.dreamllm import shipped
from evalsuite.dreamllm.configuration import TOKEN_TEXTS, DreamLLMConfig, SpecialTokens
from evalsuite.dreamllm.keys import DIFFUSION, INSIDE, MAIN, PLUGINS, QUERIES, VISION, from_upstream
from evalsuite.dreamllm.weights import (
    StoredTensor,
    linear_attention,
    open_folder,
    open_tensors,
    read_json,
    write_json,
)
from evalsuite.errors import CheckpointError

MODEL_TYPE = "dreamllm"
"""`model_type` in upstream's config.json."""

_LLAMA_FIELDS = (
    "attention_bias",
    "hidden_act",
    "hidden_size",
    "initializer_range",
    "intermediate_size",
    "max_position_embeddings",
    "num_attention_heads",
    "num_hidden_layers",
    "num_key_value_heads",
    "rms_norm_eps",
    "rope_scaling",
    "rope_theta",
    "tie_word_embeddings",
    "vocab_size",
)


# -- configuration -----------------------------------------------------------------------------------------


def read_config(folder: Path) -> DreamLLMConfig:
    """Our configuration for an upstream folder.

    Special ids come from the tokenizer's files, not from config.json, whose bos, eos and pad are those of
    another tokenizer in the published models.

    Raises:
        CheckpointError: a plugin is not described, a part's configuration cannot be found, or it is the SDXL
        variant.
    """
    raw = read_json(folder / "config.json")
    vision, queries, diffusion = (_plugin(raw, name, folder) for name in PLUGINS)
    tokens = read_special_tokens(folder, raw)
    text = {name: raw[name] for name in _LLAMA_FIELDS if name in raw}
    pad = raw.get("pad_token_id")
    # the embedding row of this id gets no gradient; -1, as published, names no row on purpose
    text["pad_token_id"] = pad if isinstance(pad, int) and 0 <= pad < int(raw["vocab_size"]) else None
    text["bos_token_id"], text["eos_token_id"] = tokens.bos, tokens.eos
    parts = _diffusion_configs(folder, diffusion)
    if parts["unet"].get("addition_embed_type") == "text_time":
        raise _sdxl(folder)
    config = DreamLLMConfig(
        text_config=LlamaConfig(**text),
        vision_config=CLIPVisionConfig(**_vision_config(folder, vision)),
        unet_config=parts["unet"],
        vae_config=parts["vae"],
        scheduler_config=parts["scheduler"],
        special_tokens=tokens,
        num_dream_queries=int(queries.get("num_dream_queries", 64)),
        vision_projector=str(vision.get("projector_type", "linear")),
        vision_projector_depth=int(vision.get("projector_depth", 1)),
        vision_post_layernorm=bool(vision.get("use_additional_post_layernorm", False)),
        condition_projector=str(diffusion.get("projector_type", "linear")),
        condition_projector_depth=int(diffusion.get("projector_depth", 1)),
        select_layer=int(vision.get("select_layer", -2)),
        max_sequence_length=raw.get("max_sequence_length"),
        loss_weight_lm=float(raw.get("loss_weight_lm", 1.0)),
        loss_weight_vm=float(raw.get("loss_weight_vm", 10.0)),
        loss_scale_schedule=str(raw.get("loss_scale_schedule", "none")),
        condition_dropout=diffusion.get("drop_prob"),
        noise_offset=float(diffusion.get("noise_offset") or 0.0),
        input_perturbation=float(diffusion.get("input_perturbation") or 0.0),
        snr_gamma=diffusion.get("snr_gamma"),
    )
    config.dtype = raw.get("torch_dtype") or raw.get("dtype")
    if isinstance(config.dtype, str):
        import torch

        config.dtype = getattr(torch, config.dtype, torch.float32)
    return config


def _plugin(raw: Mapping[str, Any], name: str, folder: Path) -> dict[str, Any]:
    plugins = raw.get("plugins_init_kwargs") or {}
    if any("xl" in str(key).lower() or "sdxl" in str(value).lower() for key, value in plugins.items()):
        raise _sdxl(folder)
    if not isinstance(plugins.get(name), dict):
        raise CheckpointError(
            f"{folder / 'config.json'} does not describe the plugin {name!r}.",
            "This is not a complete DreamLLM; a plain language model cannot be loaded as one.",
        )
    return dict(plugins[name])


def _sdxl(folder: Path) -> CheckpointError:
    return CheckpointError(
        f"{folder} is an SDXL variant of DreamLLM, which is not supported.",
        "Use a checkpoint that generates images with Stable Diffusion 2.1 (or 1.5), the paper's model.",
    )


def read_special_tokens(folder: Path, raw: Mapping[str, Any]) -> SpecialTokens:
    """The special ids, from the tokenizer's files where they are, else from config.json's table."""
    from evalsuite.dreamllm.tokenization import has_tokenizer, load_tokenizer, special_tokens

    if has_tokenizer(folder):
        return special_tokens(load_tokenizer(folder))
    table: dict[str, int] = {}
    for key, value in (raw.get("special_tokens2ids_dict") or {}).items():
        table.update(value if isinstance(value, dict) else {key: value})
    return SpecialTokens.from_texts(table, TOKEN_TEXTS)


def _named_folder(folder: Path, name: str) -> Path | None:
    """Where a part that config.json names lies: relative to the checkpoint, else as it is written."""
    for place in (folder / name, folder / Path(name).name, Path(name)):
        if place.is_dir():
            return place
    return None


def vision_part_folder(folder: Path) -> Path | None:
    """The CLIP folder that an upstream configuration names, if it exists."""
    vision = _plugin(read_json(folder / "config.json"), VISION, folder)
    return _named_folder(folder, str(vision.get("clip_vision_model_name_or_path", "")))


def _vision_config(folder: Path, plugin: Mapping[str, Any]) -> dict[str, Any]:
    name = str(plugin.get("clip_vision_model_name_or_path", ""))
    place = _named_folder(folder, name) if name else None
    if place is not None:
        found = read_json(place / "config.json")
        return dict(found.get("vision_config") or found)
    if Path(name).name in shipped.VISION:
        return shipped.VISION[Path(name).name]
    raise _no_configuration(folder, "vision tower", name, shipped.VISION)


def _diffusion_configs(folder: Path, plugin: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    name = str(plugin.get("diffusion_name_or_path", ""))
    place = _named_folder(folder, name) if name else None
    if place is not None:
        return {
            "unet": read_json(place / "unet" / "config.json"),
            "vae": read_json(place / "vae" / "config.json"),
            "scheduler": _schedule(read_json(place / "scheduler" / "scheduler_config.json")),
        }
    if Path(name).name in shipped.DIFFUSION:
        return shipped.DIFFUSION[Path(name).name]
    raise _no_configuration(folder, "diffusion model", name, shipped.DIFFUSION)


def _schedule(config: dict[str, Any]) -> dict[str, Any]:
    # upstream trains and samples with the DDPMScheduler of diffusers 0.24, which does not know this field: a
    # checkpoint that has it (from a DDIM configuration) learnt on the betas as they are
    return {key: value for key, value in config.items() if key != "rescale_betas_zero_snr"}


def _no_configuration(folder: Path, what: str, name: str, known: Mapping[str, Any]) -> CheckpointError:
    return CheckpointError(
        f"{folder} names {name!r} as its {what}, which is neither a folder here nor known to us.",
        f"Put its folder (config files suffice) into the checkpoint's. Known by name: {', '.join(known)}.",
    )


def write_config(folder: Path, config: DreamLLMConfig, preprocessor: Mapping[str, Any]) -> None:
    """Write `config.json`, `generation_config.json` and the configurations of the parts as upstream names
    them; `read_config` undone. What upstream has no field for (`condition_dropout_queries`,
    `image_resolution`) is not kept.
    """
    tokens, text, hidden = config.tokens, config.text_config.to_dict(), config.text_config.hidden_size
    rope = text.get("rope_parameters") or {}
    kind = rope.get("rope_type", "default")
    more = {key: value for key, value in rope.items() if key not in ("rope_type", "type", "rope_theta")}
    scaling = None if kind == "default" else {"type": kind, **more}
    ids = {TOKEN_TEXTS[name]: value for name, value in asdict(tokens).items() if value is not None}
    plain_names = [TOKEN_TEXTS[name] for name in ("bos", "eos", "unk", "pad")]
    values = {name: text[name] for name in _LLAMA_FIELDS if name in text}
    values |= {
        "model_type": MODEL_TYPE,
        "architectures": ["DreamLLMForCausalMLM"],
        "rope_theta": rope.get("rope_theta", 10000.0),
        "rope_scaling": scaling,
        "bos_token_id": tokens.bos,
        "eos_token_id": tokens.eos,
        "pad_token_id": text.get("pad_token_id"),
        "max_sequence_length": config.max_sequence_length,
        "torch_dtype": str(config.dtype or "float32").removeprefix("torch."),
        "loss_weight_lm": config.loss_weight_lm,
        "loss_weight_vm": config.loss_weight_vm,
        "loss_scale_schedule": config.loss_scale_schedule,
        "special_tokens2ids_dict": {
            **{name: ids[name] for name in plain_names if name in ids},
            "additional_special_tokens": {k: v for k, v in ids.items() if k not in plain_names},
        },
        "plugins_type": {VISION: "embedding", QUERIES: "embedding", DIFFUSION: "head"},
        "plugins_init_kwargs": {
            VISION: {
                "_target_": "omni.models.dreamllm.modeling_plugins.CLIPVisionEmbedding",
                "clip_vision_model_name_or_path": "clip",
                "embed_hidden_size": hidden,
                "projector_type": config.vision_projector,
                "projector_depth": config.vision_projector_depth,
                "select_layer": config.select_layer,
                "use_additional_post_layernorm": config.vision_post_layernorm,
            },
            QUERIES: {
                "_target_": "omni.models.dreamllm.modeling_plugins.DreamEmbedding",
                "embed_hidden_size": hidden,
                "num_dream_queries": config.num_dream_queries,
            },
            DIFFUSION: {
                "_target_": "omni.models.dreamllm.modeling_plugins.StableDiffusionHead",
                "diffusion_name_or_path": "diffusion",
                "embed_hidden_size": hidden,
                "projector_type": config.condition_projector,
                "projector_depth": config.condition_projector_depth,
                "drop_prob": config.condition_dropout,
                "noise_offset": config.noise_offset,
                "input_perturbation": config.input_perturbation,
                "snr_gamma": config.snr_gamma,
            },
        },
    }
    generation = {key: values[key] for key in ("bos_token_id", "eos_token_id")} | {"pad_token_id": tokens.pad}
    vision: Any = config.vision_config
    write_json(folder / "config.json", values)
    write_json(folder / "generation_config.json", generation)
    write_json(folder / "clip" / "config.json", {**vision.to_dict(), "model_type": "clip_vision_model"})
    write_json(folder / "clip" / "preprocessor_config.json", preprocessor)
    parts = {"unet": config.unet_config, "vae": config.vae_config, "scheduler": config.scheduler_config}
    for part, part_config in parts.items():
        name = "scheduler_config.json" if part == "scheduler" else "config.json"
        write_json(folder / "diffusion" / part / name, part_config)


# -- weights -----------------------------------------------------------------------------------------------


def open_weights(folder: Path, config: DreamLLMConfig) -> dict[str, StoredTensor]:
    """All weights under our names, not read yet. Sets `config.condition_projector_bias` and the vocabulary
    size as the files have them.

    Raises:
        CheckpointError: a plugin's file is missing, or it has no dream queries of the configured number.
            Upstream continues with random queries then.
    """
    main = open_folder(folder)
    tensors = _renamed(MAIN, main)
    if "model.embed_tokens.weight" in tensors:
        config.text_config.vocab_size = tensors["model.embed_tokens.weight"].shape[0]
    for name in PLUGINS:
        path = folder / f"{name}.bin"
        if path.is_file():
            tensors.update(_renamed(name, open_tensors(path)))
        elif not any(key.startswith(INSIDE[name]) for key in main):
            raise CheckpointError(
                f"{path} does not exist, and the main weights do not hold the {name} either.",
                "Copy the whole checkpoint folder: without this file the model would run on random weights.",
            )
    _check_queries(folder, tensors.get("dream_queries"), config)
    config.condition_projector_bias = any(
        name.startswith("condition_projector.") and name.endswith(".bias") for name in tensors
    )
    return tensors


def _renamed(file: str, stored: Mapping[str, StoredTensor]) -> dict[str, StoredTensor]:
    named = ((from_upstream(file, key), value) for key, value in stored.items())
    return {name: linear_attention(name, value) for name, value in named if name is not None}


def _check_queries(folder: Path, queries: StoredTensor | None, config: DreamLLMConfig) -> None:
    if queries is None:
        raise CheckpointError(f"{folder / QUERIES}.bin holds no dream_queries.", "Fetch the file again.")
    if len(queries.shape) != 3 or queries.shape[1] != config.num_dream_queries:
        raise CheckpointError(
            f"{folder / QUERIES}.bin holds dream queries of shape {queries.shape}, "
            f"config.json says {config.num_dream_queries}.",
            "Do the files belong together?",
        )
