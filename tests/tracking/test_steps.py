"""Where in a training a checkpoint stands, by what trainers leave behind."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalsuite.model.steps import Place, joined, place_of, place_of_model, series_of, step_in


@pytest.mark.parametrize(
    ("name", "step"),
    [
        ("checkpoint-1000", 1000), ("checkpoint_20", 20), ("step_1000", 1000), ("step-5", 5),
        ("global_step1500", 1500), ("global-step-3", 3), ("iter_0001000", 1000), ("ckpt-7", 7),
        ("epoch=3-step=1200.ckpt", 1200), ("model-step1000", 1000), ("0500", 500), ("CHECKPOINT-9", 9),
        ("llama-7b", None), ("run2", None), ("checkpoint-final", None), ("steps", None), ("v1.5", None),
        ("footstep-3", None), ("qwen2-1000", None),
    ],
)  # fmt: skip
def test_the_step_in_a_name(name: str, step: int | None) -> None:
    assert step_in(name) == step


@given(st.integers(0, 10**9), st.sampled_from(["checkpoint-", "step_", "global_step", "iter_", "ckpt-"]))
def test_every_step_is_read_back(step: int, head: str) -> None:
    assert step_in(f"{head}{step}") == step


@given(st.text(max_size=40))
def test_no_name_breaks_it(name: str) -> None:
    found = step_in(name)
    assert found is None or found >= 0


def test_the_trainers_own_record_counts_more_than_the_name(tmp_path: Path) -> None:
    folder = tmp_path / "wide-seed3" / "checkpoint-1000"
    folder.mkdir(parents=True)
    assert place_of(folder) == Place(1000, "wide", 3, "folder name")
    (folder / "trainer_state.json").write_text(json.dumps({"global_step": 998}))
    assert place_of(folder) == Place(998, "wide", 3, "trainer_state.json")
    (folder / "trainer_state.json").write_text("{ half")
    assert place_of(folder).step == 1000


def test_a_folder_of_checkpoints_is_no_series() -> None:
    assert series_of(Path("out/long/checkpoints/step_10")) == ("long", None)


def test_a_model_without_a_folder_has_no_place() -> None:
    assert place_of_model("dreamllm-mini") == Place()
    assert place_of_model("dreamllm:/x/base/checkpoint-30/").step == 30


def test_what_is_given_counts_first() -> None:
    assert joined(None, Place()) is None
    both = joined(Place(series="mine", source="given"), Place(5, "theirs", 1, "folder name"))
    assert both == Place(5, "mine", 1, "folder name")
