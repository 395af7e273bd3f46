"""Likelihood questions: a model in this process, a server's first tokens, killed and resumed."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as pil

from evalsuite.endpoint import Chat, Reply
from evalsuite.endpoint.types import TokenLogprob
from evalsuite.errors import SampleError, SpecError
from evalsuite.gallery import draw
from evalsuite.judging.asking import JudgeOptions, JudgeOutcome, judge_run
from evalsuite.judging.likelihood import served_question, served_reply
from evalsuite.judging.model import ModelJudge
from evalsuite.registry import load_registry
from evalsuite.running import run
from evalsuite.spec import ModelSpec, RunSpec, TaskSpec
from evalsuite.store import RunReader, StoredJudgement

PLUGIN = Path(__file__).parent / "choosing_models.py"
KEY = "mini-qa-alignment"


def generated(out: Path, count: int = 4) -> None:
    spec = RunSpec(
        model=ModelSpec(name="squares"),
        tasks=(TaskSpec(name=KEY, options={"subset": str(count)}),),
        plugins=(PLUGIN,),
    )
    run(spec, out, registry=load_registry(spec.plugins))


def judge(out: Path, name: str = "chooser", rules: str = "soft", **options: str) -> JudgeOutcome:
    spec = ModelSpec(name=name, options=options)
    return judge_run(out, ModelJudge(spec, 2), JudgeOptions(), rules=rules, registry=load_registry([PLUGIN]))


def judgements(out: Path) -> list[StoredJudgement]:
    with RunReader(out) as reader:
        return [row for one in reader.judges(KEY) for row in reader.judgements(one, KEY)]


def test_a_local_model_gives_probabilities_and_is_asked_once(tmp_path: Path) -> None:
    out, log = tmp_path / "run", tmp_path / "log"
    generated(out)
    outcome = judge(out, log=str(log))
    asked = [row.question for row in judgements(out)]
    assert len(asked) == outcome.tallies[KEY].asked
    # The first batch is compared with single questions: those are asked again, and stored once.
    assert 0 <= len(log.read_text().splitlines()) - len(asked) <= 2
    (result,) = (one for one in outcome.scored.results if one.rules == "soft")
    questions = next(e.value for e in result.estimates if e.metric.name == "questions" and not e.group)
    texts = [row.text or "" for row in judgements(out)]
    shares = [0.75 if '"yes": -0.287' in text else 0.25 for text in texts]
    assert questions == pytest.approx(sum(shares) / len(shares))
    log.unlink()
    assert judge(out, log=str(log)).tallies[KEY].asked == 0
    assert not log.exists()


def test_words_and_likelihoods_are_apart(tmp_path: Path) -> None:
    out = tmp_path / "run"
    generated(out, 2)
    judge(out, rules="in-order")
    words = {row.text for row in judgements(out)}
    assert words <= {"yes", "no"}
    judge(out)
    assert sum((row.text or "").startswith("{") for row in judgements(out)) * 2 == len(judgements(out))
    with RunReader(out) as reader:
        assert {result.rules for result in reader.metrics()} == {"in-order", "soft"}


def test_a_judge_that_scores_no_choices_fails_every_question_by_name(tmp_path: Path) -> None:
    out = tmp_path / "run"
    generated(out, 1)
    outcome = judge(out, "teller")
    assert outcome.failed > 0
    assert all("the judge scores no choices" in row.error for row in judgements(out))


def test_a_server_gives_its_likeliest_first_tokens() -> None:
    chat = served_question(Chat((), max_tokens=7, choices=("Yes", "No")))
    assert (chat.max_tokens, chat.logprobs, chat.choices) == (1, 20, ())
    first = TokenLogprob("Yes", -0.1, (("Yes", -0.1), ("yes", -3.0)))
    reply = served_reply(Reply("Yes", finish_reason="length", logprobs=(first,)), ("Yes", "No"))
    assert (reply.text, reply.finish_reason) == ('{"Yes": -0.1}', "stop")
    with pytest.raises(SampleError, match="gives no log-probabilities"):
        served_reply(Reply("Yes"), ("Yes",))
    assert not math.isnan(first.logprob)


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="needs SIGKILL")
def test_a_local_judge_that_is_killed_asks_only_what_is_missing(tmp_path: Path) -> None:
    out, log = tmp_path / "run", tmp_path / "log"
    generated(out, 12)
    command = [
        sys.executable, "-m", "evalsuite", "judge", str(out), "--judge-model", "chooser", "--plugin",
        str(PLUGIN), "--rules", "soft", "--batch-size", "2", "--option", f"log={log}",
        "--option", "slow=0.2",
    ]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 120
        while not (log.exists() and len(log.read_text().splitlines()) >= 6):
            assert time.monotonic() < deadline, "the judge did not begin"
            time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
        process.wait()
    kept = len(judgements(out))
    asked = len(log.read_text().splitlines())
    outcome = judge(out, log=str(log))
    total = outcome.tallies[KEY].known
    assert 0 < kept < total == len(judgements(out))
    assert outcome.tallies[KEY].asked == total - kept
    # Beside what is missing, the first batch again, question by question.
    assert 0 <= len(log.read_text().splitlines()) - asked - (total - kept) <= 2


def test_a_contact_sheet_shows_what_was_asked(tmp_path: Path) -> None:
    out = tmp_path / "run"
    generated(out, 2)
    registry = load_registry([PLUGIN])
    with pytest.raises(SpecError, match="no judge was asked"):
        draw([out], tmp_path / "a.png", judged=True, registry=registry)
    judge(out, rules="in-order")
    assert draw([out], tmp_path / "a.png", judged=True, by="tag", registry=registry) == 2
    plain = draw([out], tmp_path / "b.png", by="tag", registry=registry)
    assert plain == 2
    with pil.open(tmp_path / "a.png") as sheet:
        pixels = np.asarray(sheet.convert("RGB"))
    assert pixels.shape[1] > 500
    ink = (pixels == (27, 31, 36)).all(axis=2).sum()
    assert ink > 60
    with pytest.raises(SpecError, match="has a label 'colour'"):
        draw([out], tmp_path / "c.png", by="colour", registry=registry)
