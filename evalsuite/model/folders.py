"""What a folder of weights is, when it is none that can be loaded: training frameworks leave many kinds."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

_SHARD = re.compile(r"^(?P<head>.+)-(?P<number>\d{5})-of-(?P<count>\d{5})\.safetensors$")
ADAPTER = "adapter_config.json"
"""What marks a folder of PEFT's."""
DIFFUSERS_ADAPTER = "pytorch_lora_weights.safetensors"
"""What marks a LoRA of diffusers."""


def fault_of_folder(folder: Path) -> tuple[str, str]:
    """What a folder is instead of a checkpoint, or which of its files are missing, and what to do about it.

    Returns two empty strings where nothing of the kind is found.
    """
    if not folder.is_dir():
        return "", ""
    if missing := missing_shards(folder):
        shown = ", ".join(missing[:3]) + (f" and {len(missing) - 3} more" if len(missing) > 3 else "")
        return (
            f"{len(missing)} of its weight files are missing: {shown}.",
            "Fetch or copy the folder again; a download may have been cut off.",
        )
    names = {path.name for path in folder.iterdir()}
    if _is_sharded_training_state(folder, names):
        return (
            "It holds the distributed training state of FSDP.",
            f"Consolidate it: accelerate merge-weights {folder} OUT, then put config.json and the tokenizer "
            "beside the result.",
        )
    if "zero_to_fp32.py" in names or any(name.startswith("global_step") for name in names):
        return (
            "It holds the distributed training state of DeepSpeed.",
            f"Consolidate it: python {folder / 'zero_to_fp32.py'} {folder} OUT --safe_serialization, then "
            "put config.json and the tokenizer beside the result.",
        )
    if any(name.startswith("mp_rank_") for name in names) or "latest_checkpointed_iteration.txt" in names:
        return (
            "It holds a checkpoint of Megatron.",
            "Convert it to a Hugging Face checkpoint with the training framework's own script.",
        )
    if not _has_weights(names) and (inner := training_checkpoints(folder)):
        listed = ", ".join(path.name for path in inner[-3:])
        return (
            f"It is the output folder of a training, with {len(inner)} checkpoints in it ({listed}).",
            f"Give one of them, for example {inner[-1]}.",
        )
    pickled = sorted(name for name in names if name.endswith((".bin", ".pt", ".pth", ".ckpt")))
    if pickled and not any(name.endswith(".safetensors") for name in names):
        return (
            f"Its weights are pickled ({pickled[0]}), which can run code when they are loaded.",
            "Convert them to safetensors: load the model where you trust it and save_pretrained it.",
        )
    return "", ""


def missing_shards(folder: Path) -> list[str]:
    """Weight files that an index, or the numbers in the others' names, speak of and that are not there."""
    wanted: set[str] = set()
    for index in sorted(folder.glob("*.safetensors.index.json")):
        try:
            found: Any = json.loads(index.read_text(encoding="utf-8"))
            wanted |= {str(name) for name in found["weight_map"].values()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            continue
    for path in folder.glob("*-of-*.safetensors"):
        if shard := _SHARD.match(path.name):
            count = int(shard["count"])
            if count <= 10_000:
                wanted |= {
                    f"{shard['head']}-{number:05}-of-{count:05}.safetensors" for number in range(1, count + 1)
                }
    return sorted(name for name in wanted if not (folder / name).is_file())


def training_checkpoints(folder: Path) -> list[Path]:
    """`checkpoint-100` … of a trainer's output folder that hold a model or an adapter, the latest last."""
    found = [
        (int(path.name.rpartition("-")[2]), path)
        for path in folder.glob("checkpoint-*")
        if path.name.rpartition("-")[2].isdigit() and path.is_dir()
    ]
    return [path for _, path in sorted(found)]


def _has_weights(names: set[str]) -> bool:
    return any(name.endswith((".safetensors", ".gguf")) or name == "pytorch_model.bin" for name in names)


def _is_sharded_training_state(folder: Path, names: set[str]) -> bool:
    inner = [folder, *(folder / name for name in names if name.startswith("pytorch_model_fsdp"))]
    return any(path.is_dir() and any(path.glob("*.distcp")) for path in inner)
