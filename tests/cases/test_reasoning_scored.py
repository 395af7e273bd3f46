"""Reasoning is no part of an answer: predictions with it, imported, scored, kept, counted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image as pil
from typer.testing import CliRunner

from evalsuite.cli.app import app
from evalsuite.request import TextResponse
from evalsuite.running.scoring import score_run
from evalsuite.store import RunReader
from evalsuite.store.results import KEPT


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "pope"
    (folder / "val2014").mkdir(parents=True)
    rows = []
    for i in range(12):
        name = f"COCO_val2014_{i:012}.jpg"
        pil.new("RGB", (8, 8)).save(folder / "val2014" / name)
        rows.append({
            "question_id": i, "image": name, "text": f"Is there a dog {i}?",
            "label": "no" if i % 2 else "yes",
        })  # fmt: skip
    (folder / "coco_pope_popular.json").write_text("\n".join(map(json.dumps, rows)))
    return folder


def imported(data: Path, out: Path, texts: list[str], *more: str) -> Any:
    rows = [
        {"question_id": i, "prompt": f"Is there a dog {i}?", "text": text, "answer_id": str(i)}
        for i, text in enumerate(texts)
    ]
    file = data.parent / "answers.jsonl"
    file.write_text("\n".join(map(json.dumps, rows)))
    arguments = ["import", str(out), "--task", "pope-popular", "--data", str(data), "--format", "llava"]
    return CliRunner().invoke(app, [*arguments, "--predictions", str(file), *more])


def thought(i: int) -> str:
    return f"<think>\nIt is hard to see. No dog at first sight.\n</think>\n\n{'No' if i % 2 else 'Yes'}"


def headline(run: Path) -> float:
    with RunReader(run) as reader:
        return reader.metrics()[0].headline().value


def test_answers_behind_a_thought_are_right_and_their_text_is_kept(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    found = imported(data, out, [thought(i) for i in range(12)])
    assert found.exit_code == 0, found.output
    assert headline(out) == 1.0
    with RunReader(out) as reader:
        first = next(iter(reader.records("pope-popular"))).response
        assert isinstance(first, TextResponse)
        assert first.text == thought(0)
        (result,) = reader.metrics()
        assert result.answers is not None
        assert (result.answers.reasoned, result.form) == (12, "")
    assert "12 with reasoning (not scored)" in found.output


@pytest.mark.slow
def test_who_wants_the_raw_text_scored_has_it_under_another_name(data: Path, tmp_path: Path) -> None:
    texts = [thought(i) for i in range(12)]
    imported(data, tmp_path / "kept", texts, "--reasoning", "keep")
    assert headline(tmp_path / "kept") != 1.0
    imported(data, tmp_path / "run", texts)
    runner = CliRunner()
    assert runner.invoke(app, ["score", str(tmp_path / "run"), "--reasoning", "keep"]).exit_code == 0
    assert headline(tmp_path / "run") != 1.0
    with RunReader(tmp_path / "run") as reader:
        assert reader.metrics()[0].form == KEPT
    assert runner.invoke(app, ["score", str(tmp_path / "run")]).exit_code == 0, "stays as it was asked for"
    assert headline(tmp_path / "run") != 1.0
    runner.invoke(app, ["score", str(tmp_path / "run"), "--reasoning", "strip"])
    assert headline(tmp_path / "run") == 1.0
    board = runner.invoke(app, ["leaderboard", str(tmp_path / "run"), str(tmp_path / "kept")]).output
    assert f"form {KEPT}" in " ".join(board.split()), "never in one column"
    compared = runner.invoke(app, ["compare", str(tmp_path / "run"), str(tmp_path / "kept")])
    assert compared.exit_code != 0
    assert "form usual against reasoning kept" in str(compared.exception)
    wrong = runner.invoke(app, ["score", str(tmp_path / "run"), "--reasoning", "maybe"])
    assert "neither strip nor keep" in str(wrong.exception)


def test_a_thought_without_an_answer_is_not_scored(data: Path, tmp_path: Path) -> None:
    texts = [thought(i) for i in range(12)]
    texts[3] = "<think>There is no"
    imported(data, tmp_path / "run", texts)
    with RunReader(tmp_path / "run") as reader:
        (result,) = reader.metrics()
        assert (result.total, result.answered, result.unscored, result.n) == (12, 12, 1, 11)
        assert result.answers is not None
        assert result.answers.unanswered == 1
        table = reader.scores("pope-popular")
        assert table["failure"].astype(bool).sum() == 1
        assert result.headline().value == 1.0


def test_runs_without_reasoning_are_what_they_were(data: Path, tmp_path: Path) -> None:
    imported(data, tmp_path / "run", ["No" if i % 2 else "Yes" for i in range(12)])
    with RunReader(tmp_path / "run") as reader:
        (result,) = reader.metrics()
        assert result.headline().value == 1.0
        assert (result.form, result.answers.summary() if result.answers else "") == ("", "")
    before = (tmp_path / "run" / "metrics.json").read_bytes()
    score_run(tmp_path / "run")
    assert (tmp_path / "run" / "metrics.json").read_bytes() == before


SAID = "tests.cases.test_reasoning_scored:"


def closing_only(body: dict[str, Any]) -> Any:
    """Its template opens the thought; every third answer is cut off inside it."""
    number = int(body["messages"][-1]["content"][-1]["text"].split()[-1].strip("?"))
    if number % 3 == 0:
        return {"text": "There is no dog, so", "finish_reason": "length"}
    return {"text": f"Hard to see. </think> {'No' if number % 2 else 'Yes'}"}


@pytest.mark.slow
def test_a_server_whose_template_opens_the_thought_has_no_half_thought_scored(
    data: Path, tmp_path: Path
) -> None:
    from tests.endpoint.server import serving

    runner = CliRunner()
    with serving(tmp_path, SAID + "closing_only") as local:
        found = runner.invoke(app, [
            "run", "--model", "openai:judge", "--option", f"base_url={local.url}", "--task", "pope-popular",
            "--data", str(data), "--out", str(tmp_path / "run"),
        ])  # fmt: skip
    assert found.exit_code == 1, "four samples have no answer"
    with RunReader(tmp_path / "run") as reader:
        (result,) = reader.metrics()
        assert result.answers is not None
        assert (result.answers.truncated, result.answers.unanswered, result.n) == (4, 4, 8)
        assert result.headline().value == 1.0
    shown = runner.invoke(app, ["runs", "show", str(tmp_path / "run")]).output
    assert "4 truncated" in shown
    assert "4 without an answer behind their reasoning" in shown


def test_a_judge_that_thinks_is_read_behind_its_thought() -> None:
    from evalsuite.judging.stored import spoken
    from evalsuite.store import StoredJudgement

    def said(text: str, finish: str = "stop") -> StoredJudgement:
        return StoredJudgement("t", "q", 0, 0, "s", text, model="m", finish_reason=finish)

    assert spoken(said("<think>0.0 at first</think>1.0")).text == "1.0"
    assert spoken(said("0.5")).text == "0.5"
    cut = spoken(said("<think>0.0", "length"))
    assert (cut.text, bool(cut.failure)) == ("", True)
