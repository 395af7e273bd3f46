"""No answer is not counted as an answer: POPE asked of servers that reply without one."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from PIL import Image as pil
from typer.testing import CliRunner, Result

from evalsuite.cli.app import app
from evalsuite.store import RunReader
from tests.endpoint.server import Local, serving


@pytest.fixture(scope="module")
def pope(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve questions over six images, in the official layout."""
    folder = tmp_path_factory.mktemp("pope")
    (folder / "val2014").mkdir()
    rows = []
    for i in range(12):
        name = f"COCO_val2014_{i // 2:012}.jpg"
        pil.new("RGB", (20, 20), (i * 20, 0, 0)).save(folder / "val2014" / name)
        even = i % 2 == 0
        text = f"Is there a thing of {'even' if even else 'odd'} number?"
        rows.append({"question_id": i, "image": name, "text": text, "label": "yes" if even else "no"})
    (folder / "coco_pope_popular.json").write_text("\n".join(map(json.dumps, rows)))
    return folder


def measured(local: Local, data: Path, out: Path, *more: str) -> Result:
    return CliRunner().invoke(app, [
        "run", "--model", "openai:judge", "--option", f"base_url={local.url}", "--option", "backoff=0.01",
        "--task", "pope-popular", "--data", str(data), "--out", str(out), *more,
    ])  # fmt: skip


NONE = {
    "null_reasoning": "used up by reasoning",
    "null_reasoning_stop": "ended after its reasoning",
    "refusal": "refuses to answer",
    "tool": "calls a tool",
    "empty": "shows none",
    "context": "too long",
    "max_tokens": "--option limit_name=max_completion_tokens",
}


@pytest.mark.slow
@pytest.mark.parametrize("name", NONE)
def test_a_reply_without_an_answer_is_a_failed_sample_and_no_score(
    name: str, pope: Path, tmp_path: Path
) -> None:
    with serving(tmp_path, f"tests.cases.silent:{name}") as local:
        found = measured(local, pope, tmp_path / "run")
    assert found.exit_code == 1, found.output
    with RunReader(tmp_path / "run") as reader:
        failures = reader.failures()
        assert len(failures) == 12
        assert all(NONE[name] in record.error for record in failures)
        (result,) = reader.metrics()
        assert (result.n, result.failed, result.estimates) == (0, 12, ())
        if name == "refusal":
            assert result.answers is not None
            assert result.answers.refused == 12


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("parts", ()),
        ("max_tokens", ("--option", "limit_name=max_completion_tokens", "--option", "omit=temperature")),
    ],
)
def test_legal_replies_and_the_remedy_give_the_number(
    name: str, options: tuple[str, ...], pope: Path, tmp_path: Path
) -> None:
    with serving(tmp_path, f"tests.cases.silent:{name}") as local:
        found = measured(local, pope, tmp_path / "run", *options)
    assert found.exit_code == 0, found.output
    with RunReader(tmp_path / "run") as reader:
        assert reader.metrics()[0].headline().value == 1.0


@pytest.mark.slow
def test_empty_answers_are_legal_and_counted_wherever_the_number_stands(pope: Path, tmp_path: Path) -> None:
    with serving(tmp_path, "tests.cases.silent:nothing") as local:
        found = measured(local, pope, tmp_path / "run")
    assert found.exit_code == 0, found.output
    assert "12 empty" in found.output, "among the notes of the leaderboard"
    shown = CliRunner().invoke(app, ["runs", "show", str(tmp_path / "run")])
    assert "12 empty" in shown.output
    from evalsuite.report import write_report

    write_report([tmp_path / "run"], tmp_path / "site")
    pages = [path.read_text() for path in (tmp_path / "site" / "tasks").glob("*.html")]
    assert any("12 empty" in page for page in pages)


@pytest.mark.slow
def test_a_judge_that_says_nothing_gives_no_score_and_exit_1(tmp_path: Path) -> None:
    from tests.judging.data import mmvet

    data = mmvet(tmp_path / "mmvet", 4)
    predictions = tmp_path / "answers.json"
    ids = json.loads((data / "mm-vet.json").read_text())
    predictions.write_text(json.dumps(dict.fromkeys(ids, "red")))
    run = str(tmp_path / "run")
    runner = CliRunner()
    runner.invoke(app, [
        "import", run, "--task", "mm-vet", "--data", str(data), "--predictions", str(predictions),
    ])  # fmt: skip
    with serving(tmp_path, "tests.cases.silent:null_reasoning") as local:
        judge = ["judge", run, "--judge", "judge", "--base-url", local.url]
        assert runner.invoke(app, judge).exit_code == 1
        again = runner.invoke(app, judge)
        assert again.exit_code == 1, "what failed before and is not asked again is still missing"
        assert "judgements failed" in again.output
        allowed = runner.invoke(app, [*judge, "--max-failures", "1000"])
        assert allowed.exit_code == 0
    with RunReader(tmp_path / "run") as reader:
        (result,) = reader.metrics()
        assert (result.n, result.failures) == (0, 4)
        assert all(math.isnan(number.value) for number in result.numbers())
