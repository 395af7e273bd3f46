"""The plan of the package (docs/architecture.md): what a room may import."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
CORE = ("content", "request", "task.types", "model.types", "errors", "spec", "deprecation", "pickling")
READERS = (
    "leaderboards",
    "published",
    "reproduction/stored.py",
    "comparison",
    "report",
    "study",
    "notebook",
    "stats",
)
FACES = (
    "evalsuite",
    "evalsuite.task",
    "evalsuite.task.features",
    "evalsuite.task.metrics",
    "evalsuite.task.readers",
    "evalsuite.model",
    "evalsuite.model.endpoint",
    "evalsuite.dreamllm",
)
MODELS = ("torch", "transformers", "diffusers", "evalsuite.dreamllm", "evalsuite_baselines")


def _files(room: str) -> list[Path]:
    path = ROOT / "evalsuite" / room
    found = [path] if path.is_file() else sorted(path.rglob("*.py"))
    assert found, f"{room} is no room any more"
    return found


def _imported(path: Path, *, everywhere: bool = True) -> Iterator[str]:
    """Names of the modules that a file imports; without `everywhere`, only when it is imported itself."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = ast.walk(tree) if everywhere else iter(tree.body)
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield str(node.module)
        elif isinstance(node, ast.ImportFrom):
            package = path.relative_to(ROOT).parts[:-1]
            above = [*package[: len(package) - node.level + 1], *filter(None, [node.module])]
            # `from .. import task` names modules; `from ..task import Task` does not.
            yield from (
                ".".join([*above, alias.name] if node.module is None else above) for alias in node.names
            )


def _breaks(room: str, *allowed: str) -> list[str]:
    return [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in _files(room)
        for name in _imported(path)
        if name.startswith("evalsuite")
        and not any(name == one or name.startswith(f"{one}.") for one in allowed)
    ]


def test_metrics_know_nothing_of_evalsuite_but_content_and_errors() -> None:
    assert not _breaks("metrics", "evalsuite.content", "evalsuite.errors", "evalsuite.metrics")


@pytest.mark.parametrize("name", ["content.py", "request.py", "task/types.py", "model/types.py"])
def test_core_types_know_no_engine_store_task_or_baseline(name: str) -> None:
    assert not _breaks(name, *(f"evalsuite.{core}" for core in CORE))


@pytest.mark.parametrize("room", READERS)
def test_what_reads_runs_imports_no_model(room: str) -> None:
    broken = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in _files(room)
        for name in _imported(path)
        if any(name == model or name.startswith(f"{model}.") for model in MODELS)
    ]
    assert not broken


@pytest.mark.slow
def test_the_harness_imports_no_plugin_of_its_own() -> None:
    """Tasks, baselines and published numbers are found through entry points, as anybody's are.

    Only the training of the miniature looks for its recipes and checkpoints, which lie beside each other.
    """
    broken = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in _files(".")
        for name in _imported(path)
        if path.relative_to(ROOT / "evalsuite") != Path("mini/training/places.py")
        and name.split(".")[0] in ("evalsuite_tasks", "evalsuite_baselines", "evalsuite_results")
    ]
    assert not broken


def test_the_command_line_imports_nothing_heavy_at_its_start() -> None:
    heavy = (
        "torch",
        "transformers",
        "diffusers",
        "pandas",
        "scipy",
        "numpy",
        "datasets",
        "matplotlib",
        "jinja2",
    )
    broken = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in _files("cli")
        for name in _imported(path, everywhere=False)
        if name.split(".")[0] in heavy
    ]
    assert not broken


PUBLIC = ("task", "model", "content", "request", "errors", "dreamllm")


@pytest.mark.slow
@pytest.mark.parametrize("package", ["tasks", "baselines"])
def test_plugins_of_this_repository_import_only_the_public_face(package: str) -> None:
    """What they need, anybody's plugin can have: `evalsuite.task`, `evalsuite.model` and the core types."""
    broken = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in sorted((ROOT / package).rglob("*.py"))
        for name in _imported(path)
        if name.split(".")[0] == "evalsuite" and name.split(".")[1:2] not in ([one] for one in PUBLIC)
    ]
    assert not broken


@pytest.mark.parametrize("module", FACES)
def test_every_name_of_a_public_face_is_there(module: str) -> None:
    face = importlib.import_module(module)
    assert [name for name in face.__all__ if not hasattr(face, name)] == []
