"""`evalsuite models`, `evalsuite show model` of research models, `evalsuite parity`: what they say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from evalsuite.cli.outline import WIDTH
from evalsuite.registry import load_registry
from tests.cli.program import here


def test_models_list_says_what_is_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("EVALSUITE_CACHE", str(tmp_path))
    (tmp_path / "models/bagel/clone").mkdir(parents=True)
    done = here(capsys, "models", "list")
    assert done.returncode == 0
    row = next(line.split() for line in done.stdout.splitlines() if line.startswith("bagel"))
    assert row[-2:] == ["no", "here"]
    assert not [line for line in done.stdout.splitlines() if line.startswith("llava")]


def test_setup_shows_its_commands_and_what_to_fetch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("EVALSUITE_CACHE", str(tmp_path))
    done = here(capsys, "models", "setup", "bagel", "--dry-run", "--env", tmp_path / "env")
    assert done.returncode == 0
    assert "flash_attn==2.5.8" in done.stdout
    assert "git clone https://github.com/ByteDance-Seed/Bagel" in done.stdout
    assert "checkout 056b5fd51a88c1eb4547318609e25d40080fcf87" in done.stdout
    assert "ByteDance-Seed/BAGEL-7B-MoT (about 26 GiB in bfloat16; Apache-2.0" in done.stdout
    assert f"--option python={tmp_path / 'env/bin/python'}" in done.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["models", "setup", "bagl"], "bagel"),
        (["models", "setup", "bagel", "--profile", "cpu", "--dry-run"], "no profile 'cpu'"),
        (["run", "--model", "bagel:w", "--task", "mini-vqav2", "--out", "o"], "evalsuite models setup bagel"),
        (
            ["run", "--model", "bagel:w", "--task", "mini-vqav2", "--out", "o", "--option", "protocol=x"],
            "protocol",
        ),
    ],
)
def test_mistakes_are_one_clear_error(
    arguments: list[str],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("EVALSUITE_CACHE", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    done = here(capsys, *arguments)
    assert done.returncode == 2
    assert said in done.stderr


def test_show_model_is_a_card(capsys: pytest.CaptureFixture[str]) -> None:
    done = here(capsys, "show", "model", "omnigen2")
    assert done.returncode == 0
    for said in ("7 billion parameters, 13.0 GiB", "Apache-2.0", "0f72fa92564d9f8ba76f53fcc3c05aca2372458f",
                 "image_guidance_scale=2.0", "Tested", "one by one"):  # fmt: skip
        assert said in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= WIDTH


def test_every_unified_model_says_what_issue_and_readers_ask() -> None:
    cards = [entry.card for entry in load_registry().models.values()]
    research = [card for card in cards if card is not None and card.environment is not None]
    assert len(research) >= 11
    for card in research:
        assert card.environment is not None
        for name in ("source", "licence", "capabilities", "weights", "protocols", "tested", "batching"):
            assert getattr(card, name), f"{card.name} has no {name}"
        assert all(one.memory() for one in card.weights), card.name
        assert re.fullmatch("[0-9a-f]{40}", card.environment.commit)
        assert all(re.search(r"20\d\d-\d\d-\d\d|not run", line) for line in card.tested), card.name
        for profile in card.environment.profiles.values():
            assert set(profile.lacks) <= set(card.environment.modules), card.name
        for name, protocol in card.protocols.items():
            assert set(protocol.options) <= set(card.options), f"{card.name}, {name}"
            assert protocol.note, f"{card.name}, {name}"


def test_a_module_that_a_profile_cannot_have_is_not_checked(tmp_path: Path) -> None:
    from evalsuite.isolated.setup import plan

    card = load_registry().models["bagel"].card
    assert card is not None
    assert "flash_attn" in plan(card, env=tmp_path).check[-1]
    assert "flash_attn" not in plan(card, env=tmp_path, profile="tested").check[-1]


def test_another_python_than_the_authors_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from evalsuite.isolated import setup

    card = load_registry().models["janus-pro"].card
    assert card is not None
    monkeypatch.setattr("evalsuite.isolated.setup.shutil.which", lambda name: None)
    monkeypatch.setattr(setup, "_VERSION", "3.14")
    assert any("use Python 3.10, this is 3.14" in note for note in setup.plan(card, env=tmp_path).notes)
    assert not any("3.14" in note for note in setup.plan(card, env=tmp_path, python="python3.10").notes)


def test_show_model_of_a_preset_says_its_size_and_licence(capsys: pytest.CaptureFixture[str]) -> None:
    sdxl = here(capsys, "show", "model", "sdxl").stdout
    assert "3.47 billion parameters, 6.5 GiB in bfloat16 (12.9 in float32)" in sdxl
    assert "Open RAIL++-M" in sdxl
    small = here(capsys, "show", "model", "smollm2-135m").stdout
    assert "0.135 billion parameters" in small
    assert "size as it is named" in " ".join(small.split())
    assert "size not published" in here(capsys, "show", "model", "kosmos-2").stdout
