"""Runs of checkpoints with any scores one likes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from evalsuite.model.steps import Place
from evalsuite.running import run
from evalsuite.spec import ExecutionOptions, ModelSpec, RunSpec, TaskSpec
from tests.comparison.runs import PLUGIN, registry


def checkpoint_run(
    out: Path,
    values: Sequence[float],
    step: int | None = None,
    *,
    series: str = "base",
    train_seed: int | None = None,
    seed: int = 0,
    tasks: Sequence[str] = ("numbers",),
) -> Path:
    """A run in which sample i is answered with `values[i]`, of a checkpoint at `step`."""
    script = out.parent / f"{out.name}.values.json"
    script.parent.mkdir(parents=True, exist_ok=True)
    script.write_text(json.dumps(list(values)))
    options = {"values": str(script), "name": "script", "weights": str(out)}
    spec = RunSpec(
        model=ModelSpec(name="script", options=options),
        tasks=tuple(TaskSpec(name=name, options={"count": str(len(values))}) for name in tasks),
        seed=seed, plugins=(PLUGIN,),
    )  # fmt: skip
    place = None if step is None else Place(step, series, train_seed, "given")
    run(spec, out, ExecutionOptions(self_check=False), registry(), place=place)
    return out


def right(share: float, n: int = 60, turn: int = 0) -> list[int]:
    """So many of n samples right, beginning with sample `turn`."""
    count = round(share * n)
    return [int((i - turn) % n < count) for i in range(n)]
