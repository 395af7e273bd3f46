"""`evalsuite import` and `evalsuite export` as real processes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from typer.testing import CliRunner

from evalsuite.cli.app import app
from evalsuite.spec import TaskSpec
from tests.exchange.test_exchange import IDS, answers, unpacked, vqa
from tests.goldens import golden_dir


def evalsuite(*arguments: object) -> subprocess.CompletedProcess[str]:
    call = "import sys; from evalsuite.cli import main; main(sys.argv[1:])"
    return subprocess.run([sys.executable, "-c", call, *map(str, arguments)], capture_output=True, text=True)


def test_a_result_file_becomes_a_run_a_number_and_a_result_file_again(tmp_path: Path) -> None:
    data = vqa(tmp_path / "data").data
    given = answers(tmp_path, [{"question_id": number, "answer": "net"} for number in IDS])
    run, out = tmp_path / "run", tmp_path / "out.json"
    common = ("--task", "vqav2", "--data", data, "--format", "vqa", "--model", "somebody")
    done = evalsuite("import", run, "--predictions", given, *common)
    assert done.returncode == 0, done.stderr
    assert "somebody" in done.stdout
    assert "33.3" in done.stdout
    done = evalsuite("export", run, "--format", "evalai", "--out", out)
    assert done.returncode == 0, done.stderr
    assert json.loads(out.read_text()) == json.loads(given.read_text())
    again = evalsuite("leaderboard", run)
    assert "33.3" in again.stdout


def test_popes_and_mmvets_answers_show_the_published_numbers_on_the_leaderboard(tmp_path: Path) -> None:
    pope, mmvet = golden_dir("pope", "answers_llava-v1.5-7b_partial.jsonl.gz"), golden_dir("mmvet")
    data = tmp_path / "data"
    unpacked(pope / "official_coco_pope_adversarial.json.gz", data / "coco_pope_adversarial.json")
    unpacked(mmvet / "mm-vet.json.gz", data / "mm-vet.json")
    said = unpacked(pope / "answers_llava-v1.5-7b_partial.jsonl.gz", tmp_path / "pope.jsonl")
    written = unpacked(mmvet / "answers_llava-v1.5-7b.json.gz", tmp_path / "mmvet.json")
    grades = unpacked(mmvet / "llava-v1.5-7b_gpt-4-grade-3runs.json.gz", tmp_path / "grades.json")
    run = CliRunner().invoke
    common = ["--data", str(data), "--model", "llava-1.5-7b"]
    done = run(
        app,
        ["import", str(tmp_path / "a"), "--task", "pope-adversarial", "--predictions", str(said), *common,
         "--ignore-unknown"],
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    done = run(
        app,
        ["import", str(tmp_path / "b"), "--task", "mm-vet", "--predictions", str(written), *common,
         "--task-option", f"grades={grades}", "--task-option", "judge=gpt-4"],
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    table = run(app, ["leaderboard", str(tmp_path / "a"), str(tmp_path / "b"), "--format", "md"])
    assert table.exit_code == 0, table.output
    assert "84.2" in table.output  # POPE adversarial F1, LLaVA-1.5's table 4
    assert "31.1" in table.output  # MM-Vet, LLaVA-1.5's table 4


def test_errors_are_one_line_and_a_remedy(tmp_path: Path) -> None:
    task: TaskSpec = vqa(tmp_path / "data")
    given = answers(tmp_path, [{"question_id": IDS[0], "answer": "net"}])
    done = evalsuite(
        "import", tmp_path / "run", "--task", "vqav2", "--data", task.data, "--format", "vqa",
        "--model", "m", "--predictions", given,
    )  # fmt: skip
    assert done.returncode == 2
    assert "no answer to question '458752001' of vqav2 (2 such)" in done.stderr
    assert "Complete the file, or say that it is partial." in done.stderr
    assert "Traceback" not in done.stderr
