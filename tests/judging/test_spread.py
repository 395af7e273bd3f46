"""Judges that are spread: one model behind several servers, and a model of the registry on Ray workers. Each
judgement is asked once, whatever is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from evalsuite.endpoint import Server
from evalsuite.errors import SpecError, UnavailableError
from evalsuite.judging.asked import ServedJudge
from evalsuite.judging.asking import JudgeOptions, JudgeOutcome, judge_run
from evalsuite.judging.model import ModelJudge
from evalsuite.registry import load_registry
from evalsuite.spec import ExecutionOptions, ModelSpec
from evalsuite.store import RunReader
from tests.endpoint.server import Local, serving
from tests.judging.data import PLUGIN as ANSWERING
from tests.judging.data import answered

GRADE = "tests.judging.replies:grade"
HESITANT = "tests.judging.replies:hesitant"
PLUGIN = Path(__file__).parent / "judging_models.py"


def server(local: Local, **more: Any) -> Server:
    return Server(local.url, "judge", backoff=0.01, timeout=10, retries=3, **{"in_flight": 2, **more})


def rows(out: Path) -> list[Any]:
    with RunReader(out) as reader:
        return [row for one in reader.judges("mm-vet") for row in reader.judgements(one, "mm-vet")]


def said(out: Path) -> dict[Any, Any]:
    """Every judgement without times."""
    return {(r.sample, r.question, r.attempt, r.run): (r.text, r.error, r.model) for r in rows(out)}


def questions(*servers: Local) -> Counter[str]:
    return Counter(
        request["body"]["messages"][-1]["content"] for one in servers for request in one.requests()
    )


def score(outcome: JudgeOutcome) -> float:
    (result,) = outcome.scored.results
    return next(e.value for e in result.estimates if e.metric.headline and not e.group)


@pytest.mark.slow
def test_several_servers_share_the_questions_and_give_the_numbers_of_one(tmp_path: Path) -> None:
    for name in ("one", "two", "data1", "data2"):
        (tmp_path / name).mkdir()
    answered(tmp_path / "data1" / "d", tmp_path / "alone", count=12)
    answered(tmp_path / "data2" / "d", tmp_path / "shared", count=12)
    with (
        serving(tmp_path / "one", HESITANT, delay=0.02) as first,
        serving(tmp_path / "two", HESITANT, delay=0.02) as second,
    ):
        shared = judge_run(tmp_path / "shared", [server(first), server(second)])
        assert {len(one.requests()) > 0 for one in (first, second)} == {True}
        busiest = max(request["active"] for one in (first, second) for request in one.requests())
        assert busiest <= 2
        alone = judge_run(tmp_path / "alone", server(first))
    assert score(shared) == score(alone)
    assert said(tmp_path / "shared") == said(tmp_path / "alone")


@pytest.mark.slow
def test_a_server_that_goes_away_is_left_out_and_its_questions_asked_of_the_others(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    answered(tmp_path / "data", tmp_path / "run", count=10)
    with serving(tmp_path / "one", GRADE) as first, serving(tmp_path / "two", GRADE) as second:
        first.script({}, {"status": 401})  # a refused key: nothing more is to be had there
        outcome = judge_run(tmp_path / "run", [server(first), server(second)])
        assert score(outcome) == pytest.approx(9.5 / 10)
        assert len(rows(tmp_path / "run")) == 10
        assert len(first.requests()) <= 3
    absent = Server("http://127.0.0.1:9/v1", "judge", backoff=0.01, retries=0)
    answered(tmp_path / "more", tmp_path / "again", count=4)
    with serving(tmp_path / "two", GRADE) as second:
        assert judge_run(tmp_path / "again", [absent, server(second)]).failed == 0
    answered(tmp_path / "most", tmp_path / "never", count=4)
    with pytest.raises(UnavailableError, match="There is no server"):
        judge_run(tmp_path / "never", [absent, Server("http://127.0.0.1:10/v1", "judge", retries=0)])


@pytest.mark.slow
def test_a_killed_judge_over_two_servers_asks_each_judgement_once(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    answered(tmp_path / "data", tmp_path / "run", count=40)
    with (
        serving(tmp_path / "one", GRADE, delay=0.03) as first,
        serving(tmp_path / "two", GRADE, delay=0.03) as second,
    ):
        command = [
            sys.executable, "-m", "evalsuite", "judge", str(tmp_path / "run"), "--judge", "judge",
            "--base-url", first.url, "--base-url", second.url, "--in-flight", "1",
        ]  # fmt: skip
        with subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as child:
            until = time.monotonic() + 120
            while len(first.requests()) + len(second.requests()) < 8 and time.monotonic() < until:
                time.sleep(0.02)
            child.send_signal(signal.SIGKILL)
        kept = len(rows(tmp_path / "run"))
        assert 0 < kept < 40
        outcome = judge_run(tmp_path / "run", [server(first), server(second)])
        assert outcome.tallies["mm-vet"].asked == 40 - kept
        asked = questions(first, second)
    assert len(rows(tmp_path / "run")) == 40
    assert sum(count - 1 for count in asked.values()) <= 2, "only what was on its way when it was killed"
    assert score(outcome) == pytest.approx(39.5 / 40)


def test_servers_of_two_judges_are_refused() -> None:
    with pytest.raises(SpecError, match="serve the same model"):
        ServedJudge([Server("http://a/v1", "x"), Server("http://b/v1", "y")])


def on_workers(out: Path, workers: int, runs: int = 1, **options: str) -> JudgeOutcome:
    how = JudgeOptions(runs=runs, execution=ExecutionOptions(workers=workers))
    spec = ModelSpec(name="grader", options=options)
    registry = load_registry([ANSWERING, PLUGIN])
    return judge_run(out, ModelJudge(spec, 2), how, registry=registry, plugins=[PLUGIN])


@pytest.mark.slow
def test_workers_give_the_judgements_of_one_process(tmp_path: Path) -> None:
    pytest.importorskip("ray")
    settings = {"mumble": "x = -2", "stumble": "x = -3"}
    registry = load_registry([ANSWERING, PLUGIN])
    answered(tmp_path / "data", tmp_path / "alone", count=20)
    judge = ModelJudge(ModelSpec(name="grader", options=settings), 2)
    alone = judge_run(tmp_path / "alone", judge, JudgeOptions(runs=2), registry=registry)
    answered(tmp_path / "more", tmp_path / "spread", count=20)
    spread = on_workers(tmp_path / "spread", 2, runs=2, **settings)
    assert said(tmp_path / "spread") == said(tmp_path / "alone")
    assert score(spread) == score(alone)
    assert spread.tallies == alone.tallies
    again = on_workers(tmp_path / "spread", 2, runs=2, **settings)
    assert again.tallies["mm-vet"].asked == 0


@pytest.mark.slow
def test_a_judge_that_kills_its_workers_fails_one_judgement_and_a_killed_driver_resumes(
    tmp_path: Path,
) -> None:
    pytest.importorskip("ray")
    log = tmp_path / "log"
    answered(tmp_path / "data", tmp_path / "run", count=24)
    command = [
        sys.executable, "-m", "evalsuite", "judge", str(tmp_path / "run"), "--judge-model", "grader",
        "--plugin", str(PLUGIN), "--workers", "2", "--batch-size", "1", "--option", f"questions={log}",
        "--option", "delay=0.1", "--option", "kills=x = -5", "--max-failures", "5",
    ]  # fmt: skip
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as child:
        until = time.monotonic() + 240
        while len(rows(tmp_path / "run")) < 3 and time.monotonic() < until and child.poll() is None:
            time.sleep(0.1)
        child.send_signal(signal.SIGKILL)
    kept = len(rows(tmp_path / "run"))
    assert 0 < kept < 24
    before = Counter(log.read_text().splitlines())
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = rows(tmp_path / "run")
    assert len(found) == 24
    (failed,) = [row for row in found if row.error]
    assert "died" in failed.error
    assert failed.sample == "v1_5"
    asked = Counter(log.read_text().splitlines())
    again = {answer for answer, count in asked.items() if count > 1}
    # What was in flight when the driver was killed, and what shared a lease with the poison.
    assert not {answer for answer, count in before.items() if count > 1} - {"x = -5"}
    # Two workers with two leases of four each, and batches that were behind the driver's last commit.
    assert len(again) <= 2 * 2 * 4
