"""Declarative benchmarks: the schema, its errors, choosing and drawing."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import evalsuite_tasks
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from evalsuite.content import Image, Text
from evalsuite.errors import DataError, SpecError
from evalsuite.task.benchmark import draw, entries, family_module, load
from evalsuite.task.entry import TaskEntry, TaskOptions
from evalsuite.task.prompts import fields_of, postprocess, render
from evalsuite.task.reading import built_in
from evalsuite.task.suites import suite_entries
from tests.data.image_files import encoded

DECLARED: dict[str, Any] = {
    "name": "little-vqa",
    "title": "A little VQA",
    "family": "vqa",
    "version": 1,
    "split": "val",
    "licence": "CC0",
    "home": "https://example.org",
    "capability": "text",
    "metrics": [{"name": "accuracy", "scale": 100, "headline": True}],
    "rules": ["official", "m4c"],
    "count": 2,
    "sources": [
        {
            "reader": "vqav2-json",
            "files": {"questions": "q.json", "annotations": "a.json", "images": "img/{image_id:04d}.jpg"},
            "get": "https://example.org/files",
            "size": "1 GB",
        }
    ],
    "protocols": {
        "plain": {"template": "{image}{question}", "decoding": {"max_new_tokens": 8}},
        "paper": {
            "system": "Be brief.",
            "template": "{image}\n{question} One word.",
            "prefill": "It is",
            "clean": ["strip", "lower"],
        },
    },
}


def declare(folder: Path, **changes: Any) -> Path:
    path = folder / "little-vqa.yaml"
    path.write_text(yaml.safe_dump({**DECLARED, **changes}, sort_keys=False))
    return path


def data(folder: Path) -> Path:
    (folder / "img").mkdir(parents=True)
    questions = [{"question_id": n, "image_id": n, "question": f"what is {n}?"} for n in (1, 2)]
    answers = [{"answer": "cat", "answer_id": i} for i in range(10)]
    annotations = [{"question_id": n, "image_id": n, "answers": answers} for n in (1, 2)]
    (folder / "q.json").write_text(json.dumps({"questions": questions}))
    (folder / "a.json").write_text(json.dumps({"annotations": annotations}))
    (folder / "img" / "0001.jpg").write_bytes(encoded("JPEG"))
    return folder


def entry(folder: Path, **changes: Any) -> TaskEntry:
    declare(folder, **changes)
    (found,) = entries(folder)
    assert isinstance(found, TaskEntry)
    return found


def test_a_shipped_benchmark_says_why_its_version_was_raised() -> None:
    import evalsuite_tasks

    from evalsuite.task.schema import load

    folder = Path(evalsuite_tasks.__file__).parent
    for path in (path for path in folder.rglob("*.yaml") if path.parent.name != "suites"):
        made = load(path)
        wanted = {str(version) for version in range(2, int(made.version) + 1)}
        assert set(made.changes) == wanted, made.name


def test_a_folder_of_files_of_ones_own_becomes_entries(tmp_path: Path) -> None:
    found = entry(tmp_path)
    assert (found.name, found.family, found.protocols) == ("little-vqa", "vqa", ("plain", "paper"))
    task = found.build(TaskOptions(data=data(tmp_path / "data")))
    samples = list(task.samples())
    request = task.request(samples[0])
    assert request is not None
    image, text = request.messages[0].parts
    assert isinstance(image, Image)
    assert text == Text("what is 1?")
    assert request.output.max_new_tokens == 8  # type: ignore[union-attr]


def test_a_protocol_sets_system_prompt_wording_and_prefill_exactly(tmp_path: Path) -> None:
    task = entry(tmp_path).build(TaskOptions(protocol="paper", data=data(tmp_path / "data")))
    request = task.request(next(task.samples()))
    assert request is not None
    system, user = request.messages
    assert (system.role, system.text) == ("system", "Be brief.")
    assert user.parts[1] == Text("\nwhat is 1? One word.")
    assert request.prefill == "It is"
    assert (task.info.protocol, task.info.rules, task.info.version) == ("paper", "official", "1")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"count": -1}, r"little-vqa\.yaml: count: "),
        ({"colour": "red"}, "colour: there is no such field"),
        ({"capability": "smell"}, "capability: "),
        ({"name": "Little VQA"}, "name: String should match pattern"),
        ({"metrics": [{"name": "accuracy"}]}, "exactly one metric must be the headline"),
        ({"sources": []}, "sources: "),
        ({"protocols": {"p": {"template": "{image}{"}}}, r"protocols\.p\.template: Template .* is malformed"),
        ({"protocols": {"p": {"template": "{image.path}"}}}, "is not a plain field name"),
        (
            {"protocols": {"p": {"template": "x", "clean": ["stripp"]}}},
            "no postprocessing step 'stripp'. Did you mean strip",
        ),
        ({"protocols": {"p": {"template": "x", "decoding": {"beams": 5}}}}, "decoding: .*'beams'"),
    ],
)
def test_a_malformed_file_is_refused_with_file_and_field(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    path = declare(tmp_path, **changes)
    with pytest.raises(SpecError, match=message) as caught:
        load(path)
    assert str(path) in str(caught.value)


def test_a_missing_field_and_broken_yaml_are_named(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(yaml.safe_dump({k: v for k, v in DECLARED.items() if k != "split"}))
    with pytest.raises(SpecError, match=r"x\.yaml: split: Field required"):
        load(path)
    path.write_text("name: [unclosed")
    with pytest.raises(SpecError, match=r"x\.yaml is not valid YAML: .* line 1"):
        load(path)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (TaskOptions(protocol="papr"), "little-vqa has no protocol 'papr'. Did you mean paper"),
        (TaskOptions(rules="m4"), "little-vqa has no scoring rules 'm4'. Did you mean m4c"),
        (TaskOptions(options={"subst": "3"}), "little-vqa has no option 'subst'. Did you mean subset"),
        (TaskOptions(options={"subset": "many"}), "Option subset='many' is not a number"),
        (TaskOptions(options={"subset": "²"}), "Option subset='²' is not a number"),
        (TaskOptions(options={"source": "vqa-tables"}), "little-vqa has no source 'vqa-tables'"),
    ],
)
def test_unknown_choices_suggest_the_nearest(tmp_path: Path, options: TaskOptions, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        entry(tmp_path).build(options)


def test_an_unknown_family_rule_reader_and_setting_are_named(tmp_path: Path) -> None:
    folder = data(tmp_path / "data")
    source = DECLARED["sources"][0]
    for changes, message in (
        ({"family": "smell"}, "There is no task family 'smell'"),
        ({"rules": ["oficial"]}, "no rule 'oficial' for open questions. Did you mean official"),
        ({"sources": [{**source, "reader": "vqav2"}]}, "no reader 'vqav2'. Did you mean vqav2-json"),
        ({"settings": {"answer": 3}}, "settings: answer: there is no such field. Did you mean answers"),
        ({"metrics": [{"name": "acc", "headline": True}]}, "metric 'acc'. Did you mean accuracy"),
    ):
        with pytest.raises(SpecError, match=message):
            entry(tmp_path, **changes).build(TaskOptions(data=folder))


def test_a_family_of_ones_own_is_named_by_its_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "own_pkg").mkdir()
    (tmp_path / "own_pkg" / "__init__.py").touch()
    (tmp_path / "own_pkg" / "fam.py").write_text("OPTIONS = ('shots',)\ndef build(plan): return plan\n")
    plan: Any = entry(tmp_path, family="own_pkg.fam").build(
        TaskOptions(data=data(tmp_path / "data"), options={"shots": "4"})
    )
    assert plan.options == {"shots": "4"}


def test_data_that_are_nowhere_say_where_to_get_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EVALSUITE_DATA", raising=False)
    with pytest.raises(DataError) as caught:
        entry(tmp_path).build(TaskOptions())
    for part in ("little-vqa", "$EVALSUITE_DATA/little-vqa", "https://example.org/files", "1 GB", "--data"):
        assert part in str(caught.value)


def test_a_folder_without_the_files_and_one_with_half_of_them_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"little-vqa: q\.json, a\.json is not in .*empty"):
        entry(tmp_path).build(TaskOptions(data=tmp_path / "empty"))
    folder = data(tmp_path / "data")
    (folder / "a.json").unlink()
    with pytest.raises(DataError, match=r"little-vqa: a\.json is not in .*data"):
        list(entry(tmp_path).build(TaskOptions(data=folder)).samples())


def test_the_environment_gives_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data(tmp_path / "root" / "little-vqa")
    monkeypatch.setenv("EVALSUITE_DATA", str(tmp_path / "root"))
    assert len(list(entry(tmp_path).build(TaskOptions()).samples())) == 2


def test_an_annotation_without_its_image_fails_alone(tmp_path: Path) -> None:
    task = entry(tmp_path).build(TaskOptions(data=data(tmp_path / "data")))
    first, second = (task.request(sample) for sample in task.samples())
    assert first is not None
    assert second is not None
    assert first.fingerprint()
    with pytest.raises(DataError, match=r"0002\.jpg cannot be read"):
        second.fingerprint()


def test_a_subset_is_part_of_the_split_and_of_the_fingerprint(tmp_path: Path) -> None:
    folder = data(tmp_path / "data")
    whole = entry(tmp_path).build(TaskOptions(data=folder))
    part = entry(tmp_path).build(TaskOptions(data=folder, options={"subset": "1@3"}))
    assert next(part.samples()).id in {"1", "2"}
    assert len(list(part.samples())) == 1
    assert part.info.split == "val, 1 of 2 drawn with seed 3"
    assert part.fingerprint() != whole.fingerprint()


def test_the_fingerprint_follows_the_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVALSUITE_CACHE", str(tmp_path / "cache"))
    folder = data(tmp_path / "data")
    before = entry(tmp_path).build(TaskOptions(data=folder)).fingerprint()
    assert entry(tmp_path).build(TaskOptions(data=folder)).fingerprint() == before
    (folder / "q.json").write_text((folder / "q.json").read_text().replace("what is 1?", "what was 1?"))
    assert entry(tmp_path).build(TaskOptions(data=folder)).fingerprint() != before


def test_another_number_of_samples_than_the_official_split_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("evalsuite.task.benchmark._WARNED", set())  # it is said once in a process
    task = entry(tmp_path, count=5).build(TaskOptions(data=data(tmp_path / "data")))
    list(task.samples())
    assert "little-vqa has 2 samples here, the official split has 5" in caplog.text


@pytest.mark.slow
@settings(deadline=None)
@given(
    ids=st.lists(st.text(max_size=5), unique=True, max_size=40),
    count=st.integers(1, 50),
    seed=st.integers(0, 9),
)
def test_a_draw_depends_neither_on_order_nor_on_what_is_not_drawn(
    ids: list[str], count: int, seed: int
) -> None:
    drawn = draw(ids, count, seed)
    assert drawn == draw(ids[::-1], count, seed)
    assert len(drawn) == min(count, len(ids))
    assert draw(ids, max(1, count // 2), seed) <= drawn
    rest = [name for name in ids if name not in drawn]
    assert draw([name for name in ids if name not in rest[:1]], count, seed) == drawn


def test_templates_add_nothing_and_leave_braces_in_values_alone() -> None:
    image = Image(data=b"x")
    values: dict[str, Any] = {"image": image, "question": "is {this} it?", "hint": ""}
    assert render("Look.{image}{hint}{question}{{}}", values) == (
        Text("Look."),
        image,
        Text("is {this} it?{}"),
    )
    assert render("{image}{image}", {"image": (image, Text("and"))}) == (
        image,
        Text("and"),
        image,
        Text("and"),
    )
    with pytest.raises(SpecError, match=r"asks for \{options\}; there are: image, question, hint"):
        render("{options}", values)


@settings(deadline=None)
@given(text=st.text())
def test_a_template_of_text_alone_is_that_text(text: str) -> None:
    escaped = text.replace("{", "{{").replace("}", "}}")
    assert fields_of(escaped) == ()
    assert "".join(part.text for part in render(escaped, {}) if isinstance(part, Text)) == text


@pytest.mark.parametrize(
    ("text", "names", "expected"),
    [
        ("Red, I think", ["dreamllm-clip"], "red"),
        ('The "net".', ["dreamllm-clip"], "the net"),
        ("\n\n yes \nno", ["first-line", "strip"], "yes"),
        ("a CAT", ["capitalize"], "A cat"),
        ("b", ["upper"], "B"),
    ],
)
def test_clean_ups(text: str, names: list[str], expected: str) -> None:
    assert postprocess(text, names) == expected


def test_a_malformed_suite_is_refused_with_file_and_field(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text("name: s\ntitle: S\ntasks: []\n")
    with pytest.raises(SpecError, match=r"s\.yaml: tasks: "):
        suite_entries(tmp_path)
    (tmp_path / "s.yaml").write_text("name: s\ntitle: S\ntasks: [vqav2, {name: x, subset: 3}]\n")
    with pytest.raises(SpecError, match=r"s\.yaml: tasks\.1\.subset: there is no such field"):
        suite_entries(tmp_path)


@pytest.mark.slow
def test_every_suite_names_tasks_and_protocols_that_exist() -> None:
    tasks = {task.name: task for task in evalsuite_tasks.tasks()}
    suites = {suite.name: suite for suite in evalsuite_tasks.suites()}
    assert {"mini", "dreamllm-paper"} <= suites.keys()
    for suite in suites.values():
        for spec in suite.tasks:
            assert spec.name in tasks, f"{suite.name}: {spec.name}"
            assert spec.protocol is None or spec.protocol in tasks[spec.name].protocols


def test_every_declared_benchmark_names_a_family_and_readers_that_exist() -> None:
    for path in Path(evalsuite_tasks.__file__).parent.rglob("*.yaml"):
        if path.parent.name == "suites":
            continue
        declared = load(path)
        assert path.stem == declared.name
        assert path.parent.name == declared.family
        readers = family_module(declared.family).READERS
        known = {*readers, *(reader.name for reader in built_in())}
        assert {source.reader for source in declared.sources} <= known, path


def test_listing_imports_nothing_heavy() -> None:
    script = (
        "import sys, evalsuite_tasks; evalsuite_tasks.tasks(); evalsuite_tasks.suites();"
        "heavy = ('torch', 'numpy', 'PIL', 'pyarrow', 'pandas', 'huggingface_hub');"
        "print([name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
