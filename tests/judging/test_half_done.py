"""Judging that was stopped half way, and numbers that may not be counted: said exactly, and never a
number."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from evalsuite.endpoint import Server
from evalsuite.errors import UnavailableError
from evalsuite.judging.asking import JudgeOptions, judge_run
from evalsuite.judging.state import judging_states, state_summary
from evalsuite.leaderboards import load, table
from evalsuite.store import Judge, RunReader, RunWriter, StoredJudgement
from tests.cli.program import evalsuite
from tests.endpoint.server import serving
from tests.judging.data import answered, mmvet

GRADE = "tests.judging.replies:grade"


def ask(run: Path, url: str, **options: Any) -> Any:
    server = Server(url, "judge", backoff=0.01, timeout=10, retries=1, in_flight=1)
    return judge_run(run, server, JudgeOptions(**options))


@pytest.mark.slow
def test_a_judge_that_went_away_is_half_done_not_absent(tmp_path: Path) -> None:
    answered(tmp_path / "data", tmp_path / "run", count=6)
    refused = {"status": 400, "error": {"message": "not this one", "code": "content_filter"}}
    with serving(tmp_path, GRADE) as local:
        local.script({}, refused, {}, {"status": 401})
        with pytest.raises(UnavailableError):
            ask(tmp_path / "run", local.url)
        with RunReader(tmp_path / "run") as run:
            (result,) = run.metrics()  # scored with what was had
            (state,) = judging_states(run)
        assert (result.answered, result.unscored, result.unjudged, result.n) == (6, 1, 3, 2)
        assert result.unfinished == 3
        assert not result.missing
        said = state_summary(state)
        assert said.startswith(
            "half done: 3 judgements (1 failed) of 3 answers are stored, 3 of 6 answers are not"
        )
        shown = evalsuite("runs", "show", tmp_path / "run")
        assert "no judge has" not in shown.stdout
        assert "half done: 3 judgements (1 failed)" in " ".join(shown.stdout.split())
        (row,) = table(load([tmp_path / "run"])).rows
        cell = row.cells[0]
        assert cell is not None
        assert "§" in cell.marks
        finished = ask(tmp_path / "run", local.url)
        assert finished.tallies["mm-vet"].asked == 3
    (result,) = finished.scored.results
    assert (result.unjudged, result.n) == (0, 5)
    with RunReader(tmp_path / "run") as run:
        assert [state_summary(state) for state in judging_states(run)] == [""]


@pytest.mark.slow
def test_judgements_of_a_killed_judge_are_told_of_before_anything_is_scored(tmp_path: Path) -> None:
    answered(tmp_path / "data", tmp_path / "run", count=5)
    with RunWriter.for_scoring(tmp_path / "run") as writer:
        for i, error in enumerate(("", "timed out")):
            text = None if error else "1.0"
            row = StoredJudgement("mm-vet", f"{i}" * 64, 0, 0, f"v1_{i}", text, error, model="m")
            writer.save_judgement(Judge("judge"), row)
    shown = " ".join(evalsuite("runs", "show", tmp_path / "run").stdout.split())
    assert "no judge has" not in shown
    assert "2 judgements (1 failed) of 2 answers are stored, 3 of 5 answers have none" in shown
    assert "left out mm-vet score: judge: half done" in shown


def numbers_off_the_scale(body: dict[str, Any]) -> str:
    return "8/10"


@pytest.mark.slow
def test_a_judge_on_another_scale_gives_no_score_and_exit_status_1(tmp_path: Path) -> None:
    answered(tmp_path / "data", tmp_path / "run", count=2)
    with serving(tmp_path, "tests.judging.test_half_done:numbers_off_the_scale") as local:
        typed = ("judge", tmp_path / "run", "--judge", "judge", "--base-url", local.url)
        done = evalsuite(*typed)
        assert done.returncode == 1
        assert "2 answers have no score; 2 of them: the judge's grade cannot be read" in done.stderr
        official = evalsuite(*typed, "--rules", "official-unchecked")
        assert official.returncode == 0, official.stderr
    with RunReader(tmp_path / "run") as run:
        found = {result.rules: (result.n, result.failures) for result in run.metrics()}
    assert found == {"official": (0, 2), "official-unchecked": (2, 0)}


@pytest.mark.slow
def test_what_a_served_model_and_its_judge_took_is_summed(tmp_path: Path) -> None:
    data, run = mmvet(tmp_path / "data", 3), tmp_path / "run"
    with serving(tmp_path, "tests.judging.test_half_done:numbers_off_the_scale") as local:
        options = {"base_url": local.url, "price_in": "2", "price_out": "10", "probe": "no"}
        given = [part for name, value in options.items() for part in ("--option", f"{name}={value}")]
        local.script({"status": 503})
        done = evalsuite(
            "run", "--model", "openai:mine", *given, "--option", "backoff=0.01", "--task", "mm-vet",
            "--data", data, "--out", run,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    with RunReader(run) as reader:
        (result,) = reader.metrics()
        replies: list[Any] = [record.response for record in reader.records("mm-vet")]
        prompts = sum(reply.details["prompt_tokens"] for reply in replies)
        generated = sum(reply.tokens for reply in replies)
    cost = result.cost
    assert (cost.prompt_tokens, cost.completion_tokens, cost.retries) == (prompts, generated, 1)
    assert cost.served == ("mine-2026-01-01",)
    assert cost.charged == pytest.approx((prompts * 2 + generated * 10) / 1e6)
    shown = " ".join(evalsuite("runs", "show", run).stdout.split())
    assert (
        f"used mm-vet: answered by mine-2026-01-01, {prompts} + {generated} tokens, 1 retries, cost" in shown
    )
    assert json.loads((run / "metrics.json").read_text())["results"][0]["cost"]["served"] == [
        "mine-2026-01-01"
    ]
