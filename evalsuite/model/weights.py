"""Identity of loaded weights, and of what lies beside them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalsuite.errors import CheckpointError

if TYPE_CHECKING:
    import torch


def fingerprint(modules: Iterable[torch.nn.Module]) -> str:
    """sha256 over names, dtypes, shapes and values of all weights, wherever they lie: on a device, in the
    machine's memory, or offloaded to disk.

    Raises CheckpointError for weights that lie nowhere.
    """
    import torch

    digest = hashlib.sha256()
    for module in modules:
        for name, tensor in sorted(module.state_dict().items()):
            held = _offloaded(module, name) if tensor.device.type == "meta" else tensor
            digest.update(f"{name} {held.dtype} {tuple(held.shape)}".encode())
            values: Any = held.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy()
            digest.update(memoryview(values))
    return digest.hexdigest()


def _offloaded(module: torch.nn.Module, name: str) -> torch.Tensor:
    """A weight that accelerate keeps elsewhere until its layer runs."""
    owner, _, leaf = name.rpartition(".")
    hook = getattr(module.get_submodule(owner), "_hf_hook", None)
    for one in getattr(hook, "hooks", (hook,)):
        kept = getattr(one, "weights_map", None)
        if kept is not None:
            found: torch.Tensor = kept[leaf]
            return found
    raise CheckpointError(
        f"The weight {name} of a {type(module).__name__} is not loaded and not offloaded either.",
        "Load the checkpoint with another device_map, or fetch it again.",
    )


_READ = frozenset({".json", ".jinja", ".txt", ".model", ".tiktoken", ".py"})
_NOT_READ = frozenset(
    {"trainer_state.json", "train_results.json", "eval_results.json", "all_results.json", "manifest.json"}
)


def configuration(source: str | Path, revision: str = "main") -> str:
    """What decides an answer beside the weights: configuration, tokenizer, chat template, preprocessing,
    scheduler.

    Args:
        source: a folder, or a hub id that is in the cache.

    Returns:
        Of a folder 16 digits of the sha256 over those files (indices of weights and records of training are
        none), of a hub id those of its commit; "" where there is nothing of the kind.
    """
    folder = Path(source)
    if not folder.is_dir():
        return _commit(str(source), revision)[:16]
    digest, seen = hashlib.sha256(), False
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        if (
            path.suffix not in _READ
            or path.name in _NOT_READ
            or path.name.endswith(".index.json")
            or any(part.startswith(".") for part in inside.parts)
            or not path.is_file()
        ):
            continue
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        digest.update(f"{inside.as_posix()} {content}\n".encode())
        seen = True
    return digest.hexdigest()[:16] if seen else ""


def _commit(source: str, revision: str) -> str:
    from huggingface_hub import try_to_load_from_cache

    for marker in ("config.json", "model_index.json"):
        path = try_to_load_from_cache(source, marker, revision=revision)
        if isinstance(path, str):
            return Path(path).parent.name
    return ""


def count(modules: Iterable[torch.nn.Module]) -> int:
    """Number of parameters."""
    return sum(parameter.numel() for module in modules for parameter in module.parameters())
