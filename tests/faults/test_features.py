"""A run that generates images and measures them with networks, killed in every phase and resumed."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from evalsuite.store import verify
from evalsuite.store.feature_files import stored_features
from tests.faults.conftest import Tally
from tests.faults.support import command, environment, program
from tests.features.drawing_runs import Drawing, numbers, scores

pytestmark = [pytest.mark.slow, pytest.mark.long]
PROMPTS = int(os.environ.get("EVALSUITE_FEATURE_PROMPTS", "400"))


def _images(out: Path) -> int:
    return sum(1 for _ in (out / "images").rglob("*.png"))


def _rows(out: Path) -> int:
    return sum(found.rows for found in stored_features(out)) if (out / "features").is_dir() else 0


def test_killed_during_generation_features_and_scoring_it_is_the_unbroken_run(
    tmp_path: Path, tally: Tally
) -> None:
    drawing = Drawing.write(tmp_path / "data", prompts=PROMPTS)
    out, rng = tmp_path / "run", random.Random(0)
    arguments = drawing.command(out, "--image-shards", "0")
    slow = {"TINY_DRAW_SLEEP": "0.02", "TINY_SLEEP": "0.05"}

    def kill_when(reached: Callable[[], bool]) -> None:
        process = subprocess.Popen(
            command(*arguments),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=environment(tmp_path, **slow),
        )
        while process.poll() is None and not reached():
            time.sleep(0.005)
        time.sleep(rng.uniform(0, 0.05))
        process.send_signal(signal.SIGKILL)
        process.wait(60)
        tally("kill storms", "nothing lost")

    for share in (0.2, 0.7):
        kill_when(lambda share=share: _images(out) > share * PROMPTS)  # type: ignore[misc]
    assert 0 < _images(out) < PROMPTS
    for share in (0.2, 0.8, 1.6):
        kill_when(lambda share=share: _rows(out) > share * PROMPTS)  # type: ignore[misc]
    before = _rows(out)
    assert 0 < before < 4 * PROMPTS
    kill_when(lambda: _rows(out) >= 4 * PROMPTS)  # all features are there: statistics and intervals
    assert not (out / "metrics.json").exists()
    end = program(*arguments, cache=tmp_path, timeout=600)
    assert end.returncode == 0, end.stderr
    assert verify(out).sound
    assert not verify(out).damaged_features
    whole = tmp_path / "whole"
    drawing.run(whole)
    assert numbers(out) == numbers(whole)
    assert scores(out).equals(scores(whole))
