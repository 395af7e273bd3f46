"""A third party's package, built and installed, brings a task and a model of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.program import PLUGIN, evalsuite

PROJECT = """
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"

[project]
name = "strangers-sums"
version = "1.2"

[project.entry-points."evalsuite.tasks"]
sums = "strangers_sums.benchmarks"

[project.entry-points."evalsuite.models"]
sums = "strangers_sums.adapters"
absent = "strangers_sums.absent"

[tool.setuptools]
packages = ["strangers_sums"]
"""


@pytest.mark.slow
def test_an_installed_package_is_found_and_measured_and_its_broken_part_is_told_of(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "site"
    package = source / "strangers_sums"
    package.mkdir(parents=True)
    (source / "pyproject.toml").write_text(PROJECT)
    (package / "__init__.py").write_text("")
    (package / "sums.py").write_text(PLUGIN.read_text())
    (package / "benchmarks.py").write_text("from .sums import tasks\n")
    (package / "adapters.py").write_text("from .sums import models\n")
    built = subprocess.run(
        [
            *(sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation"),
            *("--no-index", "--disable-pip-version-check", "--target", str(target), str(source)),
        ],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert built.returncode == 0, built.stderr
    path = os.pathsep.join(filter(None, [str(target), os.environ.get("PYTHONPATH", "")]))
    done = evalsuite(
        *("run", "-m", "adder", "-t", "sums", "-o", tmp_path / "run"), cwd=tmp_path, PYTHONPATH=path
    )
    assert done.returncode == 0, done.stderr
    assert "warning: evalsuite.models: absent is left out: ModuleNotFoundError" in done.stderr
    result = json.loads((tmp_path / "run" / "metrics.json").read_text())["results"][0]
    assert (result["info"]["name"], result["answered"]) == ("sums", 20)
