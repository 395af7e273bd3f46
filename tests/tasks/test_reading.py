"""Table readers by name: of plugins, in `readers.py` beside a file, installed; conflicts and mistakes."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest
import yaml

from evalsuite.data.vqav2 import Question
from evalsuite.errors import SpecError
from evalsuite.registry import load_registry
from evalsuite.task import reading
from evalsuite.task.entry import TaskOptions
from evalsuite.task.mcq import read_mcq
from evalsuite.task.reading import Reader, built_in, find_reader, reader
from evalsuite.task.table_readers import YesNoQuestion, read_open
from tests.tasks.tables import cell, located, parquet

READER = '''
from evalsuite.task.readers import Question, TableSettings, reader, table_rows


class TwoSettings(TableSettings):
    """What `two-table` may be told."""

    answer: str = "yes"
    """The answer of every question."""


@reader(
    "two-table", makes=Question, columns={"image": "the image", "said": "the words"}, settings=TwoSettings
)
def read_two(source, settings):
    """Questions whose words are asked twice."""
    for row in table_rows(source, settings):
        text = row.fields["said"]
        yield Question(row.id, row.images[0], "", f"{text} {text}", (settings.answer,))
'''
BENCHMARK: dict[str, Any] = {
    "name": "two", "title": "Asked twice", "family": "vqa", "version": 1, "split": "all", "licence": "CC0",
    "home": "https://example.org", "capability": "text",
    "metrics": [{"name": "accuracy", "scale": 100, "headline": True}], "rules": {"official": "exact"},
    "sources": [{"reader": "two-table", "files": {"table": "t.parquet"},
                 "columns": {"image": "image", "said": "words"}, "settings": {"answer": "no"}}],
    "protocols": {"plain": {"template": "{image}{question}"}},
}  # fmt: skip


def plugin(folder: Path, readers: str = "", **changes: Any) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "two.yaml").write_text(yaml.safe_dump({**BENCHMARK, **changes}, sort_keys=False))
    parquet(folder / "data" / "t.parquet", [{"image": cell(0), "words": "Is it so?"}])
    path = folder / "plug.py"
    given = "readers=[read_two]" if readers else ""
    path.write_text(
        f"from pathlib import Path\nfrom evalsuite.task import entries\n{readers}\n"
        f"def tasks():\n    return entries(Path(__file__).parent, {given})\n"
    )
    return path


def questions(path: Path) -> list[tuple[str, tuple[str, ...]]]:
    task = load_registry([path]).task("two").build(TaskOptions(data=path.parent / "data"))
    return [(sample.record.question, sample.record.answers) for sample in task.samples()]


ASKED = [("Is it so? Is it so?", ("no",))]


def test_a_plugin_gives_its_readers_to_its_benchmarks(tmp_path: Path) -> None:
    assert questions(plugin(tmp_path, READER)) == ASKED


def test_readers_beside_a_benchmark_are_found(tmp_path: Path) -> None:
    path = plugin(tmp_path)
    with pytest.raises(SpecError, match="two: There is no reader 'two-table'"):
        questions(path)
    (tmp_path / "readers.py").write_text(READER)
    assert questions(path) == ASKED


def test_one_file_found_in_two_ways_is_one_reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "readers", raising=False)
    (tmp_path / "readers.py").write_text(READER)
    assert questions(plugin(tmp_path, "from readers import read_two")) == ASKED


def test_two_readers_of_one_name_are_refused(tmp_path: Path) -> None:
    (tmp_path / "readers.py").write_text(READER)
    with pytest.raises(
        SpecError, match=r"There are 2 readers 'two-table' \(in .*plug\.py.* and .*readers\.py"
    ):
        questions(plugin(tmp_path, READER))
    (tmp_path / "readers.py").write_text(READER.replace("two-table", "mcq-table"))
    with pytest.raises(SpecError, match="There are 2 readers 'mcq-table'"):
        find_reader("mcq-table", {}, folder=tmp_path / "..", own=[_renamed()])


def _renamed() -> Reader:
    @reader("mcq-table", makes=Question, columns={})
    def mine(source: Any, settings: Any) -> Any:
        """Mine."""
        return iter(())

    return mine


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("import nothing_of_this_name", "the readers .* fails to import from .*No module named"),
        ("def read(", "fails to import from .*SyntaxError"),
    ],
)
def test_readers_that_cannot_be_imported_are_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "readers.py").write_text(text)
    with pytest.raises(SpecError, match=f"(?i){message}"):
        questions(plugin(tmp_path))


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({"settings": {"anwser": "x"}}, r"settings of the source 'two-table': anwser: Extra inputs"),
        ({"columns": {"said": "words", "imag": "image"}}, r"knows no column 'imag'. Did you mean image"),
    ],
)
def test_what_a_reader_does_not_know_is_refused_before_anything_is_read(
    tmp_path: Path, source: dict[str, Any], message: str
) -> None:
    changed = [{**BENCHMARK["sources"][0], **source}]
    task = load_registry([plugin(tmp_path, READER, sources=changed)]).task("two")
    with pytest.raises(SpecError, match=message):
        task.build(TaskOptions(data=tmp_path / "data"))


def test_a_family_takes_only_what_it_knows() -> None:
    with pytest.raises(
        SpecError, match=r"'mcq-table' makes McqQuestion, and the family 'vqa' takes Question"
    ):
        find_reader("mcq-table", {}, makes=Question, family="vqa")
    assert find_reader("yesno-table", {}, makes=YesNoQuestion).name == "yesno-table"  # type: ignore[attr-defined]
    own = {"mcq-table": iter}
    assert find_reader("mcq-table", own, makes=Question) is iter


def offered(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    point = EntryPoint("small-table", value, reading.GROUP)
    monkeypatch.setattr("evalsuite.task.extensions.metadata.entry_points", lambda group: [point])


def test_an_installed_reader_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    offered(monkeypatch, "evalsuite.task.table_readers:read_open")
    found, broken = reading.installed()
    assert (found, broken) == ([read_open], {})


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("nowhere.at.all:read", "cannot be used: ModuleNotFoundError"),
        ("evalsuite.task.table_readers:yes", "is a function, not a reader"),
    ],
)
def test_a_broken_installed_reader_hides_no_other(
    monkeypatch: pytest.MonkeyPatch, value: str, message: str
) -> None:
    offered(monkeypatch, value)
    assert find_reader("mcq-table", {}) is read_mcq
    with pytest.raises(SpecError, match=message):
        find_reader("small-table", {})


def test_every_reader_says_what_it_reads_and_of_what() -> None:
    for one in built_in():
        assert one.title.endswith(".")
        assert one.columns
        assert all(one.columns.values())
        assert {"labels", "images", "where"} <= set(one.settings.model_fields)


@pytest.mark.slow
def test_a_task_of_a_plugin_arrives_in_a_process_that_never_saw_it(tmp_path: Path) -> None:
    path = plugin(tmp_path, READER)
    task = load_registry([path]).task("two").build(TaskOptions(data=tmp_path / "data"))
    (tmp_path / "task.pickle").write_bytes(pickle.dumps(task))
    program = (
        "import pickle, pathlib, sys\n"
        "task = pickle.loads(pathlib.Path(sys.argv[1]).read_bytes())\n"
        "print([(s.record.question, s.record.answers) for s in task.samples()])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "task.pickle")],
        capture_output=True, text=True, env={**os.environ}, check=False,
    )  # fmt: skip
    assert done.stdout.strip() == str(ASKED), done.stderr


def test_the_settings_of_examples_are_those_of_the_source(tmp_path: Path) -> None:
    parquet(tmp_path / "t.parquet", [{"q": "a?", "a": "b", "image": cell(0)}])
    source = located(tmp_path, "open-table", {"question": "q", "answers": "a", "image": "image"}, count=1)
    assert [one.answers for one in read_open(source)] == [("b",)]
    assert [one.answers for one in read_open(source, "what a family gives its own readers")] == [("b",)]
