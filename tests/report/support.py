"""Runs of the report plugin, and reading back what a report wrote."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from evalsuite.registry import Registry
from evalsuite.running import run
from evalsuite.spec import ExecutionOptions, ModelSpec, RunSpec, TaskSpec

PLUGIN = Path(__file__).parent / "report_plugin.py"
ALL = ("shapes", "edits", "stories", "picks")


def registry() -> Registry:
    found = Registry()
    found.add_file(PLUGIN)
    return found


def once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """A folder that `make` fills once for all processes of this test session."""
    shared = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    folder = shared / name
    with FileLock(shared / f"{name}.lock"):
        if not folder.exists():
            make(shared / f"{name}.part")
            (shared / f"{name}.part").rename(folder)
    return folder


def measure(out: Path, model: str, *tasks: str | TaskSpec, limit: int | None = None) -> Path:
    """A run of the plugin's model."""
    specs = tuple(t if isinstance(t, TaskSpec) else TaskSpec(name=t) for t in tasks or ("shapes",))
    spec = RunSpec(model=ModelSpec(name=model), tasks=specs, limit=limit, plugins=(PLUGIN,))
    run(spec, out, ExecutionOptions(batch_size=8, self_check=False), registry())
    return out


def read_data(site: Path, name: str) -> Any:
    """The value that `data/NAME.js` registers, read as a browser reads it."""
    text = (site / "data" / f"{name}.js").read_text("ascii")
    found = re.fullmatch(r"Evalsuite\.register\('([a-z0-9./-]+)','(.*)'\);\n", text)
    assert found is not None
    assert found[1] == name
    return json.loads(re.sub(r"\\(.)", r"\1", found[2]))


def samples_of(site: Path, page: str) -> list[Any]:
    """All full samples of a page in their order."""
    count = len(read_data(site, f"{page}/index")["starts"])
    return [sample for i in range(count) for sample in read_data(site, f"{page}/samples-{i}")]
