"""Runs of the drawing plugin: their data, how they are made, and what is compared of them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as pil

from evalsuite.registry import Registry, load_registry
from evalsuite.running import RunOutcome, run
from evalsuite.spec import ExecutionOptions, ModelSpec, RunSpec, TaskSpec
from evalsuite.store import RunReader
from tests.features.networks import write_clip, write_dino

PLUGIN = Path(__file__).parent / "drawing_plugin.py"
WORDS = ("red", "blue", "green", "round", "square", "small", "large", "old")


@dataclass(frozen=True)
class Drawing:
    """Prompts, a reference and the networks in one folder."""

    root: Path

    @classmethod
    def write(cls, root: Path, prompts: int, reference: int = 80) -> Drawing:
        root.mkdir(parents=True)
        lines = [f"a {WORDS[i % 8]} {WORDS[i // 8 % 8]} thing {i},{WORDS[i % 8]}" for i in range(prompts)]
        (root / "prompts.csv").write_text("\n".join(["prompt,category", *lines]) + "\n")
        (root / "reference").mkdir()
        for i in range(reference):
            pixels = np.random.RandomState(i).randint(0, 256, (32, 32, 3)).astype(np.uint8)
            pil.fromarray(pixels).save(root / "reference" / f"{i}.png")
        write_clip(root / "clip")
        write_dino(root / "dino")
        return cls(root)

    @property
    def options(self) -> dict[str, str]:
        weights = f"clip={self.root / 'clip'},dino={self.root / 'dino'}"
        return {"weights": weights, "reference": str(self.root / "reference"), "device": "cpu"}

    @property
    def spec(self) -> RunSpec:
        task = TaskSpec(name="tiny-t2i", data=self.root, options=self.options)
        return RunSpec(model=ModelSpec(name="drawer"), tasks=(task,), plugins=(PLUGIN,))

    def registry(self) -> Registry:
        return load_registry([PLUGIN])

    def run(self, out: Path, **options: Any) -> RunOutcome:
        return run(self.spec, out, ExecutionOptions(**options), self.registry())

    def command(self, out: Path, *more: str) -> list[str]:
        """Arguments of `evalsuite run` for the same run."""
        named = [
            part for name, value in self.options.items() for part in ("--task-option", f"{name}={value}")
        ]
        return [
            "run", "--model", "drawer", "--task", "tiny-t2i", "--plugin", str(PLUGIN), "--data",
            str(self.root), "--out", str(out), *named, *more,
        ]  # fmt: skip


def numbers(out: Path) -> list[Any]:
    """All numbers and intervals, to the last bit."""
    with RunReader(out) as reader:
        found = [json.loads(result.model_dump_json()) for result in reader.metrics()]
    for one in found:
        one.pop("cost")
    return found


def scores(out: Path) -> Any:
    """The per-sample table."""
    with RunReader(out) as reader:
        return reader.scores("tiny-t2i")
