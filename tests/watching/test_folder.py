"""Which checkpoints are whole: what trainers leave while they write, file by file."""

from __future__ import annotations

from pathlib import Path

import pytest

from evalsuite.errors import StoreError
from evalsuite.watching import checkpoints, unfinished
from tests.watching.trainer import save


def test_checkpoints_stand_in_the_order_of_their_steps(tmp_path: Path) -> None:
    for step in (20_000, 1000, 9000):
        save(tmp_path, step, 0.5)
    for name in ("tmp-checkpoint-5", "checkpoint-7.tmp", ".checkpoint-8", "logs", "checkpoint-best"):
        (tmp_path / name).mkdir()
    (tmp_path / "checkpoint-11").write_text("a file")
    assert [one.step for one in checkpoints(tmp_path)] == [1000, 9000, 20_000]
    assert checkpoints(tmp_path / "later") == []


def test_two_checkpoints_of_one_step_are_an_error(tmp_path: Path) -> None:
    save(tmp_path, 5, 0.5)
    (tmp_path / "step_5").mkdir()
    with pytest.raises(StoreError, match="both of step 5"):
        checkpoints(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="is a file"):
        checkpoints(tmp_path / "file")


def test_a_whole_checkpoint_is_whole_at_every_stage_only_at_the_end(tmp_path: Path) -> None:
    """Every file of it, in the order in which the Trainer writes them, cut off anywhere."""
    whole = save(tmp_path / "whole", 5, 0.5)
    half = tmp_path / "half" / "checkpoint-5"
    half.mkdir(parents=True)
    assert unfinished(half) == "it has no weights yet"
    for name in ("config.json", "model.safetensors", "trainer_state.json"):
        data = (whole / name).read_bytes()
        for cut in (0, 1, len(data) // 2, len(data) - 1):
            if name == "config.json":
                continue
            (half / name).write_bytes(data[:cut])
            assert unfinished(half), (name, cut)
        (half / name).write_bytes(data)
        assert bool(unfinished(half)) == (name != "trainer_state.json")
    assert unfinished(whole) == ""


def test_without_a_trainers_record_it_must_rest(tmp_path: Path) -> None:
    folder = save(tmp_path, 5, 0.5, state=False)
    changed = (folder / "model.safetensors").stat().st_mtime
    assert "changed less than 20 s ago" in unfinished(folder, now=changed + 5)
    assert unfinished(folder, now=changed + 21) == ""
    assert unfinished(folder, settled=0, now=changed + 1) == ""


def test_shards_that_an_index_names_must_be_there(tmp_path: Path) -> None:
    import json

    folder = save(tmp_path, 5, 0.5)
    (folder / "model.safetensors").rename(folder / "model-00001-of-00002.safetensors")
    index = {"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    assert unfinished(folder) == "model-00002-of-00002.safetensors is not there yet"


def test_optimizer_states_are_no_weights(tmp_path: Path) -> None:
    folder = save(tmp_path, 5, 0.5)
    (folder / "model.safetensors").rename(folder / "optimizer.pt")
    assert unfinished(folder) == "it has no weights yet"


def test_a_marker_decides_alone(tmp_path: Path) -> None:
    folder = save(tmp_path, 5, 0.5)
    assert unfinished(folder, marker="DONE") == "it has no DONE yet"
    (folder / "DONE").touch()
    (folder / "trainer_state.json").unlink()
    assert unfinished(folder, marker="DONE") == ""
