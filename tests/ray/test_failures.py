"""What goes wrong with workers one by one, on a real Ray: each costs what it must, and no more."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from evalsuite.errors import EvalsuiteError, StoreError
from evalsuite.registry import Registry
from evalsuite.running import run
from evalsuite.spec import ExecutionOptions, ModelSpec, RunSpec, TaskSpec
from evalsuite.store import RunReader, verify
from tests.engine.support import PLUGIN, run_sums, sums_spec
from tests.ray.rows import rows

pytestmark = [pytest.mark.usefixtures("cluster"), pytest.mark.slow]

SEEING = Path(__file__).parent / "seeing_plugin.py"


def notes(out: Path) -> list[str]:
    with RunReader(out) as reader:
        return [note.text for note in reader.notes()]


def answered(out: Path) -> int:
    try:
        return len(rows(out))
    except EvalsuiteError:
        return 0


def test_workers_that_cannot_load_the_model_are_left_out_and_told(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    outcome = run_sums(sums_spec(count=40, pids=pids, unloadable_first=1), tmp_path / "run", workers=2)
    assert outcome.exit_code == 0
    [left_out] = [note for note in notes(tmp_path / "run") if "gets no work" in note]
    assert "The adder is broken here." in left_out
    with RunReader(tmp_path / "run") as reader:
        assert [worker.answers for worker in reader.manifest.sessions[-1].workers] == [40]


def test_a_worker_with_other_weights_is_refused_by_name(tmp_path: Path) -> None:
    outcome = run_sums(sums_spec(count=80, weights="own", delay=0.3), tmp_path / "run", workers=2)
    assert outcome.exit_code == 0
    [refused] = [note for note in notes(tmp_path / "run") if "gets no work" in note]
    assert "It loaded other weights" in refused
    with RunReader(tmp_path / "run") as reader:
        assert len(reader.manifest.sessions[-1].workers) == 1


def test_images_that_a_worker_does_not_see_travel_as_bytes(tmp_path: Path) -> None:
    registry = Registry()
    registry.add_file(SEEING)
    image = tmp_path / "image.png"
    image.write_bytes(b"what this process alone has")
    opened = os.open(image, os.O_RDONLY)
    os.dup2(opened, 777)  # a path that leads somewhere in this process alone, and nowhere in a worker
    task = TaskSpec(name="seen", options={"image": "/proc/self/fd/777"})
    spec = RunSpec(model=ModelSpec(name="digester"), tasks=(task,), plugins=(SEEING,))
    run(spec, tmp_path / "one", ExecutionOptions(batch_size=2), registry)
    outcome = run(spec, tmp_path / "run", ExecutionOptions(batch_size=2, workers=2), registry)
    os.close(opened)
    os.close(777)
    assert outcome.failed == 0
    assert rows(tmp_path / "run") == rows(tmp_path / "one"), "shown what the driver's machine has"
    assert any(
        "does not see the images of seen; it is sent their bytes" in n for n in notes(tmp_path / "run")
    )


def test_a_silent_workers_samples_are_answered_by_others(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    spec = sums_spec(count=64, pids=pids, stops=": 5+", hang=120, delay=0.05)
    started = time.monotonic()
    outcome = run_sums(spec, tmp_path / "run", workers=2, worker_timeout=3, self_check=False)
    assert time.monotonic() - started < 110, "the silent worker was waited for"
    assert outcome.exit_code == 0
    assert any("is silent for" in note for note in notes(tmp_path / "run"))
    run_sums(sums_spec(count=64), tmp_path / "one")
    assert rows(tmp_path / "run") == rows(tmp_path / "one")


def test_a_run_folder_that_vanishes_is_one_clear_error(tmp_path: Path) -> None:
    out = tmp_path / "run"

    def vanish() -> None:
        until = time.monotonic() + 120
        while answered(out) < 8 and time.monotonic() < until:
            time.sleep(0.1)
        shutil.rmtree(out)

    thread = threading.Thread(target=vanish)
    thread.start()
    with pytest.raises(StoreError, match="no longer the folder that this run was writing to"):
        run_sums(sums_spec(count=400, delay=0.3), out, workers=2)
    thread.join()


@pytest.mark.parametrize(("name", "code"), [("SIGTERM", 143), ("SIGINT", 130)])
def test_signals_save_what_is_in_flight_and_the_same_command_resumes(
    tmp_path: Path, name: str, code: int
) -> None:
    out, errors = tmp_path / "run", tmp_path / "errors"
    command = [
        sys.executable, "-m", "evalsuite", "run", "--plugin", str(PLUGIN), "--model", "adder",
        "--out", str(out), "--task", "sums", "--task-option", "count=60", "--option", "delay=0.5",
        "--batch-size", "4", "--workers", "2",
    ]  # fmt: skip
    environment = {key: value for key, value in os.environ.items() if not key.startswith("RAY_")}
    with errors.open("w") as stream:
        child = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=stream)
    until = time.monotonic() + 200
    while answered(out) < 8 and child.poll() is None and time.monotonic() < until:
        time.sleep(0.1)
    child.send_signal(getattr(signal, name))
    assert child.wait(60) == code, errors.read_text()
    before = rows(out)
    assert 8 <= len(before) < 60
    with RunReader(out) as reader:
        assert reader.statuses()[-1] == "interrupted"
    options: dict[str, Any] = {"delay": "0.5"}
    run_sums(sums_spec(count=60, **options), out, workers=2)
    found = rows(out)
    assert len(found) == 60
    assert {key: found[key] for key in before} == before
    assert verify(out).sound
