"""Kill storms over every path that writes into a run, clocks that jump, and what memory keeps."""

from __future__ import annotations

import random
import signal
import subprocess
import time
from pathlib import Path

import pytest

from evalsuite.store import RunReader, verify
from evalsuite.store.lock import WriterLock
from tests.engine.support import run_sums, sums_spec
from tests.faults.conftest import Tally
from tests.faults.support import command, environment, program, sums_arguments


def _arguments(path: str, out: Path, log: Path) -> tuple[list[object], str, int]:
    """The command of a path, its task, and how many requests it makes."""
    task, more, requests = {
        "text": ("sums", [], 120),
        "choices": ("sum-choices", [], 120),
        "two steps": ("twice-asked", [], 240),
        "images": ("sum-images", ["--image-shards", "0"], 120),
        "shards": ("sum-images", ["--image-shards", "16"], 120),
        "threads": ("sum-images", ["--prepare-threads", "3"], 120),
        "single requests": ("sums", ["--batch-size", "1"], 120),
    }[path]
    batch = [] if "--batch-size" in more else ["--batch-size", "4"]
    arguments = sums_arguments(task, 120, out, log, *batch, *more)
    return arguments, task, requests


_PATHS = ["text", "choices", "two steps", "images", "shards", "threads", "single requests"]
_SIGNALS = (signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@pytest.mark.parametrize("path", [pytest.param(p, marks=pytest.mark.long) for p in _PATHS])
def test_killed_at_random_moments_nothing_is_lost_and_nothing_stored_is_asked_again(
    path: str, tmp_path: Path, tally: Tally, request: pytest.FixtureRequest
) -> None:
    out, log = tmp_path / "run", tmp_path / "log"
    arguments, task, requests = _arguments(path, out, log)
    rng = random.Random(path)
    everything = "faults" in (request.config.option.markexpr or "")
    kills, known = 0, set[tuple[str, int]]()
    for _ in range(8 if everything else 4):
        process = subprocess.Popen(
            command(*arguments),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=environment(tmp_path),
        )
        before = len(log.read_bytes().splitlines()) if log.exists() else 0
        wanted = before + rng.randrange(0, 12)
        while process.poll() is None and (not log.exists() or len(log.read_bytes().splitlines()) < wanted):
            time.sleep(0.003)
        time.sleep(rng.uniform(0, 0.03))
        process.send_signal(rng.choice(_SIGNALS))
        process.wait(60)
        kills += 1
        if (out / "run.json").exists() and (out / "responses.sqlite").exists():
            with RunReader(out) as run:
                now = {(r.sample, r.step) for r in run.records(task)}
                assert run.statuses()[-1] != "running"
            assert known <= now, "an answer was lost"
            known = now
        tally("kill storms", "nothing lost")
    end = program(*arguments, cache=tmp_path)
    assert end.returncode == 0, end.stderr
    assert verify(out).sound
    asked = log.read_text().splitlines()
    assert len(set(asked)) == requests
    assert len(asked) <= requests + kills * 4
    run_sums(sums_spec(task, count=120), tmp_path / "quiet", image_shards=0)
    with RunReader(out) as one, RunReader(tmp_path / "quiet") as other:
        assert one.metrics()[0].estimates == other.metrics()[0].estimates


@pytest.mark.slow
@pytest.mark.parametrize(
    "jump", [-10_000_000.0, 10_000_000.0, -(2**31)], ids=["back", "ahead", "before 1970"]
)
def test_clocks_that_jump_change_no_answer_and_no_number(
    jump: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tally: Tally
) -> None:
    real = time.time
    jumped = iter([0.0] * 5 + [jump] * 10_000)
    monkeypatch.setattr(time, "time", lambda: real() + next(jumped, jump))
    out = tmp_path / "run"
    run_sums(sums_spec("sums", "sum-images", count=12, limit=6), out)
    run_sums(sums_spec("sums", "sum-images", count=12, limit=6), out)
    monkeypatch.setattr(time, "time", real)
    run_sums(sums_spec("sums", "sum-images", count=12, limit=6), tmp_path / "quiet")
    assert verify(out).sound
    with RunReader(out) as one, RunReader(tmp_path / "quiet") as other:
        assert [r.estimates for r in one.metrics()] == [r.estimates for r in other.metrics()]
        assert list(one.counts().values()) == list(other.counts().values())
    tally("clocks that jump", "same numbers")


def test_a_lock_of_a_dead_process_holds_nobody_up(tmp_path: Path, tally: Tally) -> None:
    out = tmp_path / "run"
    run_sums(sums_spec(count=4), out)
    (out / ".tmp-run.lock-owner").write_text("process 1 on a machine that is gone, 0")
    lock = WriterLock(out)
    lock.check()
    lock.release()
    tally("two writers", "a dead one's mark taken over")


_LEAK = """
import resource, sys
from pathlib import Path
sys.path.insert(0, {root!r})
from tests.engine.support import run_sums, sums_spec
def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
run_sums(sums_spec("sums", count=200), Path({out!r}) / "warm", batch_size=64)
before = peak()
run_sums(sums_spec("sums", count={count}), Path({out!r}) / "run", batch_size=64)
print(before, peak())
"""


@pytest.mark.parametrize(
    "count", [pytest.param(5_000, marks=pytest.mark.long), pytest.param(100_000, marks=pytest.mark.long)]
)
def test_memory_does_not_grow_with_the_samples(count: int, tmp_path: Path, tally: Tally) -> None:
    """What is kept per sample: its id, its row when scoring; 100,000 samples take less than 300 MB."""
    root = str(Path(__file__).parent.parent.parent)
    code = _LEAK.format(root=root, out=str(tmp_path), count=count)
    end = subprocess.run(
        [command()[0], "-c", code], capture_output=True, text=True, env=environment(tmp_path), timeout=900
    )
    assert end.returncode == 0, end.stderr
    before, after = map(float, end.stdout.split())
    assert after - before < 60 + count * 0.0025, f"{before:.0f} MB before, {after:.0f} MB after"
    tally("runs of many samples", f"memory flat at {count:,}")
