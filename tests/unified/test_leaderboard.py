"""A leaderboard over isolated tiny unified models on the miniature, with two workers: children, workers and
drivers are killed, the same command resumes, and every sample is there once, as in an undisturbed run."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

from evalsuite.errors import EvalsuiteError
from evalsuite.store import RunReader, verify
from tests.faults.support import command, environment, program
from tests.ray.rows import numbers, rows

from .models import TINY, Tiny

ray = pytest.importorskip("ray")
pytestmark = pytest.mark.unified

SUITE = "mini"
"""A suite, since it leaves out the tasks that a model cannot do; tasks by name are refused then."""
LIMIT, BATCH, LEAST = 3, 2, 7
PLAN = ("child", "worker", "driver") * 2
PATIENCE = 3000.0
"""Seconds for all of it on a busy machine; half of them are imports of torch in new children."""


def here() -> list[Tiny]:
    # One that is small only through a file of the tests cannot be named as a user names it.
    found = [tiny for tiny in TINY if not tiny.missing and not tiny.through]
    if len(found) < LEAST:
        pytest.skip(
            f"set EVALSUITE_UNIFIED (tests/unified/README.md): {len(found)} of {LEAST} tiny models are there"
        )
    return found


def configure(folder: Path, models: list[Tiny]) -> Path:
    """The configuration file of all runs, as a user would write it."""
    settings = {
        "format": 1,
        "models": [
            {"name": f"{tiny.name}:{tiny.weights}", "options": {**sized(tiny), "name": tiny.name}}
            for tiny in models
        ],
        "suite": SUITE,
        "limit": LIMIT,
        "device": "cpu",
        "dtype": "float32",
        # JanusFlow generates 384 pixels alone: its images of this task are failures, with that reason.
        "execution": {"batch_size": BATCH, "self_check": False, "max_failures": LIMIT},
    }
    path = folder / "models.yaml"
    path.write_text(yaml.safe_dump(settings))
    return path


def sized(tiny: Tiny) -> dict[str, str]:
    """Its options, for the 64 pixels of the miniature."""
    return {key: "64" if key == "image_size" else value for key, value in tiny.given.items()}


def cluster() -> Any:
    """Ray on this machine, once for all models; again where a busy machine makes it give up after 30 s."""
    from ray.cluster_utils import Cluster

    for _ in range(5):
        made = Cluster()
        try:
            made.add_node(num_cpus=2, include_dashboard=False)
        except Exception:
            made.shutdown()
        else:
            return made
    pytest.fail("Ray does not start on this machine")


class Disturbed:
    """The command, and what can be killed of it."""

    def __init__(self, config: Path, out: Path, pythons: set[str], address: str) -> None:
        self.config, self.out, self.pythons, self.address = config, out, pythons, address
        self.said = out.parent / "said"
        self.kills: Counter[str] = Counter()
        self.started: set[int] = set()
        self.start()

    def start(self) -> None:
        words = command(
            "run", "--config", self.config, "--workers", 2, "--ray-address", self.address, "--out", self.out
        )
        with self.said.open("ab") as said:
            env = environment(self.out.parent / "cache", RAY_AUTH_MODE="disabled")
            self.driver = subprocess.Popen(words, env=env, stdout=said, stderr=said)

    def children(self) -> list[psutil.Process]:
        """Interpreters of models that Ray's workers have started, below this process."""
        found = []
        for process in psutil.Process().children(recursive=True):
            try:
                if process.cmdline()[:1] and process.cmdline()[0] in self.pythons:
                    found.append(process)
                    self.started.add(process.pid)
            except psutil.NoSuchProcess:
                continue
        return found

    def kill(self, what: str) -> bool:
        """Kills one with signal 9; False when there is none now."""
        children = self.children()
        if what == "driver":
            self.driver.kill()
            self.driver.wait()
            self.start()
        elif not children:
            return False
        else:
            try:
                pid = children[-1].pid if what == "child" else children[-1].ppid()
                os.kill(pid, signal.SIGKILL)
            except (psutil.NoSuchProcess, ProcessLookupError):
                return False
        self.kills[what] += 1
        return True

    def recorded(self) -> int:
        """Samples that are stored, of all models."""
        total = 0
        for folder in self.out.glob("*"):
            try:
                with RunReader(folder) as run:
                    total += sum(count.answered + count.failed for count in run.counts().values())
            except EvalsuiteError:
                continue
        return total

    def alive(self) -> list[int]:
        """Children of any driver that still run."""
        return [pid for pid in self.started if psutil.pid_exists(pid) and _cmdline(pid) in self.pythons]


def _cmdline(pid: int) -> str:
    try:
        return (psutil.Process(pid).cmdline() or [""])[0]
    except psutil.NoSuchProcess:
        return ""


@pytest.mark.slow
def test_a_leaderboard_of_isolated_models_survives_kills(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = here()
    config = configure(tmp_path, models)
    out, begun = tmp_path / "runs", time.monotonic()
    out.mkdir()
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")  # the cluster of `ray.cluster_utils` has no token
    machine = cluster()
    run = Disturbed(config, out, {str(tiny.python) for tiny in models}, machine.address)
    plan, before = list(reversed(PLAN)), 0
    try:
        while plan:
            assert run.driver.poll() is None, run.said.read_text()[-3000:]
            assert time.monotonic() - begun < PATIENCE, run.said.read_text()[-3000:]
            # Progress between kills: a driver that dies while it starts tells nothing.
            if run.recorded() >= before + 2 * BATCH and run.kill(plan[-1]):
                plan.pop()
                before = run.recorded()
            run.children()
            time.sleep(0.5)
        assert run.driver.wait(PATIENCE) == 0, run.said.read_text()[-3000:]
    finally:
        if run.driver.poll() is None:
            run.driver.kill()
            run.driver.wait()
        machine.shutdown()
    seconds = time.monotonic() - begun
    until = time.monotonic() + 30
    while run.alive() and time.monotonic() < until:
        time.sleep(0.2)
    assert run.alive() == [], "a child outlived its run"

    quiet = program(
        "run", "--config", config, "--out", tmp_path / "quiet", cache=tmp_path / "cache", timeout=PATIENCE
    )
    assert quiet.returncode == 0, quiet.stderr[-3000:]
    folders = sorted(path.name for path in out.iterdir())
    assert folders == sorted(path.name for path in (tmp_path / "quiet").iterdir())
    assert len(folders) == len(models)
    for name in folders:
        assert rows(out / name) == rows(tmp_path / "quiet" / name), name
        # As text: an interval that cannot be had is NaN, which equals nothing.
        mine, theirs = (
            repr([one.numbers() for one in numbers(at / name)]) for at in (out, tmp_path / "quiet")
        )
        assert mine == theirs, name
        assert verify(out / name).sound, name
    board = program("leaderboard", out, cache=tmp_path / "cache")
    assert board.returncode == 0, board.stderr
    assert all(tiny.name in board.stdout for tiny in models)
    figures = {
        "models": len(models),
        "kills": dict(run.kills),
        "records": sum(len(rows(out / name)) for name in folders),
        "children": len(run.started),
        "seconds": round(seconds),
    }
    (tmp_path / "figures.json").write_text(json.dumps(figures))
    print(board.stdout, figures)
    assert sum(run.kills.values()) == len(PLAN)
