"""Runs as other harnesses write them, read back by their own readers where there are some."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from evalsuite.errors import SpecError, StoreError
from evalsuite.exchange import export_report, import_predictions
from evalsuite.spec import TaskSpec
from evalsuite.store import RunReader
from tests.cli.program import here
from tests.comparison.runs import make_run
from tests.comparison.runs import registry as numbers_registry
from tests.report.support import measure, registry


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One with hostile answers, failures, choices and images."""
    return measure(tmp_path_factory.mktemp("reports") / "odd", "odd", "shapes", "edits", "picks")


def test_lm_evals_results_have_its_keys_and_our_numbers(odd: Path, tmp_path: Path) -> None:
    out = tmp_path / "results_1.json"
    assert export_report(odd, "lm-eval", out) == "results of 3 tasks"
    told = json.loads(out.read_text())
    assert {
        "results", "configs", "versions", "n-shot", "higher_is_better", "n-samples", "config", "git_hash",
        "date", "task_hashes", "model_name", "model_name_sanitized", "group_subtasks",
    } <= set(told)  # fmt: skip
    with RunReader(odd) as reader:
        for result in reader.metrics():
            row = told["results"][result.task]
            number = result.headline()
            assert row["accuracy,none"] == number.value
            error = (number.high - number.low) / (2 * 1.959964)
            assert row["accuracy_stderr,none"] == pytest.approx(error, rel=1e-5)
            assert told["n-samples"][result.task] == {"original": 24, "effective": result.n}
    assert told["higher_is_better"]["shapes"] == {"accuracy": True, "length": False}


@pytest.mark.slow
def test_lm_evals_own_table_shows_them(odd: Path, tmp_path: Path) -> None:
    utils = pytest.importorskip("lm_eval.utils", reason="lm_eval is not installed")
    out = tmp_path / "results.json"
    export_report(odd, "lm-eval", out)
    assert "accuracy" in utils.make_table(json.loads(out.read_text()))


def test_lmms_evals_log_is_read_back_by_our_import(tmp_path: Path) -> None:
    values = [0, 1, 1, 0.5] * 5
    run = make_run(tmp_path / "run", values)
    out = tmp_path / "samples.jsonl"
    assert export_report(run, "lmms-eval", out, registry=numbers_registry()) == "20 samples"
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    assert [line["doc_id"] for line in lines] == list(range(20))
    assert [line["mark"] for line in lines] == values
    assert lines[3]["resps"] == [["0.5"]]
    assert lines[3]["input"] == "say number 3"
    task = TaskSpec(name="numbers", options={"count": "20"})
    scored = import_predictions(tmp_path / "again", task, out, "lmms-eval", registry=numbers_registry())
    assert scored.errors == {}
    assert scored.results[0].headline().value == sum(values) / 20


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".eval", ".json"])
def test_inspects_own_reader_reads_its_log(odd: Path, tmp_path: Path, suffix: str) -> None:
    log = pytest.importorskip("inspect_ai.log", reason="the extra evalsuite[inspect] is not installed")
    for task in ("shapes", "edits", "picks"):
        out = tmp_path / f"{task}{suffix}"
        assert export_report(odd, "inspect", out, task=task, registry=registry()) == "24 samples"
        found = log.read_eval_log(str(out), resolve_attachments=True)
        assert (found.status, found.eval.task, len(found.samples)) == ("success", task, 24)
        with RunReader(odd) as reader:
            (result,) = [r for r in reader.metrics() if r.task == task]
        scores = {score.name: score for score in found.results.scores}
        assert scores["accuracy"].metrics["mean"].value == pytest.approx(result.headline().value)
        failed = [one for one in found.samples if one.error]
        assert len(failed) == result.failures
        assert any(one.scores and "accuracy" in one.scores for one in found.samples)
        if task == "edits":
            content = found.samples[0].messages[0].content
            assert any(part.type == "image" and part.image.startswith("data:image/png") for part in content)


def test_what_is_no_earlier_export_is_not_replaced(odd: Path, tmp_path: Path) -> None:
    for name, form in (("a.json", "lm-eval"), ("a.jsonl", "lmms-eval"), ("a.eval", "inspect")):
        (tmp_path / name).write_text("my thesis")
        with pytest.raises(StoreError, match="no earlier export"):
            export_report(odd, form, tmp_path / name, task="shapes")
        with pytest.raises(SpecError):
            export_report(odd, form, tmp_path / "a.txt", task="shapes")
    for _ in range(2):
        export_report(odd, "lm-eval", tmp_path / "b.json")


def test_the_command(odd: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done = here(capsys, "export", odd, "--format", "lm-eval", "-o", tmp_path / "r.json")
    assert (done.returncode, "results of 3 tasks" in done.stdout) == (0, True)
    done = here(capsys, "export", odd, "--format", "lmms-eval", "-o", tmp_path / "r.jsonl")
    assert (done.returncode, "Name one with --task" in done.stderr) == (2, True)
    done = here(capsys, "export", odd, "--format", "lmms-eval", "-t", "picks", "-o", tmp_path / "r.jsonl")
    assert done.returncode == 0
    line = json.loads((tmp_path / "r.jsonl").read_text().splitlines()[0])
    assert len(line["log_likelihoods"]) == 4
    done = here(capsys, "export", odd, "--format", "lm-evla", "-t", "picks", "-o", tmp_path / "x")
    assert (done.returncode, "lm-eval" in done.stderr) == (2, True)
