"""The checkpoints in a trainer's output folder, and whether they are whole."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path

from evalsuite.errors import StoreError
from evalsuite.model.folders import ADAPTER, DIFFUSERS_ADAPTER, missing_shards
from evalsuite.model.steps import Place, place_of, step_in

SETTLED = 20.0
"""Seconds without a change after which a folder without a trainer's record counts as written."""
_WEIGHTS = (".safetensors", ".gguf", ".bin", ".pt", ".pth", ".ckpt")
_HEADER = 100 * 2**20
"""Bytes that the header of a safetensors file may have."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A checkpoint in the folder of a training."""

    path: Path
    place: Place

    @property
    def step(self) -> int:
        assert self.place.step is not None
        return self.place.step


def checkpoints(folder: Path) -> list[Checkpoint]:
    """The folders in `folder` whose names say a step, by step; those that a trainer calls temporary are left
    out.

    Raises:
        StoreError: it is a file; two folders are of the same step.
    """
    if not folder.is_dir():
        if folder.exists():
            raise StoreError(f"{folder} is a file, not a folder.", "Give the output folder of the training.")
        return []
    found: dict[int, Checkpoint] = {}
    for path in sorted(folder.iterdir()):
        if _is_temporary(path.name) or step_in(path.name) is None or not path.is_dir():
            continue
        one = Checkpoint(path, place_of(path))
        if one.step in found:
            raise StoreError(
                f"{found[one.step].path} and {path} are both of step {one.step}.",
                "Move one of them out of the folder.",
            )
        found[one.step] = one
    return [found[step] for step in sorted(found)]


def _is_temporary(name: str) -> bool:
    lower = name.lower()
    return lower.startswith((".", "tmp", "temp")) or lower.endswith(
        (".tmp", "_tmp", "-tmp", ".part", ".partial", ".incomplete", ".orbax-checkpoint-tmp")
    )


def unfinished(
    checkpoint: Path, *, marker: str = "", settled: float = SETTLED, now: float | None = None
) -> str:
    """Why a checkpoint is not written to the end yet; empty when it is.

    It is when it has weights, every file that an index names, every safetensors file is as long as its header
    says, and the trainer's record, which is written last, can be read; without such a record, when nothing in
    it has changed for `settled` seconds.

    Args:
        marker: name of a file that the training writes when a checkpoint is whole; then nothing else counts.
        now: seconds since the epoch; None reads the clock.
    """
    if marker:
        return "" if (checkpoint / marker).exists() else f"it has no {marker} yet"
    try:
        files = [path for path in checkpoint.rglob("*") if path.is_file()]
        weights = [path for path in files if path.suffix in _WEIGHTS]
        if not any(_is_model(path) for path in weights):
            return "it has no weights yet"
        temporary = next((path.name for path in files if _is_temporary(path.name)), "")
        if temporary:
            return f"{temporary} is being written"
        if missing := missing_shards(checkpoint):
            return f"{missing[0]} is not there yet"
        for path in weights:
            if path.suffix == ".safetensors" and not _is_whole(path):
                return f"{path.name} is not complete yet"
        if not (checkpoint / "config.json").exists() and not _is_special(checkpoint):
            return "it has no config.json yet"
        if (checkpoint / "trainer_state.json").exists():
            json.loads((checkpoint / "trainer_state.json").read_bytes())
            return ""
        newest = max(path.stat().st_mtime for path in files)
    except (OSError, ValueError):
        return "its files change"
    rest = settled - ((time.time() if now is None else now) - newest)
    return f"it was changed less than {settled:g} s ago" if rest > 0 else ""


def _is_special(folder: Path) -> bool:
    """An adapter, or a pipeline of diffusers: they have no config.json of their own."""
    return any((folder / name).exists() for name in (ADAPTER, DIFFUSERS_ADAPTER, "model_index.json"))


def _is_model(path: Path) -> bool:
    """Whether a file may hold the model; trainers keep other states under such endings, too."""
    return not path.name.startswith(("optimizer", "scheduler", "rng_state", "training_args", "scaler"))


def _is_whole(path: Path) -> bool:
    """Whether a safetensors file is as long as its header says."""
    size = path.stat().st_size
    with path.open("rb") as stream:
        head = stream.read(8)
        length = int.from_bytes(head, "little")
        if len(head) < 8 or length > _HEADER or 8 + length > size:
            return False
        header = json.loads(stream.read(length))
    ends = [one["data_offsets"][1] for name, one in header.items() if name != "__metadata__"]
    return bool(size == 8 + length + max(ends, default=0))
