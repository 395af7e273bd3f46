"""Checkpoints as trainers write them, and half of one."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from evalsuite.registry import Registry

PLUGIN = Path(__file__).parent / "saved_plugin.py"


def registry() -> Registry:
    found = Registry()
    found.add_file(PLUGIN)
    return found


def save(folder: Path, step: int, skill: float, *, state: bool = True) -> Path:
    """`checkpoint-STEP` with the files of `transformers.Trainer`."""
    from safetensors.numpy import save_file

    checkpoint = folder / f"checkpoint-{step}"
    checkpoint.mkdir(parents=True)
    (checkpoint / "config.json").write_text("{}")
    save_file({"skill": np.array([skill])}, checkpoint / "model.safetensors", {"format": "pt"})
    if state:
        (checkpoint / "trainer_state.json").write_text(json.dumps({"global_step": step}))
    return checkpoint
