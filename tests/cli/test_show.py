"""`evalsuite list families|readers|rules|aggregates` and `evalsuite show`: complete, true, 80 columns."""

from __future__ import annotations

import json
import re
from pathlib import Path

import evalsuite_tasks
import pytest
import yaml

from evalsuite.cli.listing import LISTS
from evalsuite.cli.outline import WIDTH, Entry, Section, outline
from evalsuite.cli.showing import aggregation_text, model_outline, suite_outline, task_outline
from evalsuite.fields import fields_of_model
from evalsuite.registry import Registry, load_registry
from evalsuite.task.aggregates import MetricSpec
from evalsuite.task.entry import TaskEntry
from evalsuite.task.families import installed_families
from evalsuite.task.reading import built_in
from evalsuite.task.rules.finding import built_in as built_in_rules
from tests.cli.program import PLUGIN, here
from tests.tasks.tables import cell, parquet
from tests.tasks.test_reading import READER, plugin

ENTRIES = [entry for entry in evalsuite_tasks.tasks() if isinstance(entry, TaskEntry)]


@pytest.fixture(scope="module")
def registry() -> Registry:
    return load_registry()


def narrow(text: str) -> None:
    """No line is wider than 80 columns unless it is one word that cannot be broken."""
    for line in text.splitlines():
        assert len(line) <= WIDTH or " " not in line.strip().rpartition("  ")[2], line


@pytest.mark.slow
@pytest.mark.parametrize("name", LISTS)
def test_every_list_is_narrow_and_a_command(
    name: str, registry: Registry, capsys: pytest.CaptureFixture[str]
) -> None:
    done = here(capsys, "list", name)
    assert done.returncode == 0
    assert done.stdout == LISTS[name](registry)
    narrow(done.stdout)


def names_in(text: str) -> set[str]:
    """The first words of all lines."""
    return {line.split()[0] for line in text.splitlines() if line.strip()}


def test_every_family_is_listed_with_its_readers_and_settings(registry: Registry) -> None:
    text = LISTS["families"](registry)
    blocks = {block.split("\n", 1)[0]: block for block in text.split("\n\n")}
    assert set(blocks) == set(installed_families())
    assert all("cannot be used" not in block for block in blocks.values())
    for word in ("mmmu-table", "mcq-table", "notice", "letters (A, B)", "blink-val"):
        assert word in blocks["exam"], word
    assert "gate" in blocks["vqa"]
    assert "open-table" in blocks["vqa"]
    assert "yesno-table" in blocks["yesno"]
    assert "shots" in blocks["exam"]
    assert "shots" not in blocks["locate"]


def test_every_reader_and_rule_is_listed(registry: Registry) -> None:
    text = LISTS["readers"](registry)
    known = names_in(text)
    for reader in built_in():
        own = {one.name for one in fields_of_model(reader.settings)}
        assert {reader.name, *reader.columns, *own} <= known
    assert {"pope-lines", "scienceqa-json", "vqav2-json"} <= known
    assert {rule.name for rule in built_in_rules()} <= names_in(LISTS["rules"](registry))
    assert {"of", "all_of", "sum_over", "mean_over", "by", "where"} <= names_in(LISTS["aggregates"](registry))


def test_the_settings_that_are_listed_have_their_docstrings(registry: Registry) -> None:
    text = " ".join(LISTS["readers"](registry).split())
    assert "A row without any image: its sample fails, is asked without an image, or is left out." in text
    assert "(one of fail, ask, skip; default fail)" in text


@pytest.mark.slow
def test_readers_of_a_plugin_are_listed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done = here(capsys, "list", "readers", "--plugin", plugin(tmp_path, READER))
    assert "two-table\n  Questions whose words are asked twice. Makes Question." in done.stdout
    assert "The answer of every question. (text; default yes)" in " ".join(done.stdout.split())


def test_a_list_that_does_not_exist_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    done = here(capsys, "list", "reader")
    assert done.returncode == 2
    assert "There is no list of 'reader'" in done.stderr
    assert "readers" in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("entry", ENTRIES, ids=[entry.name for entry in ENTRIES])
def test_every_benchmark_can_be_shown(entry: TaskEntry) -> None:
    text = task_outline(entry)
    narrow(text)
    for word in (*entry.protocols, *entry.rules, *(metric.name for metric in entry.metrics), *entry.needs):
        assert word in text, word
    assert entry.benchmark is not None
    headings = re.findall(r"^ {4}(?:(?! ).*example|settings):$", text, re.M)
    assert len(headings) == len(entry.protocols)
    assert entry.benchmark.licence.split()[0] in text


def test_a_benchmark_is_shown_with_a_prompt_as_its_protocol_asks(capsys: pytest.CaptureFixture[str]) -> None:
    done = here(capsys, "show", "task", "mme")
    assert done.returncode == 0
    assert (
        "    example:\n"
        "      <image>Is there a dog in this image?\n"
        "      Answer the question using a single word or phrase.\n"
    ) in done.stdout
    said = " ".join(done.stdout.split())
    assert "MME-P * sum over category of accuracy + accuracy+, where category is one of existence," in said
    assert "accuracy+ share of groups (same category and image) in which every sample has accuracy 1" in said
    assert 'mme: MME\'s calculation.py: the answer, or "yes" or "no" within its first four' in said
    assert "yesno-table lmms-lab/MME on the hub (main), 864 MB: not here" in said
    assert "The two totals are never one column" in said


def test_a_protocol_that_asks_twice_shows_both_requests(registry: Registry) -> None:
    text = " ".join(task_outline(registry.task("vizwiz-val")).split())
    assert (
        "<image>What is in the bowl?Is the answer can be known? [then] Based on the image, please answer the "
        "question.<image>What is in the bowl?Please provide an accurate answer within one word. "
        "[answer begins] The answer is:"
    ) in text


def test_prompts_of_several_lines_are_shown_line_by_line(registry: Registry) -> None:
    text = task_outline(registry.tasks["uni-mmmu-maze-images"])
    assert "      SEMANTICS (for all mazes)\n" in text
    assert "\\n" not in text, "a line break is a line break"
    assert "\n    example:" not in text, "the wording is shown once"


def test_the_prompt_of_the_first_real_sample(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    row = {"question": "Which bird is b?", "options": ["wren", "owl"], "answer": "1", "image": cell(0)}
    parquet(tmp_path / "data" / "test-00000-of-00001.parquet", [row])
    done = here(capsys, "show", "task", "ai2d", "--data", tmp_path)
    assert "first sample:\n      <image>Which bird is b?\n      A. wren\n      B. owl\n" in done.stdout
    said = " ".join(done.stdout.split())
    assert "mcq-table lmms-lab/ai2d on the hub (main), 139 MB: here" in said
    assert "AI2D_TEST.tsv, 167 MB: not here" in said
    wrong = here(capsys, "show", "task", "mme", "--data", tmp_path / "data")
    assert wrong.returncode == 2
    assert "data/test-*.parquet" in wrong.stderr or "has no column" in wrong.stderr


def test_an_example_of_a_file_must_fit_the_familys_record(tmp_path: Path) -> None:
    from evalsuite.errors import SpecError
    from evalsuite.task.benchmark import load
    from evalsuite.task.examples import example_task

    shipped = Path(evalsuite_tasks.__file__).parent / "yesno" / "mme.yaml"
    changed = {**yaml.safe_load(shipped.read_text()), "example": {"qestion": "x"}}
    path = tmp_path / "mme.yaml"
    path.write_text(json.dumps(changed))
    with pytest.raises(SpecError, match=r"example: there is no field .qestion.\. Did you mean question"):
        example_task(load(path))


def test_a_task_in_python_alone_is_shown_as_far_as_it_is_known(capsys: pytest.CaptureFixture[str]) -> None:
    done = here(capsys, "show", "task", "sums", "--plugin", PLUGIN)
    assert "family  Python alone" in done.stdout
    assert "accuracy *" in done.stdout
    assert {"plain", "fancy", "official", "lenient"} <= set(done.stdout.split())


def test_models_and_suites_are_shown(registry: Registry, capsys: pytest.CaptureFixture[str]) -> None:
    for name in registry.models:
        text = model_outline(name, registry)
        narrow(text)
        assert all(word in text for word in registry.models[name].capabilities)
    text = model_outline("sd-mini", registry)
    assert "mini-coco-t2i" in text
    assert "vqav2" not in text
    for name, suite in registry.suites.items():
        shown = suite_outline(name, registry)
        narrow(shown)
        assert {task.name for task in suite.tasks} <= names_in(shown)
    done = here(capsys, "show", "suite", "mini")
    assert re.search(r"easy-vqa +subset=600\n +\(needs text\)", done.stdout)
    assert here(capsys, "show", "model", "sd-mini").stdout == text


@pytest.mark.parametrize("kind", ["task", "model", "suite"])
def test_a_name_that_is_not_there_is_refused(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    done = here(capsys, "show", kind, "minni")
    assert done.returncode == 2
    assert f"There is no {kind} 'minni'" in done.stderr


def test_aggregations_in_words() -> None:
    nested = MetricSpec.model_validate(
        {"name": "Uni", "mean_over": "L1", "of": {"mean_over": "L2", "of": "hit"}, "where": {"tag": "a"}}
    )
    assert aggregation_text(nested) == "mean over L1 of (mean over L2 of hit), where tag is a"
    assert aggregation_text(MetricSpec(name="hit"), "hit") == "mean of hit"


def test_an_outline_folds_text_and_leaves_blocks_as_they_stand() -> None:
    words = " ".join(["word"] * 40)
    text = outline([Section("Title", [Entry("name", words, block=["  as\n it stands", "x" * 90])], note="n")])
    narrow(text)
    assert text.startswith("Title\n  n\n  name  word word")
    assert "\n        as\n       it stands\n" in text
    assert "x" * 74 in text
