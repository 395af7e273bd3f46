"""A run that is killed resumes where it stopped."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import time
from collections import Counter
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from evalsuite.engine.saver import BEHIND
from evalsuite.errors import EvalsuiteError
from evalsuite.spec import RunSpec
from evalsuite.store import RunReader, TaskResult, verify
from tests.engine.support import run_sums, sums_spec

BATCH = 4
KILLS = 20


def _child(spec: RunSpec, out: Path) -> None:
    run_sums(spec, out, batch_size=BATCH, self_check=False)


def _numbers(out: Path) -> list[TaskResult]:
    """What was measured, without how long it took."""
    found = RunReader(out).metrics()
    return [r.model_copy(update={"cost": r.cost.model_copy(update={"seconds": 0.0})}) for r in found]


def _stored(out: Path) -> dict[tuple[str, str, int], str]:
    """What is answered, with what; nothing before the run has begun."""
    try:
        with RunReader(out) as run:
            records = (record for key in run.task_keys for record in run.records(key))
            return {(r.task, r.sample, r.step): r.request_hash for r in records}
    except EvalsuiteError:
        return {}


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_run_killed_at_twenty_random_moments_gives_the_same_metrics_and_asks_each_request_once(
    tmp_path: Path,
) -> None:
    tasks = ("sums", "twice-asked", "sum-images")
    quiet, log = tmp_path / "undisturbed", tmp_path / "log"
    run_sums(sums_spec(*tasks, count=150), quiet, batch_size=BATCH, self_check=False)
    spec = sums_spec(*tasks, count=150, log=log, delay=0.01)
    out = tmp_path / "killed"
    rng = random.Random(7)
    fork = multiprocessing.get_context("fork")
    interrupted = 0
    answered_before: list[tuple[int, set[str]]] = []
    for _ in range(KILLS):
        child = fork.Process(target=_child, args=(spec, out))
        child.start()
        assert child.pid is not None
        _wait(rng, child, log)
        os.kill(child.pid, signal.SIGKILL)
        child.join()
        interrupted += child.exitcode == -signal.SIGKILL
        asked = log.read_text().splitlines() if log.exists() else []
        answered_before.append((len(asked), {f"{t}|{s}|{n}" for t, s, n in _stored(out)}))
    assert interrupted == KILLS, "the run ended before it was killed often enough"
    in_store = [len(known) for _, known in answered_before]
    assert in_store == sorted(in_store), "a kill lost responses"
    assert 0 < in_store[-1] < 600, "the kills did not hit the middle of the run"

    run_sums(spec, out, batch_size=BATCH, self_check=False)

    assert _numbers(out) == _numbers(quiet)
    assert _stored(out) == _stored(quiet)
    for task in tasks:
        assert RunReader(out).scores(task).equals(RunReader(quiet).scores(task))
    assert verify(out).sound
    asked = log.read_text().splitlines()
    again = Counter(asked)
    extra = sum(again.values()) - len(again)
    assert len(again) == 600
    # the batch at the device, and the one being saved behind it
    assert extra <= KILLS * BATCH * (1 + BEHIND), f"{extra} requests asked again after {KILLS} kills"
    for position, known in answered_before:
        repeated = {_name(question) for question in asked[position:]} & known
        assert not repeated, "asked again although its response was in the store"


def _wait(rng: random.Random, child: BaseProcess, log: Path) -> None:
    """Until a random moment: sometimes of the start, mostly while answers come in, however busy all is."""
    if rng.random() < 0.25:
        time.sleep(rng.uniform(0.0, 0.2))
        return
    wanted = _lines(log) + rng.randrange(1, 60)
    while _lines(log) < wanted and child.is_alive():
        time.sleep(0.002)
    time.sleep(rng.uniform(0.0, 0.03))


def _lines(log: Path) -> int:
    return len(log.read_bytes().splitlines()) if log.exists() else 0


def _name(question: str) -> str:
    """`twice-asked: 3+9= 12?` -> the request's task, sample and step."""
    task, rest = question.split(": ")
    step = 1 if rest.endswith("?") else 0
    return f"{task}|{task}-{rest.split('+')[0]}|{step}"


@pytest.mark.slow
def test_a_task_done_before_the_kill_is_not_read_by_a_model_again(tmp_path: Path) -> None:
    from tests.engine.support import models_made

    spec = sums_spec()
    run_sums(spec, tmp_path / "run")
    made = models_made()
    run_sums(spec, tmp_path / "run")
    assert models_made() == 0, "the plugin was loaded anew and no model was built"
    assert made == 1
