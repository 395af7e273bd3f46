"""`evalsuite import` and `evalsuite export` as real processes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from evalsuite.spec import TaskSpec
from tests.exchange.test_exchange import IDS, answers, vqa


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
