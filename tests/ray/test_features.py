"""Features computed by Ray workers: the bits of one process, whatever number of workers, whoever dies."""

from __future__ import annotations

import os
import shutil
import signal
import threading
import time
from pathlib import Path

import psutil
import pytest

from evalsuite.running.scoring import score_run
from evalsuite.spec import ExecutionOptions
from evalsuite.store.feature_files import delete_features, stored_features
from evalsuite.store.features import FeatureFolder
from tests.features.drawing_runs import Drawing, numbers, scores

pytestmark = [pytest.mark.usefixtures("cluster"), pytest.mark.slow]


@pytest.fixture(scope="module")
def drawing(tmp_path_factory: pytest.TempPathFactory) -> Drawing:
    return Drawing.write(tmp_path_factory.mktemp("drawing") / "data", prompts=500, reference=70)


@pytest.fixture(scope="module")
def scored(drawing: Drawing, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "run"
    drawing.run(out)
    return out


@pytest.fixture
def out(scored: Path, tmp_path: Path) -> Path:
    """The run without its features."""
    copied = Path(shutil.copytree(scored, tmp_path / "run"))
    delete_features(copied)
    return copied


def rows(out: Path) -> dict[str, dict[bytes, bytes]]:
    """Every kept row by file and key."""
    found = {}
    for file in stored_features(out, check=True):
        assert file.kind is not None
        assert not file.damaged
        kept = FeatureFolder(out).rows(file.kind)
        keys = list(kept.keys())
        found[file.file.name] = {key: row.tobytes() for key, row in zip(keys, kept.read(keys), strict=True)}
    return found


@pytest.mark.parametrize("count", [1, 2])
def test_any_number_of_workers_gives_the_rows_and_numbers_of_one_process(
    out: Path, scored: Path, count: int
) -> None:
    found = score_run(out, options=ExecutionOptions(workers=count))
    assert not found.errors
    assert rows(out) == rows(scored)
    assert numbers(out) == numbers(scored)
    assert scores(out).equals(scores(scored))


def test_a_killed_workers_images_are_computed_by_another(out: Path, scored: Path) -> None:
    killed: list[int] = []

    def kill() -> None:
        until = time.monotonic() + 200
        while time.monotonic() < until and not killed:
            for process in _workers():
                if any(file.suffix == ".rows" for file in (out / "features").glob("*")):
                    os.kill(process, signal.SIGKILL)
                    killed.append(process)
                    return
            time.sleep(0.02)

    thread = threading.Thread(target=kill)
    thread.start()
    found = score_run(out, options=ExecutionOptions(workers=2))
    thread.join()
    assert killed
    assert not found.errors
    assert rows(out) == rows(scored)
    assert numbers(out) == numbers(scored)


def _workers() -> list[int]:
    """Processes of actors that compute features for this one."""
    found = []
    for process in psutil.Process().children(recursive=True):
        try:
            if process.name().startswith("ray::_Worker"):
                found.append(process.pid)
        except psutil.NoSuchProcess:
            continue
    return found
