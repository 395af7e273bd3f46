"""docs/configuration.md is true: its file measures what it says, and names every key there is."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

import evalsuite
from evalsuite.running.runfile import RunFile
from evalsuite.spec import ExecutionOptions, ModelSpec, TaskSpec
from tests.cli.program import here

DOCUMENT = Path(__file__).parents[2] / "docs" / "configuration.md"


@pytest.fixture
def content() -> str:
    found = re.search(
        r"^```yaml evaluation\.yaml\n(.*?)^```$", DOCUMENT.read_text(encoding="utf-8"), re.S | re.M
    )
    assert found is not None
    return found[1]


def test_the_file_names_every_key(content: str) -> None:
    value: dict[str, Any] = yaml.safe_load(content)
    assert set(value) == {*RunFile.model_fields, "format"}
    assert set(value["execution"]) == set(ExecutionOptions.model_fields)
    assert set(value["models"][1]) == set(ModelSpec.model_fields)
    assert set(value["tasks"][1]) == set(TaskSpec.model_fields)


def test_the_file_measures_two_models_from_the_command_line_and_from_python(
    content: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("evaluation.yaml").write_text(content)
    Path("answers.jsonl").write_text('{"question": "what color is the circle?", "answer": "red"}\n')
    done = here(capsys, "run", "--config", "evaluation.yaml")
    assert done.returncode == 0, done.stderr
    assert "question-prior" in done.stdout
    assert "random" in done.stdout
    runs = evalsuite.run(config="evaluation.yaml")
    assert [run.path for run in runs] == [
        Path("runs/evaluation/question-prior"),
        Path("runs/evaluation/random"),
    ]
    assert runs[0].tasks == ("mini-vqav2", "mini-mmbench")
    assert {task: count.answered for task, count in runs[1].counts.items()} == {
        "mini-vqav2": 100, "mini-mmbench": 100,
    }  # fmt: skip
