"""DreamLLM on disk: our own layout, and the choice between it and upstream's."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from evalsuite.dreamllm import upstream
from evalsuite.dreamllm.configuration import TOKEN_TEXTS, DreamLLMConfig
from evalsuite.dreamllm.diffusion_loss import training_scheduler
from evalsuite.dreamllm.keys import canonical, part_names
from evalsuite.dreamllm.modeling import DreamLLMForCausalLM
from evalsuite.dreamllm.tokenization import has_tokenizer, load_tokenizer
from evalsuite.dreamllm.weights import (
    StoredTensor,
    digest,
    linear_attention,
    open_folder,
    read_json,
    write_tensors,
)
from evalsuite.errors import CheckpointError
from evalsuite.model.loading import LoadReport, likely_cause

REFERENCES = "references.json"
"""File that names the frozen parts which lie outside a checkpoint's folder."""

REFERABLE = ("vision", "unet", "vae")
UPSTREAM_TYPE = upstream.MODEL_TYPE


# -- saving ------------------------------------------------------------------------------------------------


def save_checkpoint(
    model: DreamLLMForCausalLM,
    folder: Path,
    *,
    reference: Mapping[str, str] | None = None,
    dtype: torch.dtype | None = None,
    max_shard_size: int | str = "5GB",
    state_dict: Mapping[str, Tensor] | None = None,
    is_main_process: bool = True,
    **ignored: Any,
) -> None:
    """Write configuration and weights.

    Args:
        reference: frozen parts that are not written but referred to: `vision`, `unet`, `vae` -> folder of
            that part, relative to `folder`. The parts' sha256 is kept and checked at loading; their weights
            must equal the model's.
        dtype: save floating-point tensors in this precision (float16 halves a small checkpoint); loading
            gives the precision one asks for.
        max_shard_size: as in transformers.
        state_dict, is_main_process: as transformers.Trainer passes them.

    Raises:
        CheckpointError: a referred part is missing or differs from the model's.
    """
    del ignored
    if not is_main_process:
        return
    folder.mkdir(parents=True, exist_ok=True)
    reference = dict(reference or {})
    unknown = sorted(reference.keys() - set(REFERABLE))
    if unknown:
        raise CheckpointError(f"Parts {unknown} cannot be referred to.", f"Only {', '.join(REFERABLE)} can.")
    tensors = {canonical(key): value for key, value in (state_dict or model.state_dict()).items()}
    if model.config.tie_word_embeddings:
        tensors.pop("lm_head.weight", None)
    links: dict[str, dict[str, str]] = {}
    for part, path in reference.items():
        links[part] = {"path": _relative(path, folder), "sha256": _check_equal(part, folder / path, tensors)}
        tensors = {key: value for key, value in tensors.items() if not key.startswith(f"{part}.")}
    tensors = {
        key: value.detach().to("cpu", dtype if dtype is not None and value.is_floating_point() else None)
        for key, value in tensors.items()
    }
    write_config(folder, model.config, dtype or model.dtype)
    write_tensors(tensors, folder, max_shard_size)
    if links:
        (folder / REFERENCES).write_text(json.dumps(links, indent=2) + "\n", encoding="utf-8")
    else:
        (folder / REFERENCES).unlink(missing_ok=True)


def write_config(folder: Path, config: DreamLLMConfig, dtype: torch.dtype) -> None:
    """Write `config.json` for weights of this precision."""
    written = DreamLLMConfig(**config.to_dict())
    written.dtype = dtype
    written.architectures = [DreamLLMForCausalLM.__name__]
    written.save_pretrained(folder)


def _relative(path: str, folder: Path) -> str:
    if Path(path).is_absolute():
        path = os.path.relpath(path, folder)
    return Path(path).as_posix()


def _check_equal(part: str, folder: Path, tensors: Mapping[str, Tensor]) -> str:
    stored = open_part(part, folder)
    for key, value in tensors.items():
        if not key.startswith(f"{part}."):
            continue
        other = stored[key].read() if key in stored else None
        if other is None or other.shape != value.shape or not torch.equal(other.to(value.dtype), value.cpu()):
            raise CheckpointError(
                f"Cannot refer to {folder}: its {key.removeprefix(part + '.')} differs from the model's.",
                "Save without the reference, or refer to the folder that the part was loaded from.",
            )
    return digest(folder)


# -- loading -----------------------------------------------------------------------------------------------


def load_checkpoint(
    folder: Path,
    *,
    device: str | torch.device = "cpu",
    dtype: torch.dtype | None = None,
    verify: bool = True,
    config: DreamLLMConfig | None = None,
) -> DreamLLMForCausalLM:
    """Load a checkpoint folder in either layout; the model is in evaluation mode.

    Args:
        device: where to.
        dtype: precision to compute in; None is float32 on the CPU and the stored precision elsewhere.
        verify: check the sha256 of referred parts.
        config: replaces the folder's own configuration (our layout only).

    Raises:
        CheckpointError: a file is missing, damaged or of another model.
    """
    own, tensors = open_checkpoint(folder, verify=verify)
    if config is None or read_json(folder / "config.json").get("model_type") == UPSTREAM_TYPE:
        config = own
    if dtype is None:
        stored = config.dtype if isinstance(config.dtype, torch.dtype) else torch.float32
        dtype = torch.float32 if torch.device(device).type == "cpu" else stored
    model: Any = assemble(config, tensors, dtype, str(folder), device=device)
    ready: DreamLLMForCausalLM = model.eval()  # without types in transformers
    return ready


def open_checkpoint(folder: Path, *, verify: bool = True) -> tuple[DreamLLMConfig, dict[str, StoredTensor]]:
    """The configuration of a checkpoint folder in either layout, and all weights under our names, not read
    yet.

    Raises:
        CheckpointError: a file is missing, damaged or of another model; the tokenizer is of another one.
    """
    if not folder.is_dir():
        raise CheckpointError(
            f"{folder} is not a folder.", "Give the local folder of a checkpoint, or its name on the hub."
        )
    config = load_config(folder)
    if read_json(folder / "config.json").get("model_type") == UPSTREAM_TYPE:
        tensors = upstream.open_weights(folder, config)
    else:
        tensors = _open_own(folder, verify)
    _check_vocabulary(folder, config, tensors)
    return config, tensors


def _check_vocabulary(folder: Path, config: DreamLLMConfig, tensors: Mapping[str, StoredTensor]) -> None:
    embeddings = tensors.get("model.embed_tokens.weight")
    highest = max(config.tokens.ids)
    remedy = "The tokenizer's files are those of another checkpoint."
    if embeddings is not None and highest >= embeddings.shape[0]:
        raise CheckpointError(
            f"{folder}: the special tokens go up to id {highest}, "
            f"but the language model has {embeddings.shape[0]} embeddings.",
            remedy,
        )
    if not has_tokenizer(folder):
        return  # the processor says so, where one is needed
    tokenizer = load_tokenizer(folder)
    if embeddings is not None and tokenizer.size > embeddings.shape[0]:
        raise CheckpointError(
            f"{folder}: its tokenizer has {tokenizer.size} tokens, "
            f"but the language model has {embeddings.shape[0]} embeddings.",
            remedy,
        )
    for name, index in asdict(config.tokens).items():
        found = tokenizer.vocabulary.get(TOKEN_TEXTS[name], index)
        if index is not None and found != index:
            raise CheckpointError(
                f"{folder}: {TOKEN_TEXTS[name]} is {found} in its tokenizer, but {index} in config.json.",
                remedy,
            )


def load_config(folder: Path) -> DreamLLMConfig:
    """The configuration of a checkpoint folder in either layout, without reading large weights.

    Raises:
        CheckpointError: no DreamLLM here.
    """
    kind = read_json(folder / "config.json").get("model_type")
    if kind == UPSTREAM_TYPE:
        return upstream.read_config(folder)
    if kind == DreamLLMConfig.model_type:
        return DreamLLMConfig.from_pretrained(folder)
    raise CheckpointError(
        f"{folder} holds a model of type {kind!r}, not a DreamLLM.",
        f"Expected {DreamLLMConfig.model_type!r} or {UPSTREAM_TYPE!r} as model_type in config.json.",
    )


def vision_folder(folder: Path) -> Path | None:
    """Where the vision tower's own files lie, None if nowhere."""
    if (folder / REFERENCES).is_file():
        link = read_json(folder / REFERENCES).get("vision")
        return folder / str(link["path"]) if link else None
    if read_json(folder / "config.json").get("model_type") == UPSTREAM_TYPE:
        return upstream.vision_part_folder(folder)
    return None


def open_part(part: str, folder: Path) -> dict[str, StoredTensor]:
    """Weights of a vision, UNet or VAE folder under our names, not read yet."""
    stored = open_folder(folder)
    return {name: linear_attention(name, stored[key]) for key, name in part_names(part, stored).items()}


def _open_own(folder: Path, verify: bool) -> dict[str, StoredTensor]:
    tensors = {canonical(key): value for key, value in open_folder(folder).items()}
    if (folder / REFERENCES).is_file():
        for part, link in read_json(folder / REFERENCES).items():
            target = folder / str(link["path"])
            if part not in REFERABLE or Path(str(link["path"])).is_absolute():
                raise CheckpointError(
                    f"{folder / REFERENCES} refers to {part!r} at {link['path']!r}, which is not allowed."
                )
            if not target.is_dir():
                raise CheckpointError(
                    f"{folder} refers to {target} for its {part}, which does not exist.",
                    "Keep the folders of a checkpoint family side by side.",
                )
            if verify and digest(target) != link["sha256"]:
                raise CheckpointError(
                    f"{target} has changed since {folder} was saved (sha256 differs).",
                    "Restore the original files.",
                )
            tensors.update(open_part(part, target))
    return tensors


def assemble(
    config: DreamLLMConfig,
    tensors: Mapping[str, StoredTensor],
    dtype: torch.dtype,
    where: str,
    *,
    device: str | torch.device = "cpu",
) -> DreamLLMForCausalLM:
    """A model whose every weight comes from `tensors` (canonical names), without drawing random ones first.
    One tensor after the other goes to the device, so that the CPU never holds the whole in two precisions.

    Raises:
        CheckpointError: a weight is missing, superfluous or of another shape.
    """
    with torch.device("meta"):
        model = DreamLLMForCausalLM(config)
    names = check_fit(model, tensors, where)
    device = torch.device(device)
    ready = {key: tensors[name].read().to(device, dtype) for name, key in names.items()}
    model.load_state_dict(ready, strict=False, assign=True)
    if config.tie_word_embeddings:
        model.lm_head.weight = model.model.embed_tokens.weight
    _materialise_buffers(model)
    model.to(device)  # type: ignore[arg-type]
    return model


def check_fit(model: DreamLLMForCausalLM, tensors: Mapping[str, StoredTensor], where: str) -> dict[str, str]:
    """Our name -> key in the model's state, for every weight that a file must hold. Works on the meta device.

    Raises:
        CheckpointError: a weight is missing, superfluous or of another shape.
    """
    expected = model.state_dict()
    names = {canonical(key): key for key in expected}
    if model.config.tie_word_embeddings:
        names.pop("lm_head.weight", None)
    missing = sorted(name for name in names if name not in tensors)
    surplus = sorted(name for name in tensors if name not in names and name != "lm_head.weight")
    if missing or surplus:
        faults = [
            f"{label} {_some(keys)}" for label, keys in (("missing", missing), ("unknown", surplus)) if keys
        ]
        cause, remedy = likely_cause(LoadReport(tuple(missing), tuple(surplus)))
        raise CheckpointError(
            f"{where}: the weights do not fit the configuration: {'; '.join(faults)}.{cause and ' ' + cause}",
            remedy if cause else "The folder mixes files of different models, or lacks a part.",
        )
    wrong = [
        f"{name} is {tensors[name].shape}, not {tuple(expected[key].shape)}"
        for name, key in names.items()
        if tensors[name].shape != expected[key].shape
    ]
    if wrong:
        raise CheckpointError(
            f"{where}: weights of another shape: {_some(wrong)}.", "Do files and config belong together?"
        )
    return names


def _some(values: list[str], limit: int = 3) -> str:
    more = f" and {len(values) - limit} more" if len(values) > limit else ""
    return ", ".join(values[:limit]) + more


def _materialise_buffers(model: DreamLLMForCausalLM) -> None:
    """Tensors that are computed, not stored, were only planned; compute them now."""
    from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding

    config = model.config
    model.model.rotary_emb = LlamaRotaryEmbedding(config=config.text_config)
    tower = getattr(model.vision, "vision_model", model.vision)
    tower.embeddings.position_ids = torch.arange(config.num_patches + 1).expand((1, -1))
    model.training_noise = training_scheduler(config)
    planned = [name for name, tensor in [*model.named_parameters(), *model.named_buffers()] if tensor.is_meta]
    if planned:
        raise CheckpointError(
            f"Not initialised after loading: {_some(planned)}.", "Report this with your versions."
        )
