"""`evalsuite watch` beside a trainer: every checkpoint once, whatever happens."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from evalsuite.running.builder import Asked
from evalsuite.store import RunReader, read_manifest
from evalsuite.tracking import track
from evalsuite.watching import Plan, Watched, watch
from tests.cli.program import here
from tests.watching.trainer import PLUGIN, registry, save


def _plan(out: Path, **options: str) -> Plan:
    asked = Asked(tasks=["numbers"], options=options, plugins=[PLUGIN], execution={"self_check": False})
    return Plan("saved", out, registry(), asked)


class Trainer:
    """Does one thing of its list whenever the watch sleeps; time passes only then."""

    def __init__(self, *actions: Any) -> None:
        self.actions = list(actions)
        self.now = 0.0

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        if self.actions:
            self.actions.pop(0)()

    def clock(self) -> float:
        return self.now


def test_checkpoints_are_measured_as_they_appear_and_once(tmp_path: Path) -> None:
    folder, asked = tmp_path / "training", tmp_path / "asked"
    trainer = Trainer(
        lambda: save(folder, 100, 0.4), lambda: save(folder, 200, 0.6), lambda: None,
        lambda: save(folder, 300, 0.9),
    )  # fmt: skip
    told: list[str] = []
    ended = watch(
        folder, _plan(tmp_path / "runs", asked=str(asked)), until=300, sleep=trainer.sleep,
        clock=trainer.clock, waiting=told.append,
    )  # fmt: skip
    assert [(one.checkpoint.step, one.problem) for one in ended] == [(100, ""), (200, ""), (300, "")]
    assert told[:2] == [f"{folder} to be made", "a new checkpoint"]
    (curve,) = track(tmp_path / "runs").curves
    assert (curve.series, curve.steps) == ("training", (100, 200, 300))
    assert read_manifest(tmp_path / "runs" / "checkpoint-100").training is not None
    again = watch(folder, _plan(tmp_path / "runs", asked=str(asked)), until=300)
    assert again == []
    assert max(Counter(asked.read_text().splitlines()).values()) == 1


def test_a_half_written_checkpoint_waits(tmp_path: Path) -> None:
    folder = tmp_path / "training"
    half = save(folder, 100, 0.4)
    data = (half / "model.safetensors").read_bytes()
    (half / "model.safetensors").write_bytes(data[:-1])
    told: list[str] = []
    trainer = Trainer(lambda: None, lambda: (half / "model.safetensors").write_bytes(data))
    ended = watch(
        folder, _plan(tmp_path / "runs"), idle_timeout=60, sleep=trainer.sleep, clock=trainer.clock,
        waiting=told.append,
    )  # fmt: skip
    assert [one.problem for one in ended] == [""]
    assert told[0] == "checkpoint-100: model.safetensors is not complete yet"


def test_only_the_newest(tmp_path: Path) -> None:
    for step in (1, 2, 3):
        save(tmp_path / "t", step, 0.5)
    ended = watch(tmp_path / "t", _plan(tmp_path / "runs"), which="newest", idle_timeout=0)
    assert [one.checkpoint.step for one in ended] == [3]


def test_a_checkpoint_that_cannot_be_loaded_is_told_and_the_others_are_measured(tmp_path: Path) -> None:
    save(tmp_path / "t", 1, 0.5)
    broken = save(tmp_path / "t", 2, 0.5)
    (broken / "model.safetensors").rename(broken / "other.safetensors")
    save(tmp_path / "t", 3, 0.5)
    told: list[Watched] = []
    ended = watch(tmp_path / "t", _plan(tmp_path / "runs"), idle_timeout=0, told=told.append)
    assert [bool(one.problem) for one in ended] == [False, True, False]
    assert "model.safetensors is not there" in ended[1].problem
    assert told == ended


def test_a_checkpoint_that_the_trainer_deletes_is_no_failure(tmp_path: Path) -> None:
    first, second = save(tmp_path / "t", 1, 0.5), save(tmp_path / "t", 2, 0.5)

    def told(one: Watched) -> None:
        if one.checkpoint.path == first:
            shutil.rmtree(second)

    ended = watch(tmp_path / "t", _plan(tmp_path / "runs"), idle_timeout=0, told=told)
    assert [one.checkpoint.step for one in ended] == [1]


def test_wrong_settings_are_an_error_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    common = ("watch", tmp_path / "t", "--plugin", PLUGIN, "-o", tmp_path / "runs", "--idle-timeout", "0")
    done = here(capsys, *common, "-m", "saved", "-t", "nmubers")
    assert (done.returncode, "nmubers" in done.stderr) == (2, True)
    done = here(capsys, *common, "-m", f"saved:{tmp_path}", "-t", "numbers")
    assert (done.returncode, "names a checkpoint" in done.stderr) == (2, True)
    done = here(capsys, *common, "-m", "saved", "-t", "numbers")
    assert (done.returncode, "measured 0 of 0" in done.stderr) == (0, True)


@pytest.mark.slow
def test_killed_at_any_moment_it_goes_on_and_asks_nothing_again(tmp_path: Path) -> None:
    """A real process, SIGKILL in the middle of the second checkpoint, the same command again."""
    folder, asked = tmp_path / "training", tmp_path / "asked"
    for step in (1, 2, 3):
        save(folder, step, 0.2 * step)
    command = [
        sys.executable, "-m", "evalsuite", "watch", folder, "-m", "saved", "-t", "numbers", "-o",
        tmp_path / "runs", "--plugin", PLUGIN, "--until", "3", "--poll", "0.2", "--batch-size", "4",
        "--option", "delay=0.1", "--option", f"asked={asked}",
    ]  # fmt: skip
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[2])}
    first = subprocess.Popen(list(map(str, command)), env=environment, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 280
    while "checkpoint-2" not in (asked.read_text() if asked.exists() else ""):
        assert first.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    first.send_signal(signal.SIGKILL)
    first.wait()
    before = Counter(asked.read_text().splitlines())
    with RunReader(tmp_path / "runs" / "checkpoint-2") as reader:
        stored = {f"checkpoint-2 {int(name)}" for name in reader.answered("numbers")}
    done = subprocess.run(
        list(map(str, command)), env=environment, capture_output=True, text=True, timeout=280
    )
    assert done.returncode == 0, done.stderr
    after = Counter(asked.read_text().splitlines())
    again = after - before
    assert not [line for line in again if line.startswith("checkpoint-1 ") or line in stored]
    assert {f"checkpoint-2 {i}" for i in range(60)} - stored <= set(again)
    for step in (1, 2, 3):
        with RunReader(tmp_path / "runs" / f"checkpoint-{step}") as reader:
            assert reader.statuses()[-1] == "finished"
            assert reader.counts()["numbers"].answered == 60
    assert track(tmp_path / "runs").curves[0].steps == (1, 2, 3)
