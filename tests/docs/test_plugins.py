"""docs/plugins.md is true: its two benchmarks, written to the files that it names, are measured."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

from evalsuite.task import MetricSpec
from evalsuite.task.rules import RuleSet, built_in
from tests.cli.program import evalsuite

DOCUMENT = Path(__file__).parents[2] / "docs" / "plugins.md"
TEXT = DOCUMENT.read_text(encoding="utf-8")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The page's files, and tables as it describes them."""
    blocks = re.findall(r"^```\w+ (\S+)\n(.*?)^```$", TEXT, re.S | re.M)
    for name, content in blocks:
        place = tmp_path / name.split("_")[0].removesuffix(".yaml")
        place.mkdir(exist_ok=True)
        (place / name).write_text(content)
    charts = [
        {"question": f"How many {i}?", "answer": str(100 + i), "origin": ["human", "made"][i > 1]}
        for i in range(5)
    ]
    pairs = [
        {"question": f"Is it {i}?", "answer": ["yes", "no"][i % 2], "category": name, "image": str(i // 2)}
        for name in ("count", "color", "scene")
        for i in range(4)
    ]
    for name, rows in (("charts", charts), ("pairs", pairs)):
        data = tmp_path / name / "data"
        data.mkdir()
        (data / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("charts", {"accuracy": 1.0, "mean of both": 1.0}),
        ("pairs", {"accuracy": 1.0, "accuracy+": 1.0, "total": 6.0, "seen": 4.0}),
    ],
)
def test_the_benchmarks_of_the_page_are_measured(folder: Path, name: str, expected: dict[str, float]) -> None:
    (command,) = re.findall(rf"^evalsuite (run .*--task {name} .*)$", TEXT, re.M)
    done = evalsuite(*command.split(), cwd=folder / name)
    assert done.returncode == 0, done.stderr
    (result,) = json.loads((folder / name / f"{name}-run" / "metrics.json").read_text())["results"]
    assert {e["metric"]["name"]: e["value"] for e in result["estimates"] if not e["group"]} == expected
    assert (result["unread"], result["notes"]) == (0, {})


def test_every_row_of_the_tables_is_accepted() -> None:
    rules = re.findall(r"^\| `(\{official: .*?\})` \|", TEXT, re.M)
    assert len(rules) == 3
    for row in rules:
        RuleSet("page", yaml.safe_load(row)["official"], ["open", "letters"])
    aggregates = re.findall(r"^\| `(\{(?:name|of|all_of|sum_over|mean_over): .*?\})` \|", TEXT, re.M)
    assert len(aggregates) == 6
    for row in aggregates:
        MetricSpec.model_validate({"name": "x", **yaml.safe_load(row)})
    known = {one.name for one in built_in()}
    assert set(re.findall(r"official: ([a-z-]+)[,}]", TEXT)) <= known
