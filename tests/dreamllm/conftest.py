"""Says how many recorded values were compared; a checkpoint folder to break."""

from __future__ import annotations

import shutil
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

# a difference is shown, not only stated
pytest.register_assert_rewrite("tests.dreamllm.recordings")


@pytest.fixture
def upstream(tmp_path: Path) -> Path:
    """A writable copy of the recorded checkpoint folder."""
    from tests.dreamllm.recordings import TINY

    folder = tmp_path / "checkpoint"
    shutil.copytree(TINY.checkpoint, folder)
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)
    return folder


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    """A test of a recorded variant that compares nothing (its cases have other names, say) fails."""
    from tests.dreamllm.recordings import COMPARED

    before = COMPARED.total()
    result = yield
    if "variant" in getattr(item, "fixturenames", ()) and COMPARED.total() == before:
        pytest.fail("Nothing was compared: this test knows none of the recorded cases.")
    return result


def pytest_terminal_summary(terminalreporter: Any) -> None:
    from tests.dreamllm.recordings import COMPARED, VARIANTS

    if COMPARED:
        sections = ", ".join(f"{name} {count}" for name, count in sorted(COMPARED.items()))
        names = ", ".join(variant.name for variant in VARIANTS)
        terminalreporter.write_line(
            f"DreamLLM recordings (variants {names}): {COMPARED.total()} values compared: {sections}"
        )
