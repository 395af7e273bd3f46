"""Every command has its function: it returns what the command shows, and prints nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import typer.main
from PIL import Image

import evalsuite
from evalsuite.cli.app import app
from evalsuite.errors import DataError, EvalsuiteError, SpecError
from tests.engine.support import PLUGIN, sums_registry


@pytest.fixture(autouse=True)
def _silent(capfd: pytest.CaptureFixture[str]) -> Any:
    yield
    assert capfd.readouterr().out == ""


def test_every_command_is_in_the_table_of_python() -> None:
    text = (Path(__file__).parents[2] / "docs" / "python.md").read_text(encoding="utf-8")
    table = text[text.index("| command | Python |") :]
    command: Any = typer.main.get_command(app)
    for name, sub in command.commands.items():
        for inner in getattr(sub, "commands", {"": None}):
            assert f"`evalsuite {name}" in table or f"`{name}`" in table, name
            assert inner in table, (name, inner)


@pytest.mark.slow
def test_several_models_give_a_list_of_runs_in_their_order(tmp_path: Path) -> None:
    known = sums_registry()
    runs = evalsuite.run(
        ["adder", "speaker"], "sums", tmp_path / "runs", registry=known, task_options={"count": 6}, blind=True
    )
    assert [run.path.name for run in runs] == ["adder-blind", "speaker-blind"]
    assert all(run.spec.model.blind for run in runs)
    one = evalsuite.run("adder", "sums", tmp_path / "one", registry=known, task_options={"count": 6})
    assert one.counts["sums"].answered == 6


@pytest.mark.slow
def test_one_model_that_cannot_be_measured_does_not_stop_the_others(tmp_path: Path) -> None:
    known = evalsuite.load_registry([PLUGIN])
    with pytest.raises(EvalsuiteError, match="What was measured is kept"):
        evalsuite.run(
            ["adder", "dreamllm:nowhere"], "sums", tmp_path, registry=known, task_options={"count": 4}
        )
    assert evalsuite.load_run(tmp_path / "adder", known).counts["sums"].answered == 4


def test_wrong_arguments_are_one_error_and_leave_nothing_behind(tmp_path: Path) -> None:
    known = evalsuite.load_registry([PLUGIN])
    for settings, message in (
        ({"limit": 0}, "limit: Input should be greater"),
        ({"suite": "minni"}, "There is no suite 'minni'. Did you mean mini"),
        ({"options": {"anwers": "x"}, "model": "random"}, "no option 'anwers'. Did you mean answers"),
        ({"tasks": "sumz"}, "There is no task 'sumz'"),
        ({"tasks": ()}, "No task is given"),
    ):
        given: dict[str, Any] = {"model": "adder", "tasks": "sums", **settings}
        with pytest.raises(SpecError, match=message):
            evalsuite.run(out=tmp_path / "run", registry=known, **given)
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_data_weights_and_the_machine_are_looked_at_without_a_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    import huggingface_hub.constants as constants

    before = (os.environ.get("HF_HUB_OFFLINE"), constants.HF_HUB_OFFLINE)
    data = evalsuite.list_data().set_index("task")
    assert data.loc["mini-vqav2", "state"] in ("here", "made when needed")
    assert data.loc["vqav2", "samples"] == 214354
    assert evalsuite.check_data("mini-vqav2").complete
    with pytest.raises(SpecError, match="Did you mean mini-vqav2"):
        evalsuite.check_data("mini-vqav3")
    assert {"python", "evalsuite"} & {finding.name.lower() for finding in evalsuite.diagnose(data=False)}
    assert (os.environ.get("HF_HUB_OFFLINE"), constants.HF_HUB_OFFLINE) == before
    weights = evalsuite.list_weights()
    assert list(weights.columns) == ["name", "size", "group", "licence", "sha256", "here"]
    assert "inception" in set(weights["group"])
    with pytest.raises(SpecError, match="no published weights 'inceptoin'"):
        evalsuite.fetch_weights("inceptoin")


def test_image_sets_are_refused_before_a_network_is_loaded(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    with pytest.raises(DataError, match="There is no"):
        evalsuite.distance(tmp_path, tmp_path / "absent", "pytorch-fid")
    with pytest.raises(SpecError, match=r"no distance 'kidd'\. Did you mean kid"):
        evalsuite.distance(tmp_path, tmp_path, "pytorch-fid", also=["kidd"])
    with pytest.raises(SpecError, match="need a folder of images or a benchmark"):
        evalsuite.save_statistics(tmp_path / "x.npz", "pytorch-fid")


def test_a_study_is_made_and_read(tmp_path: Path) -> None:
    known = sums_registry()
    run = evalsuite.run("adder", "sum-images", tmp_path / "run", registry=known, task_options={"count": 6})
    key = evalsuite.make_study(run, tmp_path / "study", count=3, registry=known)
    assert len(key.items) == 3
    assert (tmp_path / "study" / "page" / "index.html").is_file()
    votes = {
        "study": key.study, "rater": "r", "votes": [{"item": item.id, "answer": "yes"} for item in key.items],
    }  # fmt: skip
    (tmp_path / "votes.json").write_text(json.dumps(votes))
    results = evalsuite.read_study(tmp_path / "study", tmp_path / "votes.json")
    assert [share.value for share in results.shares] == [1.0]
