"""Judging as a step of its own, against a real server: nothing asked twice, nothing lost, nothing
invented."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from evalsuite.comparison import compare
from evalsuite.endpoint import Server
from evalsuite.errors import SampleError, SpecError, StoreError, UnavailableError
from evalsuite.judging import Exchange
from evalsuite.judging.asking import JudgeOptions, JudgeOutcome, judge_run
from evalsuite.leaderboards import load, table
from evalsuite.running.scoring import score_run
from evalsuite.store import Judge, RunReader, RunWriter, StoredJudgement, TaskResult, verify
from evalsuite.task import Answered, Sample
from tests.cli.program import evalsuite
from tests.endpoint.server import Local, serving
from tests.judging.data import PLUGIN, answered, gedit, gedit_row, mmvet

GRADE = "tests.judging.replies:grade"


def judged(
    run: Path, local: Local, judge: str = "judge", *, retries: int = 1, **options: Any
) -> JudgeOutcome:
    server = Server(local.url, judge, backoff=0.01, timeout=10, retries=retries, in_flight=3)
    return judge_run(run, server, JudgeOptions(**options))


def result(outcome: JudgeOutcome) -> TaskResult:
    assert not outcome.scored.errors, outcome.scored.errors
    (found,) = outcome.scored.results
    return found


def test_before_anybody_judges_the_score_is_missing_and_nothing_has_failed(tmp_path: Path) -> None:
    outcome = answered(tmp_path / "data", tmp_path / "run")
    (found,) = outcome.results
    assert outcome.exit_code == 0
    assert found.estimates == ()
    assert "evalsuite judge RUN --task mm-vet" in found.missing["score"]


@pytest.mark.slow
def test_a_judge_is_asked_once_about_each_answer_and_what_it_took_is_recorded(tmp_path: Path) -> None:
    answered(tmp_path / "data", tmp_path / "run")
    with serving(tmp_path, GRADE) as local:
        first = judged(tmp_path / "run", local, price_in=30.0, price_out=60.0)
        again = judged(tmp_path / "run", local)
        assert len(local.requests()) == 6
    found = result(first)
    assert found.headline().value == pytest.approx((0.5 + 5 * 1.0) / 6)
    assert (found.judge, found.failures) == ("judge-2026-01-01", 0)
    account = found.judging
    assert account is not None
    assert (account.judge, account.served, account.runs, account.questions) == (
        "judge",
        "judge-2026-01-01",
        1,
        6,
    )
    assert account.completion_tokens == 6
    assert account.prompt_tokens is not None
    assert account.cost == pytest.approx((account.prompt_tokens * 30 + 6 * 60) / 1e6)
    assert (first.tallies["mm-vet"].asked, again.tallies["mm-vet"].asked) == (6, 0)
    assert result(again).judging == account
    with RunReader(tmp_path / "run") as run:
        assert [r.judge for r in run.metrics()] == ["judge-2026-01-01"]  # the missing one has made room
        assert len(run.scores("mm-vet", judge="judge-2026-01-01")) == 6
    assert verify(tmp_path / "run").sound


def test_a_reply_that_ends_in_half_a_surrogate_pair_is_kept(tmp_path: Path) -> None:
    answered(tmp_path / "data", tmp_path / "run", count=2)
    with serving(tmp_path, "tests.judging.replies:cut") as local:
        found = result(judged(tmp_path / "run", local))
    with RunReader(tmp_path / "run") as run:
        (judge,) = run.judges("mm-vet")
        texts = {row.text for row in run.judgements(judge, "mm-vet")}
    assert texts <= {"0.5 \0\ufffd", "1.0 \0\ufffd"}
    assert found.judging is not None
    assert found.judging.failed == 0


def test_without_prices_or_counts_the_cost_is_unknown_not_nothing(tmp_path: Path) -> None:
    answered(tmp_path / "data", tmp_path / "run", count=2)
    with serving(tmp_path, GRADE) as local:
        account = result(judged(tmp_path / "run", local)).judging
    assert account is not None
    assert account.cost is None


@pytest.mark.slow
def test_scoring_again_needs_no_server(tmp_path: Path) -> None:
    answered(tmp_path / "data", tmp_path / "run")
    with serving(tmp_path, GRADE) as local:
        online = result(judged(tmp_path / "run", local, runs=2))
    (offline,) = score_run(tmp_path / "run").results
    assert offline == online
    assert {e.metric.name for e in offline.estimates} == {"score", "std over runs"}


@pytest.mark.slow
def test_the_official_rule_for_replies_that_are_no_grade(tmp_path: Path) -> None:
    answered(tmp_path / "data", tmp_path / "run", count=4)
    with serving(tmp_path, "tests.judging.replies:hesitant") as local:
        found = result(judged(tmp_path / "run", local))
        bodies = [request["body"] for request in local.requests()]
    temperatures: dict[str, list[tuple[float, bool]]] = {}
    for body in bodies:
        text = body["messages"][0]["content"]
        more = text.endswith("\nPredict the correctness of the answer (digit): ")
        key = text.removesuffix("\nPredict the correctness of the answer (digit): ").rsplit(" | ", 2)[-2]
        temperatures.setdefault(key, []).append((body["temperature"], more))
        assert body["max_tokens"] == 3
    warmer = [(0.0, False), (0.0, True), (0.5, True), (1.0, True), (1.5, True)]
    assert temperatures["x = -2"] == warmer
    assert temperatures["x = -3"] == warmer[:3]
    assert temperatures["x = -1"] == warmer[:1]
    # Five replies that are no grade are the official 0, not a failure.
    assert found.failures == 0
    assert found.headline().value == pytest.approx((1.0 + 0.5 + 0.0 + 1.0) / 4)


@pytest.mark.slow
def test_a_judge_that_gives_nothing_is_a_failure_with_a_reason_never_a_zero(tmp_path: Path) -> None:
    answered(tmp_path / "data", tmp_path / "run", count=3)
    refusal = {"status": 400, "error": {"message": "not this one", "code": "content_filter"}}
    with serving(tmp_path, GRADE) as local:
        local.script(refusal)
        first = judged(tmp_path / "run", local)
        assert first.failed == 1
        found = result(first)
        assert (found.n, found.failures) == (2, 1)
        assert found.headline().value in (1.0, 0.75)
        with RunReader(tmp_path / "run") as run:
            table = run.scores("mm-vet", judge=found.judge)
        assert table["failure"].str.contains("the judge gave nothing: .*not this one").sum() == 1
        before = len(local.requests())
        assert judged(tmp_path / "run", local).failed == 0  # a failure is not asked again by itself
        assert len(local.requests()) == before
        mended = result(judged(tmp_path / "run", local, retry_failed=True))
        assert len(local.requests()) == before + 1
    assert (mended.n, mended.failures) == (3, 0)


@pytest.mark.slow
def test_two_judges_of_one_run_never_share_a_column(tmp_path: Path) -> None:
    answered(tmp_path / "data", tmp_path / "run", count=2)
    with serving(tmp_path, GRADE) as local:
        judged(tmp_path / "run", local, "one")
        judged(tmp_path / "run", local, "two")
        judged(tmp_path / "run", local, "two", parameters={"temperature": 0.7})
        warm = local.requests()[-1]["body"]
    assert warm["temperature"] == 0.7
    columns = table(load([tmp_path / "run"])).columns
    assert [column.title for column in columns] == [
        "mm-vet (judge one-2026-01-01)",
        "mm-vet (judge two-2026-01-01)",
        "mm-vet (judge two-2026-01-01 (temperature=0.7))",
    ]


def test_a_server_that_changes_its_model_on_the_way_is_refused(tmp_path: Path) -> None:
    answered(tmp_path / "data", tmp_path / "run", count=6)
    with serving(tmp_path, "tests.judging.replies:renamed") as local:
        with pytest.raises(
            StoreError, match=r"answered by 'judge-(new|old)' now and was by 'judge-(new|old)'"
        ):
            judged(tmp_path / "run", local)
        with RunReader(tmp_path / "run") as run:
            (judge,) = run.judges("mm-vet")
            assert len({row.model for row in run.judgements(judge, "mm-vet")}) == 1


def test_judgements_under_two_names_make_no_number(tmp_path: Path) -> None:
    answered(tmp_path / "data", tmp_path / "run", count=2)
    with RunWriter.for_scoring(tmp_path / "run") as writer:
        for i, name in enumerate(("old", "new")):
            row = StoredJudgement("mm-vet", "q" * 64, 0, i, "v1_0", "1.0", model=name)
            writer.save_judgement(Judge("judge"), row)
    errors = score_run(tmp_path / "run").errors
    assert "judged by new and old under the one name 'judge'" in errors["mm-vet"]


def test_a_judgement_is_never_replaced_but_a_failure_is(tmp_path: Path) -> None:
    answered(tmp_path / "data", tmp_path / "run", count=2)
    judge, place = Judge("judge"), ("mm-vet", "q" * 64, 0, 0, "v1_0")
    with RunWriter.for_scoring(tmp_path / "run") as writer:
        for text, error in ((None, "timed out"), ("0.3", ""), ("0.9", ""), (None, "timed out")):
            writer.save_judgement(judge, StoredJudgement(*place, text, error))
        (kept,) = writer.judgements(judge, "mm-vet")
    assert (kept.text, kept.error) == ("0.3", "")


@pytest.mark.slow
def test_a_server_that_goes_away_loses_nothing_that_was_judged(tmp_path: Path) -> None:
    answered(tmp_path / "data", tmp_path / "run", count=6)
    with serving(tmp_path, GRADE) as local:
        local.script({}, {}, {"status": 401})
        with pytest.raises(UnavailableError, match="refuses the key"):
            judged(tmp_path / "run", local)
        asked = len(local.requests())
        with RunReader(tmp_path / "run") as run:
            (judge,) = run.judges("mm-vet")
            kept = run.judgements(judge, "mm-vet")
        assert len(kept) == asked - 1
        assert judged(tmp_path / "run", local).tallies["mm-vet"].asked == 6 - len(kept)


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="needs SIGKILL")
def test_killed_and_started_again_it_asks_only_what_is_missing(tmp_path: Path) -> None:
    count, at_once = 24, 2
    answered(tmp_path / "data", tmp_path / "run", count=count)
    with serving(tmp_path, GRADE, delay=0.1) as local:
        command = [
            sys.executable, "-m", "evalsuite", "judge", str(tmp_path / "run"), "--judge", "judge",
            "--base-url", local.url, "--in-flight", str(at_once),
        ]  # fmt: skip
        asked = kept = 0
        for upto in (7, 15):
            with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
                deadline = time.monotonic() + 60
                while len(local.requests()) < upto and time.monotonic() < deadline:
                    time.sleep(0.02)
                process.send_signal(signal.SIGKILL)
                process.wait()
            new = len(local.requests()) - asked
            with RunReader(tmp_path / "run") as run:
                (judge,) = run.judges("mm-vet")
                stored = len(run.judgements(judge, "mm-vet"))
            assert kept < stored < count
            # What was on its way when it was killed is all that can be asked twice.
            assert new - (stored - kept) <= at_once
            asked, kept = len(local.requests()), stored
        finished = judged(tmp_path / "run", local)
        assert len(local.requests()) - asked == count - kept == finished.tallies["mm-vet"].asked
    assert result(finished).headline().n == count


def test_a_task_that_stumbles_over_a_reply_costs_that_answer_only() -> None:
    class Stumbling:
        def question(self, answered: object, said: object) -> None:
            raise KeyError("score")

    exchange = Exchange(Stumbling(), Answered(Sample("1", None), ()))  # type: ignore[arg-type]
    with pytest.raises(SampleError, match=r"KeyError: 'score'"):
        exchange.next()


def test_what_is_not_judged_is_told(tmp_path: Path) -> None:
    answered(tmp_path / "data", tmp_path / "run", count=2)
    server = Server("http://localhost:1/v1", "judge")
    with pytest.raises(SpecError, match=r"no task .mm-vat..*mm-vet"):
        judge_run(tmp_path / "run", server, tasks=["mm-vat"])
    with pytest.raises(SpecError, match="No task of the run is judged under the rules 'other'"):
        judge_run(tmp_path / "run", server, rules="other")
    with pytest.raises(SpecError, match="at least once"):
        JudgeOptions(runs=0)
    with pytest.raises(SpecError, match="not a price"):
        JudgeOptions(price_in=float("nan"))


# From the question to the leaderboard, as users type it


@pytest.mark.slow
def test_run_judge_score_leaderboard_of_mmvet_as_typed(tmp_path: Path) -> None:
    data, run = mmvet(tmp_path / "data", 4), tmp_path / "run"
    secret = "sk-local-secret-0001"
    with serving(tmp_path, GRADE, key=secret) as local:
        asked = ("--plugin", PLUGIN, "--model", "answering", "--task", "mm-vet", "--data", data)
        first = evalsuite("run", *asked, "--out", run)
        assert first.returncode == 0, first.stderr
        assert f"`evalsuite judge {run} --task mm-vet --judge gpt-4-0613 --base-url URL`" in first.stderr
        typed = ("judge", run, "--judge", "grader", "--base-url", local.url, "--key-env", "LOCAL_KEY")
        refused = evalsuite(*typed, LOCAL_KEY="sk-other")
        assert refused.returncode == 2
        assert "refuses the key in LOCAL_KEY" in refused.stderr
        done = evalsuite(*typed, "--price-in", "30", "--price-out", "60", LOCAL_KEY=secret)
        assert done.returncode == 0, done.stderr
    assert "4 judgements by grader-2026-01-01" in done.stderr
    told = [json.loads(line) for line in evalsuite("runs", "judgements", run).stdout.splitlines()]
    assert sorted(row["sample"] for row in told) == [f"v1_{i}" for i in range(4)]
    assert {(row["judge"], row["error"], row["price_in"]) for row in told} == {("grader", "", 30.0)}
    again = evalsuite("score", run)
    shown = evalsuite("leaderboard", run)
    for ended in (done, again, shown):
        assert "judge grader-2026-01-01" in ended.stdout
        assert "87.5" in ended.stdout
    stored = b"".join(path.read_bytes() for path in run.rglob("*") if path.is_file())
    assert secret.encode() not in stored
    assert secret not in done.stdout + done.stderr + refused.stderr


@pytest.mark.slow
def test_run_judge_score_leaderboard_of_gedit_as_typed(tmp_path: Path) -> None:
    rows = [gedit_row(f"k{i}", kind) for i, kind in enumerate(("color_alter", "color_alter", "ps_human"))]
    rows.append(gedit_row("k9", "ps_human", "mumble", common=False))
    rows.append(gedit_row("k0", "color_alter", "弄红", language="cn"))
    data, run = gedit(tmp_path / "data", rows), tmp_path / "run"
    with serving(tmp_path, "tests.judging.replies:viescore") as local:
        first = evalsuite(
            "run", "--model", "copy-source", "--task", "gedit-bench-en", "--data", data, "--out", run
        )
        assert first.returncode == 0, first.stderr
        done = evalsuite("judge", run, "--judge", "gpt-4.1", "--base-url", local.url)
        requests = local.requests()
    assert done.returncode == 1  # the judge spoke, and one of its replies can be read by nobody
    assert "1 answers have no score; 1 of them: the judge's scores cannot be read" in done.stderr
    assert len(requests) == 3 * 2 + 4
    again = evalsuite("score", run)
    assert again.stdout == done.stdout
    assert "7.348‡" in again.stdout.replace(" ", "")  # the root of 6 × 9
    with RunReader(run) as stored:
        (found,) = stored.metrics()
        assert (found.n, found.failures) == (3, 1)
        failures = stored.scores("gedit-bench-en", judge=found.judge)["failure"]
    assert failures.str.contains("scores cannot be read").sum() == 1


@pytest.mark.slow
def test_compared_are_the_same_judges_numbers_or_none(tmp_path: Path) -> None:
    for name in ("base", "candidate"):
        answered(tmp_path / name / "data", tmp_path / name / "run", count=3)
    base, candidate = tmp_path / "base" / "run", tmp_path / "candidate" / "run"
    with serving(tmp_path, GRADE) as local:
        judged(base, local, "one")
        judged(candidate, local, "two")
        with pytest.raises(SpecError, match="judge one-2026-01-01 against two-2026-01-01"):
            compare(base, candidate, resamples=50)
        judged(candidate, local, "one")
    (row,) = compare(base, candidate, resamples=50).rows
    assert row.difference.value == 0
    with RunReader(candidate) as run:
        assert len(run.scores("mm-vet")) == 3  # of the judge that was asked first
