"""Reading and writing weight files: safetensors, or pickles that may hold nothing but tensors."""

from __future__ import annotations

import hashlib
import json
import math
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from evalsuite.errors import CheckpointError, text_of

STEMS = ("model", "pytorch_model", "diffusion_pytorch_model")
"""File names, without extension, that transformers and diffusers give to weights."""

_DTYPES = {"F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16", "I64": "int64"}


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a file.

    Raises:
        CheckpointError: no such file, or no JSON object.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise CheckpointError(f"{path} does not exist.", "Is this the checkpoint's folder?") from error
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} cannot be read as JSON: {error}.") from error
    if not isinstance(value, dict):
        raise CheckpointError(f"{path} does not hold a JSON object.")
    return value


def write_json(path: Path, value: Any) -> None:
    """Write a JSON-able value, making the folder it lies in."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")


@dataclass(frozen=True, slots=True)
class StoredTensor:
    """A tensor that lies in a file and is read when it is wanted.

    Args:
        file, key: where it lies.
        shape, dtype: as stored; dtype by torch's name (`bfloat16`).
        read: gives it, on the CPU. The values may be mapped from the file: never write into that.
    """

    file: Path
    key: str
    shape: tuple[int, ...]
    dtype: str
    read: Callable[[], Tensor]

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)


def open_tensors(path: Path) -> dict[str, StoredTensor]:
    """All tensors of one file, by key, not read yet. Pickles are opened with weights_only: they cannot run
    code.

    Raises:
        CheckpointError: the file is missing, damaged, or holds more than tensors.
    """
    if not path.is_file():
        raise CheckpointError(
            f"{path} does not exist.", "Copy the whole checkpoint folder, not a part of it."
        )
    try:
        return _open_safetensors(path) if path.suffix == ".safetensors" else _open_pickle(path)
    except CheckpointError:
        raise
    except Exception as error:
        reason = next(iter(text_of(error).splitlines()), type(error).__name__)
        raise CheckpointError(
            f"{path} cannot be read: {reason}",
            "The file is damaged, or holds more than tensors; fetch it again.",
        ) from error


def _open_safetensors(path: Path) -> dict[str, StoredTensor]:
    from safetensors import safe_open

    handle: Any = safe_open(path, framework="pt")
    found: dict[str, StoredTensor] = {}
    for key in handle.keys():  # noqa: SIM118  (not a dict)
        piece = handle.get_slice(key)
        dtype = _DTYPES.get(piece.get_dtype(), piece.get_dtype().lower())
        found[key] = StoredTensor(path, key, tuple(piece.get_shape()), dtype, partial(handle.get_tensor, key))
    return found


def _open_pickle(path: Path) -> dict[str, StoredTensor]:
    # files of old torch versions cannot be mapped, and are read at once
    mapped = zipfile.is_zipfile(path)
    tensors: Any = torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)
    if not isinstance(tensors, dict) or not all(isinstance(value, Tensor) for value in tensors.values()):
        raise CheckpointError(f"{path} does not hold a table of tensors.")
    return {
        key: StoredTensor(
            path, key, tuple(value.shape), str(value.dtype).removeprefix("torch."), value.detach
        )
        for key, value in tensors.items()
    }


def weight_files(folder: Path) -> list[Path]:
    """The weight files of a folder: one file, or the shards that an index names. Safetensors go first.

    Raises:
        CheckpointError: there are none.
    """
    for extension in ("safetensors", "bin"):
        for stem in STEMS:
            single = folder / f"{stem}.{extension}"
            if single.is_file():
                return [single]
            index = folder / f"{stem}.{extension}.index.json"
            if index.is_file():
                names = sorted(set(read_json(index).get("weight_map", {}).values()))
                if any(Path(name).name != name for name in names):
                    raise CheckpointError(f"{index} names files outside its folder.")
                return [folder / name for name in names]
    known = ", ".join(f"{stem}.safetensors" for stem in STEMS)
    raise CheckpointError(
        f"{folder} holds no weights (none of {known}, nor .bin).", "Is this the right folder?"
    )


def open_folder(folder: Path) -> dict[str, StoredTensor]:
    """All tensors of a folder's weight files, by key, not read yet."""
    tensors: dict[str, StoredTensor] = {}
    for path in weight_files(folder):
        tensors.update(open_tensors(path))
    return tensors


def linear_attention(name: str, stored: StoredTensor) -> StoredTensor:
    """Old VAE files hold attention projections as 1x1 convolutions; they are linear layers now."""
    old = name.startswith("vae.") and "attentions" in name and stored.shape[2:] == (1, 1)
    return replace(stored, shape=stored.shape[:2], read=lambda: stored.read()[:, :, 0, 0]) if old else stored


def digest(folder: Path) -> str:
    """sha256 over the folder's configuration and weight files."""
    total = hashlib.sha256()
    for path in [folder / "config.json", *weight_files(folder)]:
        total.update(path.name.encode() + b"\0")
        with path.open("rb") as file:
            total.update(hashlib.file_digest(file, "sha256").digest())
    return total.hexdigest()


def write_tensors(
    tensors: Mapping[str, Tensor],
    folder: Path,
    max_shard_size: int | str = "5GB",
    *,
    read: Callable[[str], Tensor] | None = None,
) -> dict[str, str]:
    """Write `model.safetensors`, or shards with an index; each file appears whole or not at all.

    Args:
        tensors: what to write, by key.
        read: gives a key's values when its shard is written, where `tensors` are on the meta device: no more
            than one shard is in memory then.

    Returns:
        key -> name of its file.

    Raises:
        CheckpointError: `max_shard_size` is no size.
    """
    from huggingface_hub import split_torch_state_dict_into_shards
    from safetensors.torch import save_file

    try:
        plan = split_torch_state_dict_into_shards(
            dict(tensors), filename_pattern="model{suffix}.safetensors", max_shard_size=max_shard_size
        )
    except ValueError as error:
        raise CheckpointError(
            f"{max_shard_size!r} is not a size of a file.", "Write it as 500MB or 2GB."
        ) from error
    read = read or tensors.__getitem__
    for name, keys in plan.filename_to_tensors.items():
        temporary = folder / f".{name}.part"
        # the tensors may be mapped from the very file that is replaced, so never write into it
        save_file({key: read(key).contiguous() for key in keys}, temporary, metadata={"format": "pt"})
        temporary.chmod(0o644)
        temporary.replace(folder / name)
    if plan.is_sharded:
        index = {"metadata": plan.metadata, "weight_map": plan.tensor_to_filename}
        (folder / "model.safetensors.index.json").write_text(
            json.dumps(index, indent=2) + "\n", encoding="utf-8"
        )
    keep = {*plan.filename_to_tensors, *(["model.safetensors.index.json"] if plan.is_sharded else [])}
    for stale in folder.glob("model*.safetensors*"):
        if stale.name not in keep:
            stale.unlink()
    return dict(plan.tensor_to_filename)
