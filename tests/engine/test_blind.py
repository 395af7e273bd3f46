"""`--blind`: the same questions, no images."""

from __future__ import annotations

from pathlib import Path

import pytest

from evalsuite.content import Text, assistant, user
from evalsuite.engine.blind import without_images
from evalsuite.errors import SpecError, StoreError
from evalsuite.request import GenerateText, Request
from evalsuite.running import run
from evalsuite.spec import ModelSpec, RunSpec, TaskSpec
from evalsuite.store import RunReader
from tests.cli.program import here
from tests.engine.test_worker import grey


def test_every_image_is_taken_out_and_no_letter_changes() -> None:
    request = Request(
        (user(grey(1), "like this?\n"), assistant("yes"), user("and ", grey(2), " this?")),
        GenerateText(),
        seed=4,
    )
    blind = without_images(request)
    assert blind.images == ()
    assert [message.text for message in blind.messages] == ["like this?\n", "yes", "and  this?"]
    assert all(isinstance(part, Text) for message in blind.messages for part in message.parts)
    assert (blind.seed, blind.output) == (4, request.output)


def spec(blind: bool) -> RunSpec:
    return RunSpec(
        model=ModelSpec(name="question-prior", blind=blind), tasks=(TaskSpec(name="mini-vqav2"),), limit=20
    )


@pytest.mark.slow
def test_a_blind_run_is_a_row_of_its_own_and_never_goes_on_from_a_sighted_one(tmp_path: Path) -> None:
    for blind in (False, True):
        run(spec(blind), tmp_path / str(blind))
    with RunReader(tmp_path / "False") as sighted, RunReader(tmp_path / "True") as blind_run:
        assert (sighted.model_name, blind_run.model_name) == ("question-prior", "question-prior (blind)")
        assert blind_run.manifest.model is not None
        assert sighted.manifest.model is not None
        assert blind_run.manifest.model.details["blind"] is True
        assert blind_run.manifest.model.fingerprint != sighted.manifest.model.fingerprint
        one, other = (
            {record.sample: record for record in reader.records("mini-vqav2")}
            for reader in (sighted, blind_run)
        )
        assert all(one[name].request_hash != other[name].request_hash for name in one), (
            "what was asked differs"
        )
        assert all(one[name].sample_hash == other[name].sample_hash for name in one)
        assert all(one[name].response == other[name].response for name in one), "it never looked"
    with pytest.raises(StoreError, match="blind"):
        run(spec(True), tmp_path / "False")


@pytest.mark.slow
def test_a_blind_run_refuses_to_edit_and_a_suite_leaves_editing_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    edits = RunSpec(
        model=ModelSpec(name="copy-source", blind=True), tasks=(TaskSpec(name="mini-magicbrush"),)
    )
    with pytest.raises(SpecError, match="takes the images away, and mini-magicbrush"):
        run(edits, tmp_path / "run")
    ended = here(
        capsys,
        "run",
        "--model",
        "random",
        "--suite",
        "mini",
        "--limit",
        "2",
        "--blind",
        "--out",
        tmp_path / "s",
    )
    assert "cannot do mini-magicbrush: left out" in ended.stderr
    assert "random (blind)" in ended.stdout
