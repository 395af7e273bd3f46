"""YAML files: a key twice, a field that does not exist, a file of a newer version; one clear error each."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import BaseModel, ConfigDict

from evalsuite.data.yamlfile import FORMAT, read_yaml, validated
from evalsuite.errors import EvalsuiteError, SpecError


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid")
    colour: str = ""


class Whole(BaseModel):
    model_config = ConfigDict(extra="forbid")
    parts: tuple[Part, ...] = ()
    named: dict[str, Part] | None = None


def file(folder: Path, text: str) -> Path:
    path = folder / "a.yaml"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3\n", r"a\.yaml, line 3: 'a' stands in line 1 already\. Remove one"),
        ("x:\n  - {k: 1, k: 1}\n", r"line 2: 'k' stands in line 2 already"),
        ("1: a\n'1': b\n1: c\n", "line 3: '1' stands in line 1"),
        ("<<: {a: 1}\nx: &m {b: 1}\ny: {b: 2, <<: *m, b: 3}\n", "line 3: 'b'"),
    ],
)
def test_a_key_that_stands_twice_is_an_error_with_both_lines(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        read_yaml(file(tmp_path, text))


def test_anchors_and_merges_are_read_as_ever(tmp_path: Path) -> None:
    text = "base: &b {a: 1, c: 2}\none: {<<: *b, a: 3}\ntwo: {<<: *b}\nsame: *b\n1: x\n'1': y\n"
    assert read_yaml(file(tmp_path, text)) == {
        "base": {"a": 1, "c": 2}, "one": {"a": 3, "c": 2}, "two": {"a": 1, "c": 2}, "same": {"a": 1, "c": 2},
        1: "x", "1": "y",
    }  # fmt: skip


def test_a_file_of_a_newer_version_is_one_clear_error(tmp_path: Path) -> None:
    newer = f"format: {FORMAT + 1}\nfield_of_tomorrow: 1\n"
    with pytest.raises(
        SpecError, match=r"written for a newer evalsuite: its format is 2, .* up to 1\. Update"
    ):
        read_yaml(file(tmp_path, newer))
    assert read_yaml(file(tmp_path, f"format: {FORMAT}\na: 1\n")) == {"a": 1}
    with pytest.raises(SpecError, match="format is '1a', not a whole number"):
        read_yaml(file(tmp_path, "format: 1a\n"))


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"partz": []}, "partz: there is no such field. Did you mean parts"),
        ({"parts": [{"color": "red"}]}, r"parts\.0\.color: there is no such field\. Did you mean colour"),
        ({"named": {"first": {"colr": "red"}}}, r"colr: there is no such field\. Did you mean colour"),
    ],
)
def test_a_field_that_does_not_exist_suggests_the_nearest(
    tmp_path: Path, value: object, message: str
) -> None:
    with pytest.raises(SpecError, match=message):
        validated(tmp_path / "a.yaml", value, Whole)


def test_every_kind_of_yaml_file_refuses_a_key_that_stands_twice(tmp_path: Path) -> None:
    from evalsuite_baselines.presets import read

    from evalsuite.dreamllm.scale import load_recipe as full_size
    from evalsuite.mini.training.recipe import load_recipe as miniature
    from evalsuite.published.loading import publications
    from evalsuite.registry import Registry
    from evalsuite.running.runfile import read_file
    from evalsuite.task.schema import load
    from evalsuite.task.suites import suite_entries

    path = file(tmp_path, "name: a\ntitle: b\nname: c\n")
    readers = (
        load, read_file, full_size, miniature, read, lambda path: suite_entries(path.parent),
        lambda path: publications(Registry(), [path]),
    )  # fmt: skip
    for reader in readers:
        with pytest.raises(EvalsuiteError, match="'name' stands in line 1 already"):
            reader(path)
