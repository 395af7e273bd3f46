"""CONTRIBUTING's code is true: its blocks, written to the files they name, are a benchmark and a model."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from PIL import Image

from tests.cli.program import evalsuite

DOCUMENT = Path(__file__).parent.parent.parent / "CONTRIBUTING.md"


@pytest.mark.slow
def test_the_benchmark_and_the_adapter_of_contributing_run_as_plugins(tmp_path: Path) -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    blocks = dict(re.findall(r"^```\w+ (\S+)\n(.*?)^```$", text, re.S | re.M))
    assert set(blocks) == {"my-shapes.yaml", "my_tasks.py", "my_model.py"}
    for name, content in blocks.items():
        (tmp_path / name).write_text(content)
    data = tmp_path / "data"
    data.mkdir()
    colours = {0: "red", 1: "blue", 2: "green"}
    for image_id, colour in colours.items():
        Image.new("RGB", (8, 8), colour).save(data / f"{image_id}.png")
    triples = [["What color is it?", colour, image_id] for image_id, colour in colours.items()]
    (data / "questions.json").write_text(json.dumps(triples))
    command = re.search(r"^evalsuite (run .*my_tasks.*)$", text, re.M)
    assert command is not None
    done = evalsuite(*command.group(1).split(), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    result = json.loads((tmp_path / "run" / "metrics.json").read_text())["results"][0]
    assert result["info"]["name"] == "my-shapes"
    assert [(e["metric"]["name"], e["value"], e["n"]) for e in result["estimates"] if not e["group"]] == [
        ("accuracy", 1.0, 3)
    ]
