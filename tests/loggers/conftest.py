from __future__ import annotations

from pathlib import Path

import pytest

from tests.loggers.support import logged_run


@pytest.fixture(scope="session")
def measured(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two checkpoints of one training; copy them before logging."""
    folder = tmp_path_factory.mktemp("measured")
    return logged_run(folder / "a", 1000), logged_run(folder / "b", 2000)


@pytest.fixture
def runs(measured: tuple[Path, Path], tmp_path: Path) -> list[Path]:
    """A copy of them, logged nowhere yet."""
    import shutil

    return [Path(shutil.copytree(one, tmp_path / "runs" / one.name)) for one in measured]
