"""Finding plugins: installed, in a file, broken, misspelt."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from evalsuite.errors import SpecError
from evalsuite.registry import load_registry

PLUGIN = """
from evalsuite.model.entry import ModelEntry

def models():
    yield ModelEntry("{name}", "a model", frozenset({{"text"}}), lambda options: None)
"""


def test_a_plugin_file_adds_its_entries(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(PLUGIN.format(name="mine"))
    entry, argument = load_registry([path]).model("mine")
    assert (entry.title, argument) == ("a model", "")


def test_installed_plugins_all_load() -> None:
    assert load_registry().broken == {}


def test_a_malformed_benchmark_file_hides_no_other_and_says_what_is_wrong(tmp_path: Path) -> None:
    good = """
name: {name}
title: t
family: vqa
version: 1
split: s
licence: l
home: h
capability: text
metrics: [{{name: accuracy, headline: true}}]
sources: [{{reader: question-triples, files: {{questions: q.json, images: i.png}}}}]
protocols: {{plain: {{template: "{{question}}"}}}}
"""
    (tmp_path / "one.yaml").write_text(good.format(name="one"))
    (tmp_path / "two.yaml").write_text(good.format(name="two").replace("split: s\n", ""))
    plugin = tmp_path / "mine.py"
    plugin.write_text(
        "from evalsuite.task.benchmark import entries\n"
        "def tasks():\n    return entries(__file__.rpartition('/')[0])\n"
    )
    registry = load_registry([plugin])
    assert registry.task("one").title == "t"
    assert "vqav2" in registry.tasks
    assert "two.yaml: split: Field required" in registry.broken["two"]
    with pytest.raises(SpecError, match=r"task 'two' cannot be used: .*two\.yaml: split: Field required"):
        registry.task("two")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("x = 1", "offers nothing"),
        ("import nowhere_to_be_found", "ModuleNotFoundError"),
        ("def models(:", "SyntaxError"),
        (PLUGIN.format(name="random"), "exists already"),
    ],
)
def test_a_bad_plugin_file_is_named_with_the_reason(tmp_path: Path, content: Any, message: str) -> None:
    path = tmp_path / "bad.py"
    path.write_text(content)
    with pytest.raises(SpecError, match=message) as caught:
        load_registry([path])
    assert "bad.py" in str(caught.value)


def test_a_missing_plugin_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="does not exist"):
        load_registry([tmp_path / "none.py"])


def test_a_misspelt_name_suggests_the_nearest() -> None:
    with pytest.raises(SpecError, match="Did you mean dreamllm-mini"):
        load_registry().model("dreamlm-mini")


@pytest.mark.parametrize(
    ("name", "message"), [("diffusers", "needs an argument"), ("random:x", "takes no argument")]
)
def test_arguments_are_checked(name: str, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        load_registry().model(name)
