"""Runs on Ray workers: the rows of one process, whatever number of workers, whatever dies."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from evalsuite.errors import CheckpointError, EvalsuiteError, SpecError, UnavailableError
from evalsuite.store import RunReader, verify
from tests.engine.support import PLUGIN, run_sums, sums_spec
from tests.ray.rows import batches, numbers, rows

pytestmark = [pytest.mark.usefixtures("cluster"), pytest.mark.slow]

TASKS = ("sums", "twice-asked", "sum-choices", "sum-images", "sum-documents")


def workers_of(out: Path) -> list[Any]:
    with RunReader(out) as run:
        return [worker for session in run.manifest.sessions for worker in session.workers]


def alive(pids: Path) -> list[int]:
    return (
        [int(pid) for pid in pids.read_text().split() if psutil.pid_exists(int(pid))] if pids.exists() else []
    )


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("one") / "run"
    run_sums(sums_spec(*TASKS, count=60), out)
    return out


@pytest.mark.parametrize("count", [1, 2, 4])
def test_any_number_of_workers_gives_the_rows_numbers_and_batches_of_one_process(
    tmp_path: Path, undisturbed: Path, count: int
) -> None:
    run_sums(sums_spec(*TASKS, count=60), tmp_path / "run", workers=count)
    assert batches(tmp_path / "run") == batches(undisturbed)
    assert rows(tmp_path / "run") == rows(undisturbed)
    assert numbers(tmp_path / "run") == numbers(undisturbed)
    assert not verify(tmp_path / "run").problems
    found = workers_of(tmp_path / "run")
    assert 1 <= len(found) <= count
    assert sum(worker.answers for worker in found) == len(rows(undisturbed))
    with RunReader(tmp_path / "run") as run:
        named = {record.worker for key in run.task_keys for record in run.records(key)}
        session = run.manifest.sessions[-1]
    assert named == {worker.worker for worker in found if worker.answers}
    assert session.pool.startswith("ray ")
    assert session.lease_size == 16


def test_a_sample_that_kills_its_worker_fails_alone_after_three_deaths(
    tmp_path: Path, undisturbed: Path
) -> None:
    pids = tmp_path / "pids"
    outcome = run_sums(
        sums_spec(*TASKS, count=60, kills="sums: 33+", pids=pids), tmp_path / "run", workers=2, max_failures=5
    )
    found, right = rows(tmp_path / "run"), rows(undisturbed)
    bad = [key for key in right if found[key] != right[key]]
    assert bad == [("sums", "sums-33", 0)]
    assert "2 times while it answered this sample alone" in found[bad[0]][3]
    assert outcome.failed == 1
    # Three deaths that are counted; before each, on a busy machine, one of a worker that died before its word
    # of what it asks had left it.
    assert len(pids.read_text().split()) <= 2 + 6


def test_a_storm_of_kills_loses_nothing_and_fails_no_innocent(tmp_path: Path, undisturbed: Path) -> None:
    pids, out = tmp_path / "pids", tmp_path / "run"
    rng, stop = random.Random(3), threading.Event()
    kills: list[Any] = []

    def answered() -> int:
        try:
            return len(rows(out))
        except EvalsuiteError:  # not begun
            return 0

    def killer() -> None:
        before = 0
        while not stop.wait(rng.uniform(0.6, 1.6)) and len(kills) < 6:
            living = alive(pids)
            # The only worker that loads is not killed: loading would never end. Nor is one before the
            # samples of the last are answered: a sample that is hit three times counts as the cause.
            if len(living) > 1 and (now := answered()) >= before + 8:
                before = now
                victim = rng.choice(living)
                kills.append(victim)
                os.kill(victim, signal.SIGKILL)

    thread = threading.Thread(target=killer)
    thread.start()
    try:
        outcome = run_sums(sums_spec(*TASKS, count=60, pids=pids, delay=0.1), out, workers=3)
    finally:
        stop.set()
        thread.join()
    assert len(kills) >= 2
    assert outcome.failed == 0
    assert rows(out) == rows(undisturbed)
    assert numbers(out) == numbers(undisturbed)
    assert not verify(out).problems


def test_a_killed_driver_leaves_no_worker_and_the_same_command_resumes(
    tmp_path: Path, undisturbed: Path
) -> None:
    pids, out = tmp_path / "pids", tmp_path / "run"
    command = [
        sys.executable, "-m", "evalsuite", "run", "--plugin", str(PLUGIN), "--model", "adder",
        "--out", str(out),
        *(part for task in TASKS for part in ("--task", task)), "--task-option", "count=60",
        "--option", f"pids={pids}", "--option", "delay=0.1", "--batch-size", "4", "--workers", "2",
    ]  # fmt: skip
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    child = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until = time.monotonic() + 60
    while time.monotonic() < until:
        try:
            if len(rows(out)) > 20:
                break
        except EvalsuiteError:
            pass
        time.sleep(0.1)
    child.kill()
    child.wait()
    before = rows(out)
    assert 20 < len(before) < len(rows(undisturbed))
    while alive(pids) and time.monotonic() < until:
        time.sleep(0.2)
    assert alive(pids) == []
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    found = rows(out)
    assert found == rows(undisturbed)
    assert {key: found[key] for key in before} == before
    assert len(workers_of(out)) >= 3  # numbered on through both sessions
    assert len({worker.worker for worker in workers_of(out)}) == len(workers_of(out))


def test_a_model_that_no_worker_can_load_is_the_error_of_one_process_and_leaves_nothing(
    tmp_path: Path,
) -> None:
    with pytest.raises(CheckpointError, match="The adder is broken"):
        run_sums(sums_spec("sums", unloadable="yes"), tmp_path / "run", workers=2)
    assert not (tmp_path / "run").exists()


def test_workers_that_become_unavailable_stop_the_run_with_everything_saved(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="The server is gone"):
        run_sums(sums_spec("sums", count=60, out="sums: 40+"), tmp_path / "run", workers=2)
    assert len(rows(tmp_path / "run")) >= 32
    run_sums(sums_spec("sums", count=60), tmp_path / "again")
    whole = rows(tmp_path / "again")
    assert all(whole[key] == value for key, value in rows(tmp_path / "run").items())


def test_a_run_that_was_begun_in_one_process_is_finished_by_workers(
    tmp_path: Path, undisturbed: Path
) -> None:
    out = tmp_path / "run"
    spec = sums_spec(*TASKS, count=60)
    with pytest.raises(UnavailableError):
        run_sums(sums_spec(*TASKS, count=60, out="sum-choices: 20+"), out)
    # The options of the adapter are part of the run: the same ones, now with a server that is there.
    stored = out / "run.json"
    stored.write_text(stored.read_text().replace('"out": "sum-choices: 20+"', '"weights": "v1"'))
    spec = sums_spec(*TASKS, count=60, weights="v1")
    run_sums(spec, out, workers=2)
    assert rows(out) == rows(undisturbed)


def test_a_second_run_of_one_process_may_have_more_workers_than_the_first() -> None:
    """In a process of its own: Ray's cores are fixed when it starts, two where a first run wanted no more."""
    code = (
        "import os, ray\n"
        "from evalsuite.errors import SpecError\n"
        "from evalsuite.ray.cluster import connect, resources, workers_for\n"
        "many = (os.cpu_count() or 1) + 2\n"
        "connect(None, workers=1, cpus_per_worker=1)\n"
        "@ray.remote(num_cpus=1)\n"
        "class Holds:\n    def here(self): return True\n"
        "other = Holds.remote()\n"
        "ray.get(other.here.remote())\n"
        "connect(None, workers=many, cpus_per_worker=1)\n"
        "try:\n    workers_for(many, 0, cluster=False)\n"
        "except SpecError as error:\n    print(error)\n"
        "ray.kill(other)\n"
        "connect(None, workers=many, cpus_per_worker=1)\n"
        "print(workers_for(many, 0, cluster=False) == many, resources()[1] == many)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=600, check=False
    )
    assert "cores of the Ray that runs in this process already" in done.stdout, done.stderr[-2000:]
    assert done.stdout.endswith("True True\n"), done.stdout + done.stderr[-2000:]


def test_an_address_where_nothing_answers_is_one_clear_error() -> None:
    code = (
        "from evalsuite.errors import UnavailableError\n"
        "from evalsuite.ray.cluster import connect\n"
        "try:\n    connect('127.0.0.1:1', workers=None, cpus_per_worker=1)\n"
        "except UnavailableError as error:\n    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False
    )
    assert "No Ray cluster can be joined at 127.0.0.1:1" in done.stdout, done.stderr[-2000:]
    assert "ray start" in done.stdout


def test_auto_without_a_gpu_names_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="--workers 2 makes two workers on the CPU"):
        run_sums(sums_spec("sums"), tmp_path / "run", workers="auto")
