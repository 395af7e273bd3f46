"""Models of research repositories: their cards, where they live, and the environments that are made for
them."""

from __future__ import annotations

import ast
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from evalsuite.errors import CheckpointError, SpecError, UnavailableError
from evalsuite.isolated import setup
from evalsuite.isolated.places import commit_of, folders, interpreter, places
from evalsuite.model import Card, ModelEntry, ModelOptions
from evalsuite.registry import load_registry

ENTRIES = [entry for entry in load_registry().models.values() if entry.card and entry.card.environment]


def card_of(name: str) -> Card:
    card = load_registry().models[name].card
    assert card is not None
    return card


def test_the_unified_models_are_there() -> None:
    assert {entry.name for entry in ENTRIES} >= {
        "bagel",
        "dreamllm-original",
        "emu3",
        "janus-pro",
        "janusflow",
        "mmada",
        "omnigen2",
        "show-o2",
    }


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_a_card_says_what_a_reader_needs(entry: ModelEntry) -> None:
    card = entry.card
    assert card is not None
    assert card.environment is not None
    assert card.source.startswith("https://")
    assert card.licence
    assert card.weights
    assert card.tested
    assert len(card.environment.commit) == 40
    assert all(set(chosen.options) <= set(card.options) for chosen in card.protocols.values())
    requirements = [line for profile in card.environment.profiles.values() for line in profile.requirements]
    assert not [line for line in requirements if "://" in line]
    declared = {option.name for option in entry.declared_options or ()}
    assert declared >= {"python", "repo", *card.options}


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_an_adapter_is_one_file_of_old_python_that_imports_nothing_of_evalsuite(entry: ModelEntry) -> None:
    assert entry.card is not None
    path = Path(entry.card.adapter)
    tree = ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 8))
    names = [
        alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names
    ] + [str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    assert not [name for name in names if name.split(".")[0] in ("evalsuite", "evalsuite_baselines")]
    assert any(isinstance(node, ast.FunctionDef) and node.name == "load" for node in tree.body)
    read = set()
    for node in ast.walk(tree):  # the options that it reads are declared in its card
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            read |= READ_BY_TOOLS.get(called, set())
            if called.endswith(("options.get", ".number", "switch")):
                place = 0 if called.endswith("options.get") else 1
                if len(node.args) > place and isinstance(node.args[place], ast.Constant):
                    read.add(node.args[place].value)  # type: ignore[attr-defined]
    assert read - {"title"} <= set(entry.card.options) | {"image_size"}


READ_BY_TOOLS = {
    "tools.guidance": {"guidance_scale"},
    "tools.steps": {"steps"},
    "tools.fixed_size_images": {"guidance_scale", "steps"},
}
"""Options that functions of adapter_tools read for an adapter."""


def repository(folder: Path) -> str:
    """A clone with one commit; its hash."""
    folder.mkdir(parents=True)
    who = ["-c", "user.name=a", "-c", "user.email=a@b"]
    subprocess.run(["git", "init", "-q", str(folder)], check=True)
    (folder / "a.py").write_text("a = 1\n")
    subprocess.run(["git", "-C", str(folder), "add", "."], check=True)
    subprocess.run(["git", "-C", str(folder), *who, "commit", "-qm", "a"], check=True)
    return commit_of(folder) or ""


def test_a_clone_is_asked_for_its_commit(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    clone = tmp_path / "clone"
    found = repository(clone)
    assert len(found) == 40
    assert places(card_of("bagel"), str(clone), "python3") == (clone, "python3")
    assert "written against 056b5fd51a88" in caplog.text
    (tmp_path / "archive").mkdir()
    assert commit_of(tmp_path / "archive") is None


def test_what_is_missing_names_the_way_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVALSUITE_CACHE", str(tmp_path / "cache"))
    card = card_of("bagel")
    with pytest.raises(SpecError, match=r"needs a clone of https://github.com/ByteDance-Seed/Bagel.*setup"):
        places(card)
    (tmp_path / "clone").mkdir()
    with pytest.raises(SpecError, match="has no environment"):
        places(card, str(tmp_path / "clone"))
    binary = interpreter(folders("bagel")[1])
    binary.parent.mkdir(parents=True)
    binary.write_text("")
    assert places(card, str(tmp_path / "clone"))[1] == str(binary)
    with pytest.raises(SpecError, match="needs a clone"):
        places(card_of("show-o2"), str(tmp_path / "clone"))  # its packages lie in a folder of the repository


def test_a_protocol_gives_options_that_the_users_override() -> None:
    card = card_of("bagel")
    got = card.settings({"protocol": "editing", "cfg_img_scale": "1.5", "repo": "r"})
    assert (got["cfg_text_scale"], got["cfg_img_scale"], got["repo"]) == ("4.0", "1.5", "r")
    assert "protocol" not in got
    with pytest.raises(SpecError, match=r"no protocol 'edit'.*editing"):
        card.settings({"protocol": "edit"})


def test_an_unknown_option_and_protocol_are_refused_before_anything_is_loaded() -> None:
    entry = load_registry().models["bagel"]
    with pytest.raises(SpecError, match=r"cfg_text_scal\b.*cfg_text_scale"):
        entry.check_options({"cfg_text_scal": "4"})
    with pytest.raises(SpecError, match="protocol"):
        entry.check_options({"protocol": "geneval2"})


def without_uv(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same installer, pip, on every machine."""
    found = shutil.which
    monkeypatch.setattr(shutil, "which", lambda name, **more: None if name == "uv" else found(name, **more))


def fake_card(tmp_path: Path, requirement: str) -> Card:
    return Card.model_validate({
        "name": "fake", "title": "fake", "adapter": str(tmp_path / "adapter.py"),
        "weights": [{"name": "some/weights", "parameters": 7, "licence": "MIT"}],
        "environment": {
            "repository": "https://example.org/fake", "commit": "0" * 40, "modules": ["fake_package"],
            "profiles": {"own": {"requirements": ["nothing-of-this-name"]}, "here": {
                "requirements": [requirement], "note": "for tests"}},
        },
    })  # fmt: skip


@pytest.fixture
def package(tmp_path: Path) -> str:
    """A wheel of one module, as a requirement."""
    import zipfile

    wheel = tmp_path / "fake_package-1.0-py3-none-any.whl"
    facts = "Metadata-Version: 2.1\nName: fake-package\nVersion: 1.0\n"
    kind = "Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("fake_package.py", "answer = 42\n")
        archive.writestr("fake_package-1.0.dist-info/METADATA", facts)
        archive.writestr("fake_package-1.0.dist-info/WHEEL", kind)
        archive.writestr("fake_package-1.0.dist-info/RECORD", "")
    return str(wheel)


@pytest.mark.slow
def test_an_environment_is_made_and_checked_and_the_model_answers_from_it(
    tmp_path: Path, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from evalsuite.isolated.adapter import IsolatedModel

    monkeypatch.setenv("PIP_NO_INDEX", "1")
    without_uv(monkeypatch)
    card = fake_card(tmp_path, package)
    env = tmp_path / "env"
    todo = setup.plan(card, repo=tmp_path / "clone", env=env, profile="here")
    assert not env.exists()
    assert "for tests" in todo.notes
    said: list[str] = []
    setup.carry_out(todo, said.append)
    assert any("fake_package" in line for line in said)
    adapter = tmp_path / "adapter.py"
    adapter.write_text(
        "import fake_package\nclass M:\n    def generate_text(self, batch):\n"
        "        return [str(fake_package.answer)] * len(batch)\ndef load(options):\n    return M()\n"
    )
    model = IsolatedModel(ModelOptions("x", options={"python": str(interpreter(env))}), adapter)
    assert model.capabilities == {"text"}
    model._child.stop()
    again = setup.plan(card, repo=tmp_path / "clone", env=env, profile="here")
    assert len(again.commands) == len(todo.commands) - 1  # the environment is there
    lacking = "\n".join(again.lacking)
    assert f"git clone https://example.org/fake {tmp_path / 'clone'}" in lacking
    assert f"checkout {'0' * 40}" in lacking
    assert "some/weights (about 13 GiB in bfloat16; MIT)" in lacking


@pytest.mark.slow
def test_a_package_that_cannot_be_had_is_one_clear_error(
    tmp_path: Path, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    without_uv(monkeypatch)
    card = fake_card(tmp_path, package)
    with pytest.raises(UnavailableError, match="nothing-of-this-name"):
        setup.carry_out(setup.plan(card, env=tmp_path / "env"), lambda line: None)
    with pytest.raises(SpecError, match="no profile"):
        setup.plan(card, profile="herr")


def test_an_adapter_without_its_repository_says_so(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    from evalsuite.isolated.adapter import IsolatedModel

    adapter = Path(card_of("janus-pro").adapter)
    options = {"python": sys.executable, "repo": str(tmp_path / "nowhere")}
    with pytest.raises(CheckpointError, match="must name a clone of the official repository"):
        IsolatedModel(ModelOptions("weights", options=options), adapter)


def test_an_answer_may_be_an_exception_and_a_model_may_say_that_it_can_less(tmp_path: Path) -> None:
    from evalsuite.content import Message, Text
    from evalsuite.errors import SampleError
    from evalsuite.isolated.adapter import IsolatedModel
    from evalsuite.request import GenerateText, Request

    adapter = tmp_path / "a.py"
    adapter.write_text(
        "class M:\n    info = {'capabilities': ['text', 'image']}\n"
        "    def generate_text(self, batch):\n        return [ValueError('not this one'), 'yes']\n"
        "    def generate_images(self, batch):\n        return []\ndef load(options):\n    return M()\n"
    )
    model = IsolatedModel(ModelOptions("x", options={"python": sys.executable}), adapter)
    assert model.capabilities == {"text", "image"}
    asked = Request((Message("user", (Text("?"),)),), GenerateText())
    refused, answered = model.generate_text([model.prepare(asked)] * 2)
    model._child.stop()
    assert isinstance(refused, SampleError)
    assert "not this one" in refused.what
    assert json.dumps(getattr(answered, "text", None)) == '"yes"'
