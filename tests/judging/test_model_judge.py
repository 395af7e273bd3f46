"""A model of the registry as a judge, in this process: batched, resumed, apart from other judges."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import evalsuite
from evalsuite.errors import SpecError, StoreError, UnavailableError
from evalsuite.judging.asking import JudgeOptions, JudgeOutcome, judge_run
from evalsuite.judging.model import ModelJudge
from evalsuite.registry import load_registry
from evalsuite.spec import ModelSpec
from evalsuite.store import RunReader
from tests.cli.program import here
from tests.judging.data import PLUGIN as ANSWERING
from tests.judging.data import answered

PLUGIN = Path(__file__).parent / "judging_models.py"


def judge(out: Path, runs: int = 1, batch_size: int = 4, **options: str) -> JudgeOutcome:
    spec = ModelSpec(name="grader", options=options)
    registry = load_registry([ANSWERING, PLUGIN])
    return judge_run(out, ModelJudge(spec, batch_size), JudgeOptions(runs=runs), registry=registry)


def score(outcome: JudgeOutcome) -> float:
    (result,) = outcome.scored.results
    return next(e.value for e in result.estimates if e.metric.headline and not e.group)


def judgements(out: Path) -> list[Any]:
    with RunReader(out) as reader:
        return [row for one in reader.judges("mm-vet") for row in reader.judgements(one, "mm-vet")]


def test_answers_are_graded_in_batches_and_the_judge_is_named_with_its_weights(tmp_path: Path) -> None:
    out, log = tmp_path / "run", tmp_path / "log"
    answered(tmp_path / "data", out, count=10)
    outcome = judge(out, log=str(log))
    assert score(outcome) == pytest.approx((9 + 0.5) / 10)
    assert max(map(int, log.read_text().split())) == 4
    (result,) = outcome.scored.results
    assert result.judging is not None
    assert (result.judging.judge, result.judging.served) == ("grader", "grader@12345678")
    assert result.judging.completion_tokens == 30
    log.unlink()
    assert judge(out, log=str(log)).tallies["mm-vet"].asked == 0
    assert not log.exists()  # nothing is missing: it is not even loaded


def test_a_reply_that_is_no_grade_is_asked_again_beside_the_other_questions(tmp_path: Path) -> None:
    out = tmp_path / "run"
    answered(tmp_path / "data", out)
    outcome = judge(out, mumble="x = -2")
    assert score(outcome) == pytest.approx(5.5 / 6)
    assert sum(row.text == "hm" for row in judgements(out)) >= 1


def test_a_question_that_the_judge_cannot_read_fails_alone(tmp_path: Path) -> None:
    out = tmp_path / "run"
    answered(tmp_path / "data", out)
    outcome = judge(out, stumble="x = -3")
    assert outcome.failed == 1
    assert score(outcome) == pytest.approx(4.5 / 5)
    assert [row.error for row in judgements(out) if row.error] == ["It cannot read this."]


def test_a_judge_that_goes_away_loses_nothing_and_resumes(tmp_path: Path) -> None:
    out = tmp_path / "run"
    answered(tmp_path / "data", out, count=10)
    with pytest.raises(UnavailableError, match="device is gone"):
        judge(out, batch_size=2, leaves="6")
    kept = len(judgements(out))
    assert 0 < kept < 10
    outcome = judge(out)
    assert outcome.tallies["mm-vet"].asked == 10 - kept
    assert score(outcome) == pytest.approx(9.5 / 10)


def test_passes_are_apart_and_other_weights_are_another_judge(tmp_path: Path) -> None:
    out = tmp_path / "run"
    answered(tmp_path / "data", out)
    outcome = judge(out, runs=2)
    assert {row.run for row in judgements(out)} == {0, 1}
    assert outcome.tallies["mm-vet"].asked == 12
    with pytest.raises(StoreError, match="two judges must not make one number"):
        judge(out, runs=3, weights="87654321")


def test_what_cannot_judge_is_refused_before_anything_is_loaded(tmp_path: Path) -> None:
    out = tmp_path / "run"
    answered(tmp_path / "data", out)
    known = load_registry([ANSWERING, PLUGIN])
    for settings, message in (
        ({"judge_model": "painter"}, "cannot judge"),
        ({"judge_model": "oracle"}, "cannot judge"),
        ({"judge_model": "gradr"}, "Did you mean grader"),
        ({"judge_model": "grader", "options": {"lg": "x"}}, "no option 'lg'. Did you mean log"),
        ({"judge_model": "grader", "batch_size": 0}, "batch_size"),
        ({"judge_model": "grader", "model": "gpt"}, "one of the two"),
        ({}, "one of the two"),
        ({"model": "gpt", "options": {"a": "b"}}, "belongs to --judge-model"),
    ):
        with pytest.raises(SpecError, match=message):
            evalsuite.judge(out, registry=known, **settings)
    assert judgements(out) == []


@pytest.mark.slow
def test_command_line_and_python_judge_alike(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "run"
    answered(tmp_path / "data", out)
    done = here(capsys, "judge", out, "--judge-model", "grader", "--plugin", PLUGIN, "--batch-size", "3")
    assert done.returncode == 0, done.stderr
    assert "grader@12345678" in done.stdout + done.stderr
    outcome = evalsuite.judge(out, judge_model="grader", registry=load_registry([ANSWERING, PLUGIN]))
    assert outcome.tallies["mm-vet"].asked == 0
    frame = evalsuite.judgements(out)
    assert list(frame["judge"].unique()) == ["grader"]
    assert len(frame) == 6
