"""trackio on this machine, read back from its own store."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("trackio", reason="the extra evalsuite[trackio] is not installed")

CODE = """
import json, sys
from pathlib import Path
from evalsuite.loggers import destination, log_all
outcome = log_all([Path(one) for one in sys.argv[1:]], destination("trackio", "mine"))
assert (outcome.error, outcome.written) == (None, 2), outcome
from trackio.sqlite_storage import SQLiteStorage
rows = SQLiteStorage.get_logs("mine", "base")
images = sum(isinstance(value, dict) for row in rows for value in row.values())
print("FOUND", json.dumps([[[row["step"], row["shapes/accuracy"]] for row in rows], images]))
"""


@pytest.mark.slow
def test_numbers_and_images_are_in_the_local_store(runs: list[Path], tmp_path: Path) -> None:
    """In a process of its own: trackio reads TRACKIO_DIR when it is imported, and threads of it go on."""
    import os

    environment = {**os.environ, "TRACKIO_DIR": str(tmp_path / "trackio"), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", CODE, *map(str, runs)], capture_output=True, text=True, env=environment,
        timeout=280,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (found,) = [line for line in done.stdout.splitlines() if line.startswith("FOUND")]
    assert found == "FOUND [[[1000, 100.0], [2000, 100.0]], 8]"
