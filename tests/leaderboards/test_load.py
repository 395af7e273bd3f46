"""From runs on disk to the frame."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from evalsuite.errors import StoreError
from evalsuite.leaderboards import load, table
from evalsuite.leaderboards.frame import _told
from evalsuite.running.scoring import score_run
from tests.engine.support import run_sums, sums_registry, sums_spec


def test_numbers_of_runs_in_nested_folders_become_one_frame(tmp_path: Path) -> None:
    run_sums(sums_spec("sums", "sum-choices"), tmp_path / "deep" / "first")
    run_sums(sums_spec("sums", limit=5, weights="v2"), tmp_path / "second")
    frame = load([tmp_path])
    whole = frame[(frame["group"] == "") & (frame["task"] == "sums")].set_index("run")
    first, second = whole.loc[str(tmp_path / "deep" / "first")], whole.loc[str(tmp_path / "second")]
    assert (first["model"], first["n"], first["total"], first["protocol"]) == ("adder", 20, 20, "plain")
    assert first["low"] < first["value"] < first["high"]
    assert (second["limit"], second["n"]) == (5, 5)
    assert set(frame["group"]) == {"", "parity=even", "parity=odd"}
    assert [row.name for row in table(frame).rows] == ["adder [first]", "adder [second]"]


def test_two_sets_of_rules_are_two_columns(tmp_path: Path) -> None:
    run_sums(sums_spec(), tmp_path / "run")
    score_run(tmp_path / "run", "lenient", sums_registry())
    columns = table(load([tmp_path / "run"])).columns
    assert [column.variant for column in columns] == ["rules official", "rules lenient"]


def test_a_damaged_run_among_others_is_left_out_and_alone_is_an_error(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run_sums(sums_spec(), tmp_path / "good")
    bad = tmp_path / "bad"
    bad.mkdir()
    (bad / "run.json").write_text("{")
    assert set(load([tmp_path])["run"]) == {str(tmp_path / "good")}
    assert "bad is left out" in caplog.text
    with pytest.raises(StoreError, match=r"run\.json is not a run's description"):
        load([bad])


def test_a_model_of_whom_every_sample_failed_is_shown_without_a_number(tmp_path: Path) -> None:
    run_sums(sums_spec(), tmp_path / "good")
    run_sums(sums_spec(guilty="=", weights="v2"), tmp_path / "guilty")
    found = table(load([tmp_path]))
    cells = {row.name: row.cells[0] for row in found.rows}
    failed = cells["adder [guilty]"]
    assert failed is not None
    assert math.isnan(failed.value)
    assert (failed.n, failed.marks, failed.rank) == (0, "‡", None)
    assert found.notes == ("‡ failed samples, not in the score: adder [guilty] on sums (20 of 20)",)
    assert len(table(load([tmp_path / "guilty"])).rows) == 1


@pytest.mark.parametrize("other", ["network", "digest"])
def test_scorers_that_differ_late_in_a_name_are_told_apart(other: str) -> None:
    one = {"network": "miniCLIP-of-the-first", "digest": "a" * 64}
    two = {**one, other: "miniCLIP-of-the-second" if other == "network" else "b" * 64}
    assert _told(one) != _told(two)
    assert _told(one) == "digest aaaaaaaaaaaaaaaa, network miniCLIP-of-the-first"


def test_folders_without_runs_say_so(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="There is no run in"):
        load([tmp_path])
    with pytest.raises(StoreError, match="is not a run"):
        load([tmp_path / "absent"])
