"""docs/tables.md is true: its benchmark, written to the files that it names, is shown and measured."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from evalsuite.task.mcq import McqSettings
from evalsuite.task.schema import ProtocolSpec
from tests.cli.program import evalsuite
from tests.tasks.tables import cell, parquet

DOCUMENT = Path(__file__).parents[2] / "docs" / "tables.md"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The page's files, and a table as it describes."""
    blocks = re.findall(r"^```\w+ (\S+)\n(.*?)^```$", DOCUMENT.read_text(encoding="utf-8"), re.S | re.M)
    assert [name for name, _ in blocks] == ["birds.yaml", "birds_plugin.py"]
    for name, content in blocks:
        (tmp_path / name).write_text(content)
    rows: list[dict[str, Any]] = [
        {"question": f"Which is bird {k}?", "choices": ["wren", "owl", "tit"], "answer": k % 3,
         "image_1": cell(k % 4), "image_2": cell(0) if k % 2 else None, "topic": ["song", "flight"][k > 2]}
        for k in range(4)
    ]  # fmt: skip
    parquet(tmp_path / "birds" / "data" / "test.parquet", rows)
    return tmp_path


def commands() -> list[list[str]]:
    text = DOCUMENT.read_text(encoding="utf-8")
    return [line.split()[1:] for line in re.findall(r"^evalsuite .*birds_plugin.*$", text, re.M)]


def test_the_benchmark_of_the_page_is_shown_and_measured(folder: Path) -> None:
    show, run = commands()
    shown = evalsuite(*show, cwd=folder)
    assert shown.returncode == 0, shown.stderr
    prompt = ["first sample:", "  <image>Which is bird 0?", "  A. wren", "  B. owl", "  C. tit"]
    assert "".join(f"    {line}\n" for line in prompt) in shown.stdout
    done = evalsuite(*run, cwd=folder)
    assert done.returncode == 0, done.stderr
    (result,) = json.loads((folder / "run" / "metrics.json").read_text())["results"]
    found = {e["metric"]["name"]: (e["value"], e["n"]) for e in result["estimates"] if not e["group"]}
    assert found == {"accuracy": (1.0, 4), "by topic": (1.0, 4)}


def test_a_table_of_another_form_is_an_error_with_the_remedy(folder: Path) -> None:
    path = folder / "birds.yaml"
    path.write_text(path.read_text().replace("answer: index,", "answer: letter,"))
    _, run = commands()
    done = evalsuite(*run, cwd=folder)
    assert done.returncode == 2
    assert "row 0 (id 0): the answer 0 is none of the options A, B, C (letter)." in done.stderr
    assert "Would `answer: index` read it?" in done.stderr


def test_every_layout_of_the_table_is_accepted() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    shown = re.findall(r"`(settings: \{[^`]*\})`", text)
    assert len(shown) >= 10
    for line in shown:
        settings = yaml.safe_load(line.replace(r"\|", "|"))["settings"]
        McqSettings.model_validate(settings)
    protocol = re.search(r"`(preprocess: \{.*?\}\]\})`", text)
    assert protocol is not None
    ProtocolSpec.model_validate({"template": "{question}", **yaml.safe_load(protocol[1])})


def test_the_reader_of_the_page_reads(tmp_path: Path) -> None:
    from tests.tasks.tables import located

    (code,) = re.findall(r"^```python\n(.*?)^```$", DOCUMENT.read_text(encoding="utf-8"), re.S | re.M)
    names: dict[str, Any] = {"__name__": "page"}
    exec(compile(code, str(DOCUMENT), "exec"), names)
    parquet(tmp_path / "t.parquet", [{"photo": cell(1), "said": "a wren"}])
    source = located(tmp_path, "captions-as-questions", {"image": "photo", "text": "said"})
    (question,) = names["read_mine"](source)
    assert question.answers == ("a wren",)
    assert names["read_mine"].title == "Captions, each asked for as an answer."
