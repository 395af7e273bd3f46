"""Says how many recorded values were compared; a checkpoint folder to break."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def upstream(tmp_path: Path) -> Path:
    """A writable copy of the recorded checkpoint folder."""
    from tests.dreamllm.recordings import TINY

    folder = tmp_path / "checkpoint"
    shutil.copytree(TINY.checkpoint, folder)
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)
    return folder


def pytest_terminal_summary(terminalreporter: Any) -> None:
    from tests.dreamllm.recordings import COMPARED, VARIANTS

    if COMPARED:
        sections = ", ".join(f"{name} {count}" for name, count in sorted(COMPARED.items()))
        names = ", ".join(variant.name for variant in VARIANTS)
        terminalreporter.write_line(
            f"DreamLLM recordings (variants {names}): {COMPARED.total()} values compared: {sections}"
        )
