"""How much memory a checkpoint needs, estimated before it is loaded."""

from __future__ import annotations

import json
import math
import struct
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalsuite.errors import CheckpointError, UnavailableError

if TYPE_CHECKING:
    import torch

RESERVE = 0.9
"""Share of free memory that weights may take; activations and the allocator need the rest."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """What loading takes.

    Args:
        parameters: number of weights.
        weights: bytes they take in the precision asked for.
        cache: bytes of the key-value cache for one token of one sequence; 0 where the configuration does not
            say.
    """

    parameters: int
    weights: int
    cache: int = 0


def estimate(source: str, bits: int, revision: str = "main") -> Estimate | None:
    """Reads headers, never weights: those of the safetensors files, else the configuration.

    Args:
        source: a folder, or a hub id (its metadata are fetched where they are not in the cache).
        bits: per weight after loading (32 for float32, 4 for 4-bit quantisation).

    Returns None where neither is available: an estimate is a courtesy, not a condition.
    Raises CheckpointError for a damaged safetensors file.
    """
    folder = Path(source) if Path(source).is_dir() else _cached(source, revision)
    parameters = _counted(folder) if folder is not None else _announced(source, revision)
    config = _config(folder) if folder is not None else {}
    if parameters is None:
        return None
    return Estimate(parameters, parameters * bits // 8, cache_per_token(config, 2 if bits <= 16 else 4))


def cache_per_token(config: dict[str, Any], bytes_each: int) -> int:
    """Bytes that keys and values of one token take in a decoder of this configuration; 0 where it is unknown.

    >>> cache_per_token({"num_hidden_layers": 32, "num_attention_heads": 32, "hidden_size": 4096}, 2)
    524288
    """
    text = config.get("text_config") if isinstance(config.get("text_config"), dict) else config
    assert isinstance(text, dict)
    try:
        layers, heads = int(text["num_hidden_layers"]), int(text["num_attention_heads"])
        width = int(text.get("head_dim") or int(text["hidden_size"]) // heads)
        groups = int(text.get("num_key_value_heads") or heads)
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return 0
    return 2 * layers * groups * width * bytes_each


def batch_that_fits(cache: int, tokens: int, device: torch.device) -> int:
    """Number of sequences of `tokens` tokens that the free memory holds, by their key-value caches.

    Args:
        cache: bytes of one token, as `cache_per_token` says; 0 where that is unknown: nothing is foreseen.
    """
    return int(RESERVE * free_memory(device) // (cache * max(1, tokens))) if cache else sys.maxsize


def images_that_fit(
    width: int, height: int, channels: int, bytes_each: int, device: torch.device, *, guided: bool = True
) -> int:
    """How many images of latents (height, width) the free memory holds while a UNet denoises them.

    By the activations of its finest level, of which about 24 live at once (skip connections, and what one
    block computes); attention without a stored matrix of weights.

    Args:
        channels: of the finest level.
        guided: the unconditional half is computed in the same pass.
    """
    each = ACTIVATIONS * width * height * channels * bytes_each * (1 + guided)
    return max(1, int(RESERVE * free_memory(device) // each))


ACTIVATIONS = 24
"""Feature maps of a UNet's finest level that live at once."""


def free_memory(device: torch.device) -> int:
    """Bytes that are free on a device, those included that torch keeps there for later; for the CPU, what the
    machine can give without swapping."""
    import psutil
    import torch

    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int(free) + int(kept)
    return int(psutil.virtual_memory().available)


def require_room(source: str, found: Estimate | None, device: torch.device, *, spread: bool = False) -> None:
    """Raises UnavailableError when the weights will not fit.

    Args:
        spread: the weights may lie on all GPUs and in the machine's memory.
    """
    import torch

    if found is None:
        return
    free = free_memory(device)
    if spread:
        free = free_memory(torch.device("cpu"))
        free += sum(free_memory(torch.device("cuda", i)) for i in range(torch.cuda.device_count()))
    if found.weights > RESERVE * free:
        where = "this machine" if spread else str(device)
        raise UnavailableError(
            f"{source} will not fit: {found.parameters / 1e9:.2f} billion parameters need "
            f"{gib(found.weights)}, {gib(free)} are free on {where}.",
            "Use --dtype bfloat16, --option quantization=4bit or --option device_map=auto; "
            "--option memory_check=no loads anyway.",
        )


def gib(count: float) -> str:
    """Bytes for people.

    >>> gib(13.5 * 2**30), gib(2**20)
    ('13.5 GiB', '0.001 GiB')
    """
    value = count / 2**30
    return f"{value:.1f} GiB" if value >= 0.1 else f"{value:.3f} GiB"


def _counted(folder: Path) -> int | None:
    """Number of weights in a checkpoint's files; those of a pipeline are in its folders."""
    pattern = "*/*.safetensors" if (folder / "model_index.json").is_file() else "*.safetensors"
    files = sorted(path for path in folder.glob(pattern) if not _is_variant(path))
    if not files:
        return None
    return sum(_elements(path) for path in files)


def _is_variant(path: Path) -> bool:
    """`model.fp16.safetensors` beside `model.safetensors`: the same weights once more."""
    head, _, _ = path.name.partition(".")
    return path.name.count(".") > 1 and (path.parent / f"{head}.safetensors").is_file()


def _elements(path: Path) -> int:
    """Number of values in a safetensors file, from its header."""
    try:
        with path.open("rb") as stream:
            (length,) = struct.unpack("<Q", stream.read(8))
            header = json.loads(stream.read(length))
        return sum(math.prod(e["shape"]) for name, e in header.items() if name != "__metadata__")
    except (
        OSError,
        ArithmeticError,
        RecursionError,
        ValueError,
        struct.error,
        MemoryError,
        KeyError,
        TypeError,
        AttributeError,
    ) as error:
        raise CheckpointError(
            f"{path} is not a safetensors file ({type(error).__name__}).",
            "Fetch it again: it may be cut off, or a Git LFS pointer.",
        ) from error


def _config(folder: Path) -> dict[str, Any]:
    try:
        found = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _cached(source: str, revision: str) -> Path | None:
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(source, "config.json", revision=revision)
    folder = Path(found).parent if isinstance(found, str) else None
    # a snapshot of which only the configuration has been fetched says nothing about its weights
    return folder if folder is not None and any(folder.glob("*.safetensors")) else None


def _announced(source: str, revision: str) -> int | None:
    from huggingface_hub import get_safetensors_metadata

    try:
        return sum(get_safetensors_metadata(source, revision=revision).parameter_count.values())
    except Exception:  # no network, no safetensors, no such repository: loading will say so better
        return None
