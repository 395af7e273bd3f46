"""A storm on the Ray path: workers, machines (raylets) and drivers are killed, sixty in one run."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from evalsuite.errors import EvalsuiteError
from evalsuite.store import RunReader, verify
from tests.engine.support import PLUGIN, run_sums, sums_spec
from tests.faults.conftest import Tally
from tests.faults.support import environment
from tests.ray.rows import numbers, rows

ray = pytest.importorskip("ray")

TASKS = ("sums", "twice-asked", "sum-choices", "sum-images", "sum-documents")
COUNT, BATCH, WORKERS, NODES = 900, 4, 3, 2
LEASE = 4 * BATCH
KILLS = {"worker": 48, "machine": 4, "driver": 8}
GRACE = 2.0
"""Seconds of life after which a worker has loaded its model: deaths while loading are another test's."""


SMALL: dict[str, Any] = {"include_dashboard": False, "object_store_memory": 80 * 2**20}


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ray gives a raylet 30 s to register, and a worker 60: on an overloaded machine they need more."""
    from ray._private import services

    monkeypatch.setenv("RAY_worker_register_timeout_seconds", "600")

    look = services.get_node

    def wait(gcs_address: str, node: str) -> Any:
        until = time.monotonic() + 90
        while True:
            try:
                return look(gcs_address, node)
            except RuntimeError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.5)

    monkeypatch.setattr(services, "get_node", wait)


def again(start: Callable[[], Any], attempts: int = 4) -> Any:
    """Starts a part of a cluster; a raylet ends by itself where its agents need long to import."""
    for left in reversed(range(attempts)):
        try:
            return start()
        except Exception as error:
            if not left or "timed out during startup" not in str(error):
                raise
    raise AssertionError("unreachable")


class Storm:
    """A cluster of machines on this one, and a driver that is started again when it is killed."""

    def __init__(self, folder: Path) -> None:
        from ray.cluster_utils import Cluster

        self.folder = folder
        self.pids, self.log, self.slow = folder / "pids", folder / "log", folder / "slow"
        self.slow.touch()
        os.environ["RAY_AUTH_MODE"] = "disabled"
        head = {"num_cpus": 0, **SMALL}
        self.cluster = again(lambda: Cluster(initialize_head=True, head_node_args=head))
        self.nodes = [self.machine() for _ in range(NODES)]
        self.kills: Counter[str] = Counter()
        self.driver: subprocess.Popen[bytes] | None = None

    def machine(self) -> Any:
        """A new one, with room for two workers."""
        return again(lambda: self.cluster.add_node(num_cpus=2, **SMALL))

    @property
    def options(self) -> dict[str, Any]:
        return {"pids": self.pids, "log": self.log, "slow_while": self.slow}

    def start(self) -> None:
        command = [
            sys.executable, "-m", "evalsuite", "run", "--plugin", str(PLUGIN), "--model", "adder",
            *(word for task in TASKS for word in ("--task", task)), "--task-option", f"count={COUNT}",
            *(word for key, value in self.options.items() for word in ("--option", f"{key}={value}")),
            "--batch-size", str(BATCH), "--workers", str(WORKERS), "--ray-address", self.cluster.address,
            "--no-self-check", "--out", str(self.folder / "run"),
        ]  # fmt: skip
        with (self.folder / "said").open("ab") as said:
            # The cluster of `ray.cluster_utils` has no token, whatever an earlier Ray left at home.
            mode = {"RAY_AUTH_MODE": "disabled"}
            self.driver = subprocess.Popen(
                command, env=environment(self.folder / "cache", **mode), stdout=said, stderr=said
            )

    def living(self) -> list[int]:
        """Workers that have loaded their model."""
        found = []
        for word in self.pids.read_text().split() if self.pids.exists() else ():
            try:
                if time.time() - psutil.Process(int(word)).create_time() > GRACE:
                    found.append(int(word))
            except psutil.NoSuchProcess:
                pass
        return found

    def kill(self, what: str, chance: random.Random) -> bool:
        """Kills one; False when there is none now."""
        assert self.driver is not None
        if what == "driver":
            self.driver.kill()
            self.driver.wait()
            self.start()
        elif what == "machine":
            node = chance.choice(self.nodes)
            self.cluster.remove_node(node, allow_graceful=False)
            self.nodes.remove(node)
            self.nodes.append(self.machine())
        else:
            living = self.living()
            if len(living) < 2:
                return False
            try:
                os.kill(chance.choice(living), signal.SIGKILL)
            except ProcessLookupError:
                return False
        self.kills[what] += 1
        return True

    def end(self) -> None:
        if self.driver is not None and self.driver.poll() is None:
            self.driver.kill()
            self.driver.wait()
        self.cluster.shutdown()
        os.environ.pop("RAY_AUTH_MODE")


def answers(out: Path) -> int:
    try:
        with RunReader(out) as reader:
            return sum(count.answered for count in reader.counts().values())
    except EvalsuiteError:
        return 0


@pytest.mark.long
def test_sixty_kills_of_workers_machines_and_drivers_lose_nothing(tmp_path: Path, tally: Tally) -> None:
    run_sums(sums_spec(*TASKS, count=COUNT), tmp_path / "quiet", batch_size=BATCH, self_check=False)
    out, chance = tmp_path / "run", random.Random(11)
    plan = [what for what, count in KILLS.items() for _ in range(count)]
    chance.shuffle(plan)
    storm = Storm(tmp_path)
    begun = time.monotonic()
    done_before = 0
    try:
        storm.start()
        while plan:
            assert storm.driver is not None
            assert storm.driver.poll() is None, (tmp_path / "said").read_text()[-3000:]
            # None falls on an idle run, and a lease that is asked alone after a death comes through: a sample
            # that outside kills hit twice while it is alone cannot be told from one that kills.
            if answers(out) >= done_before + LEASE and storm.kill(plan[-1], chance):
                plan.pop()
                done_before = answers(out)
            time.sleep(chance.uniform(0.2, 1.5))
        storm.slow.unlink()  # the rest is answered at once
        assert storm.driver is not None
        assert storm.driver.wait(900) == 0, (tmp_path / "said").read_text()[-3000:]
    finally:
        storm.end()
    assert rows(out) == rows(tmp_path / "quiet")
    assert [n.numbers() for n in numbers(out)] == [n.numbers() for n in numbers(tmp_path / "quiet")]
    assert verify(out).sound
    asked = Counter(storm.log.read_text().splitlines())
    extra = sum(asked.values()) - len(asked)
    assert len(asked) == len(rows(out)), "each request was asked"
    # A death costs what its worker had begun and not sent; a driver's costs that of all.
    with RunReader(out) as reader:
        sessions = reader.manifest.sessions
    figures = {
        "kills": dict(storm.kills),
        "seconds": round(time.monotonic() - begun),
        "requests": len(asked),
        "asked_again": extra,
        "sessions": len(sessions),
        "workers": len({worker.worker for session in sessions for worker in session.workers}),
    }
    (tmp_path / "figures.json").write_text(json.dumps(figures))
    print(figures)
    assert sum(storm.kills.values()) == sum(KILLS.values())
    for what, count in storm.kills.items():
        tally("kills on Ray", f"{what}s: nothing lost", count)
