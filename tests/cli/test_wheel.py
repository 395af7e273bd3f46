"""A built wheel holds all that the miniature needs; container images install what the package offers."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent


def _call(*command: str | Path, cwd: Path, **environment: str) -> str:
    done = subprocess.run(
        [*map(str, command)], cwd=cwd, capture_output=True, text=True, timeout=500,
        env={**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "200", **environment},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


@pytest.mark.slow
def test_the_wheel_measures_the_miniature_in_a_clean_environment(tmp_path: Path) -> None:
    source = tmp_path / "source"  # building leaves folders where it builds
    source.mkdir()
    unwanted = shutil.ignore_patterns("__pycache__", "*.egg-info")
    for name in ("evalsuite", "tasks", "baselines", "results"):
        shutil.copytree(ROOT / name, source / name, ignore=unwanted)
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    build = (sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", tmp_path / "dist")
    _call(*build, source, cwd=tmp_path)
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    _call(sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv", cwd=tmp_path)
    python = tmp_path / "venv" / "bin" / "python"
    _call(
        *(sys.executable, "-m", "pip", "--python", python, "install", "--quiet"),
        *("--no-deps", "--no-index", wheel), cwd=tmp_path,
    )  # fmt: skip
    # Its dependencies are those of this environment; a path file does not bring this checkout's own finder.
    (site,) = (tmp_path / "venv" / "lib").glob("python*/site-packages")
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    program = tmp_path / "venv" / "bin" / "evalsuite"
    where = _call(python, "-c", "import evalsuite; print(evalsuite.__file__)", cwd=tmp_path)
    assert str(tmp_path) in where
    out = tmp_path / "run"
    _call(
        *(program, "run", "-m", "dreamllm-mini", "-t", "mini-vqav2", "-t", "mini-coco-t2i"),
        *("--limit", "2", "--out", out), cwd=tmp_path, XDG_CACHE_HOME=str(tmp_path / "cache"),
    )  # fmt: skip
    results = json.loads((out / "metrics.json").read_text())["results"]
    assert {result["info"]["name"]: result["answered"] for result in results} == {
        "mini-vqav2": 2, "mini-coco-t2i": 2,
    }  # fmt: skip
    _call(program, "report", out, "-o", tmp_path / "site", cwd=tmp_path)
    assert (tmp_path / "site" / "index.html").exists()


@pytest.mark.parametrize("name", ["cpu", "cuda"])
def test_the_images_install_extras_that_exist(name: str) -> None:
    text = (ROOT / "docker" / f"{name}.Dockerfile").read_text(encoding="utf-8")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    (extras,) = re.findall(r'"\.\[([\w,]+)\]"', text)
    assert set(extras.split(",")) <= project["optional-dependencies"].keys()
    assert "--torch-backend" in text
    assert text.index("USER 1000") < text.index("ENTRYPOINT"), "nothing runs as root"
    (version,) = re.findall(r"FROM python:(\d+\.\d+)", text)
    assert tuple(map(int, version.split("."))) >= (3, 11)


def test_the_base_install_brings_no_package_for_training_or_testing_only() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    base = {re.split(r"[<>=\[ ]", one)[0] for one in project["dependencies"]}
    assert not base & {
        "tabulate",
        "ray",
        "openai",
        "pytest",
        "mkdocs",
        "peft",
        "wandb",
        "mlflow",
        "lightning",
    }
