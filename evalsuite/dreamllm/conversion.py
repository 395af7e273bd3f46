"""A checkpoint rewritten: upstream's layout to ours and back, in another precision, with a manifest of every
tensor."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors import SafetensorError
from torch import Tensor

import evalsuite
from evalsuite.dreamllm import upstream
from evalsuite.dreamllm.checkpoint import check_fit, open_checkpoint, write_config
from evalsuite.dreamllm.configuration import DreamLLMConfig
from evalsuite.dreamllm.keys import MAIN, to_upstream
from evalsuite.dreamllm.modeling import DreamLLMForCausalLM
from evalsuite.dreamllm.processing import DreamLLMProcessor
from evalsuite.dreamllm.weights import StoredTensor, open_tensors, write_json, write_tensors
from evalsuite.errors import CheckpointError, SpecError, StoreError, text_of

Layout = Literal["evalsuite", "upstream"]
LAYOUTS: tuple[Layout, ...] = ("evalsuite", "upstream")
MANIFEST = "manifest.json"


@dataclass(frozen=True, slots=True)
class ManifestEntry:
    """One tensor: where it lies now, and where it came from.

    Args:
        name: ours.
        file, key: where it was written.
        shape, dtype: as written.
        sha256: of the written values' bytes, little-endian, row by row.
        source_file, source_key: where it was read, relative to the source folder.
        source_dtype: as it was stored there.
    """

    name: str
    file: str
    key: str
    shape: tuple[int, ...]
    dtype: str
    sha256: str
    source_file: str
    source_key: str
    source_dtype: str


@dataclass(slots=True)
class Manifest:
    """What a conversion wrote.

    Args:
        tensors: every written tensor.
        left_out: `file: key` of the source's tensors that were not written: rotary frequencies and position
            ids, which follow from the configuration, and what is no part of a DreamLLM (CLIP's text tower).
    """

    layout: Layout
    parameters: int = 0
    tensors: list[ManifestEntry] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    version: str = evalsuite.__version__


def convert(
    source: Path,
    target: Path,
    *,
    to: Layout = "evalsuite",
    dtype: torch.dtype | None = None,
    max_shard_size: int | str = "2GB",
) -> Manifest:
    """Rewrite the checkpoint `source` into the new folder `target`, with `manifest.json` in it.

    Tensors are mapped from the source and go through memory file by file: no more than one shard (or, for
    upstream's plugin files, one plugin) is held at a time. The target appears whole or not at all.

    Args:
        to: layout to write. Parts that the source only refers to are written out.
        dtype: precision of all weights; None keeps what is stored.
        max_shard_size: of the main weights.

    Raises:
        CheckpointError: the source is no complete DreamLLM, or the target exists.
    """
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise CheckpointError(f"{target} exists already.", "Name a new folder.")
    config, stored = open_checkpoint(source)
    with torch.device("meta"):
        check_fit(DreamLLMForCausalLM(config), stored, str(source))
    processor = DreamLLMProcessor.from_pretrained(source)
    if config.tie_word_embeddings:
        stored.pop("lm_head.weight", None)
    part = target.with_name(f".{target.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        part.mkdir(parents=True)
        manifest = _Writer(source, part, stored, dtype, max_shard_size).write(to)
        precision = dtype or getattr(torch, stored["model.embed_tokens.weight"].dtype)
        _write_rest(part, config, processor, to, precision)
        write_json(part / MANIFEST, asdict(manifest))
        if target.exists():
            target.rmdir()
        part.rename(target)
    except (OSError, RuntimeError, SafetensorError) as error:
        # A full disk is an OSError to Python, a RuntimeError to torch and an error of its own to safetensors.
        raise StoreError(
            f"{target} cannot be written ({text_of(error)}).", "Free some space, or name another folder."
        ) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return manifest


def _write_rest(
    folder: Path, config: DreamLLMConfig, processor: DreamLLMProcessor, to: Layout, dtype: torch.dtype
) -> None:
    if to == "evalsuite":
        write_config(folder, config, dtype)
        processor.save_pretrained(folder)
    else:
        config.dtype = dtype
        upstream.write_config(folder, config, processor.images.to_config())
        processor.tokenizer.save(folder)


class _Writer:
    """Writes one checkpoint's tensors and notes what went where."""

    def __init__(
        self,
        source: Path,
        folder: Path,
        stored: Mapping[str, StoredTensor],
        dtype: torch.dtype | None,
        max_shard_size: int | str,
    ) -> None:
        self.source, self.folder, self.stored, self.dtype = source, folder, stored, dtype
        self.max_shard_size = max_shard_size
        self.digests: dict[str, tuple[str, str]] = {}

    def write(self, to: Layout) -> Manifest:
        places = {name: to_upstream(name) if to == "upstream" else (MAIN, name) for name in self.stored}
        files: dict[str, dict[str, str]] = defaultdict(dict)
        for name, (file, key) in places.items():
            files[file][key] = name
        written = self._write_main(files.pop(MAIN))
        for file, keys in files.items():
            path = f"{file}.bin"
            torch.save({key: self._read(name) for key, name in keys.items()}, self.folder / path)
            written.update(dict.fromkeys(keys.values(), path))
        manifest = Manifest(to, sum(tensor.size for tensor in self.stored.values()))
        manifest.left_out = self._left_out()
        for name, tensor in self.stored.items():
            dtype, sha256 = self.digests[name]
            manifest.tensors.append(
                ManifestEntry(
                    name,
                    written[name],
                    places[name][1],
                    tensor.shape,
                    dtype,
                    sha256,
                    self._relative(tensor.file),
                    tensor.key,
                    tensor.dtype,
                )
            )
        return manifest

    def _write_main(self, keys: Mapping[str, str]) -> dict[str, str]:
        planned = {
            key: torch.empty(self.stored[name].shape, dtype=self._dtype(self.stored[name]), device="meta")
            for key, name in keys.items()
        }
        files = write_tensors(
            planned, self.folder, self.max_shard_size, read=lambda key: self._read(keys[key])
        )
        return {keys[key]: file for key, file in files.items()}

    def _dtype(self, tensor: StoredTensor) -> torch.dtype:
        return self.dtype or getattr(torch, tensor.dtype)

    def _read(self, name: str) -> Tensor:
        tensor = self.stored[name]
        value = tensor.read().to(self._dtype(tensor)).contiguous()
        data: Any = value.reshape(-1).view(torch.uint8).numpy()
        self.digests[name] = str(value.dtype).removeprefix("torch."), hashlib.sha256(data).hexdigest()
        return value

    def _left_out(self) -> list[str]:
        used: dict[Path, set[str]] = defaultdict(set)
        for tensor in self.stored.values():
            used[tensor.file].add(tensor.key)
        return [
            f"{self._relative(file)}: {key}"
            for file, keys in used.items()
            for key in open_tensors(file)
            if key not in keys
        ]

    def _relative(self, file: Path) -> str:
        return Path(os.path.relpath(file.resolve(), self.source.resolve())).as_posix()


def dtype_named(name: str | None) -> torch.dtype | None:
    """A precision by torch's name or short (`bf16`). Raises SpecError for another."""
    known: dict[str, Any] = {
        "bfloat16": torch.bfloat16,
        "float16": torch.float16,
        "float32": torch.float32,
        "bf16": torch.bfloat16,
        "fp16": torch.float16,
        "fp32": torch.float32,
    }
    if name is not None and name not in known:
        raise SpecError(f"There is no precision {name!r}.", f"Known: {', '.join(known)}.")
    return None if name is None else known[name]
