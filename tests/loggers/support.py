"""Runs with numbers and images at two steps."""

from __future__ import annotations

from pathlib import Path

from evalsuite.model.steps import Place
from evalsuite.running import run
from evalsuite.spec import ExecutionOptions, ModelSpec, RunSpec, TaskSpec
from tests.report.support import PLUGIN, registry


def logged_run(out: Path, step: int, model: str = "exact") -> Path:
    """Answers in words and in images."""
    tasks = (TaskSpec(name="shapes"), TaskSpec(name="edits"))
    spec = RunSpec(model=ModelSpec(name=model), tasks=tasks, plugins=(PLUGIN,))
    options = ExecutionOptions(batch_size=8, self_check=False)
    run(spec, out, options, registry(), place=Place(step, "base", None, "given"))
    return out
