"""From a published table to runs and verdicts, on a small real benchmark."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from evalsuite.published import find_table
from evalsuite.registry import Registry, load_registry
from evalsuite.reproduction import Reproduction, measure, subjects_of
from tests.cli.program import here
from tests.reproduction.image_files import PLUGIN, write_colours


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Registry:
    write_colours(tmp_path / "data" / "colours")
    monkeypatch.setenv("EVALSUITE_DATA", str(tmp_path / "data"))
    return load_registry([PLUGIN])


def _measured(registry: Registry, out: Path, *columns: str, **more: object) -> Reproduction:
    table = find_table(registry.published, "paper/main").table
    return measure(
        table,
        subjects_of(table),
        registry,
        out,
        columns=columns,
        plugins=(PLUGIN,),
        **more,  # type: ignore[arg-type]
    )


def _verdicts(found: Reproduction) -> dict[str, str]:
    return {one.column: one.verdict for one in found.comparisons}


def test_every_cell_of_a_table_gets_a_verdict_and_its_reasons(registry: Registry, tmp_path: Path) -> None:
    found = _measured(registry, tmp_path / "runs")
    assert _verdicts(found) == {
        "plain": "exact",
        "clipped": "differs",
        "verbatim": "exact",
        "hidden": "not comparable",
        "vague": "not comparable",
        "absent": "not measured",
        "latency": "not measured",
    }
    reasons = {one.column: "; ".join(one.reasons) for one in found.comparisons}
    assert "the answers are not public" in reasons["hidden"]
    assert "how the images were cut" in reasons["vague"]
    assert "colours-absent" in reasons["absent"]
    assert "depends on the machine" in reasons["latency"]
    differences = {one.column: one.difference for one in found.comparisons}
    assert differences["clipped"] == pytest.approx(75.0 - 30.0)
    assert found.exit_code == 1


def test_a_dry_run_says_what_is_needed_and_measures_nothing(registry: Registry, tmp_path: Path) -> None:
    found = _measured(registry, tmp_path / "runs", dry_run=True)
    assert not found.comparisons
    assert not (tmp_path / "runs").exists()
    states = {need.columns: (need.state, need.samples) for need in found.needs["colours-7B"]}
    assert states[("plain", "verbatim", "hidden", "vague")] == ("ready", 40)
    assert states[("clipped",)] == ("ready", 40)
    assert states[("absent",)] == ("cannot", None)


def test_missing_data_are_told_with_where_to_get_them_and_stop_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EVALSUITE_DATA", str(tmp_path / "empty"))
    found = _measured(load_registry([PLUGIN]), tmp_path / "runs", "plain", "latency")
    assert _verdicts(found) == {"plain": "not measured", "latency": "not measured"}
    assert "questions.json" in found.comparisons[0].reasons[0] or "data" in found.comparisons[0].reasons[0]


def test_started_again_nothing_is_asked_twice_and_the_plan_knows_the_time(
    registry: Registry, tmp_path: Path
) -> None:
    first = _measured(registry, tmp_path / "runs", "plain")
    table = find_table(registry.published, "paper/main").table
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "runs").rglob("responses.sqlite")}
    again = _measured(registry, tmp_path / "runs", "plain", "clipped")
    assert [need.state for need in again.needs["colours-7B"]] == ["stored", "ready"]
    assert again.needs["colours-7B"][1].seconds is not None
    assert (
        before.items()
        <= {p: p.stat().st_mtime_ns for p in (tmp_path / "runs").rglob("responses.sqlite")}.items()
    )
    assert first.comparisons[0] == again.comparisons[0]
    elsewhere = measure(
        table, subjects_of(table), registry, tmp_path / "other", columns=["plain"], reuse=[tmp_path / "runs"]
    )
    assert not (tmp_path / "other").exists()
    assert _verdicts(elsewhere) == {"plain": "exact"}


def test_a_seed_that_is_asked_for_is_measured_and_not_taken_from_another(
    registry: Registry, tmp_path: Path
) -> None:
    _measured(registry, tmp_path / "runs", "plain")
    other = _measured(registry, tmp_path / "runs", "plain", seed=3)
    assert [need.state for need in other.needs["colours-7B"]] == ["ready"]
    again = _measured(registry, tmp_path / "runs", "plain", seed=3)
    (need,) = again.needs["colours-7B"]
    assert need.detail.endswith("seed-3")


def test_a_trial_with_a_limit_does_not_stand_in_the_way_of_the_whole(
    registry: Registry, tmp_path: Path
) -> None:
    trial = _measured(registry, tmp_path / "runs", "plain", limit=8)
    assert _verdicts(trial) == {"plain": "not comparable"}
    whole = _measured(registry, tmp_path / "runs", "plain")
    assert not whole.errors
    assert _verdicts(whole) == {"plain": "exact"}


def test_a_subset_and_another_size_of_model_are_not_comparable(registry: Registry, tmp_path: Path) -> None:
    subset = _measured(registry, tmp_path / "runs", "plain", limit=8)
    assert subset.comparisons[0].verdict == "not comparable"
    assert "subset: 8 samples" in subset.comparisons[0].reasons
    table = find_table(registry.published, "paper/main").table
    larger = measure(
        table,
        subjects_of(table, "colours", ["colours-70B"]),
        registry,
        tmp_path / "runs70",
        columns=["plain", "clipped"],
        plugins=(PLUGIN,),
    )
    assert _verdicts(larger) == {"plain": "not comparable", "clipped": "not published"}
    assert larger.comparisons[0].reasons[0] == "model: 7 G parameters, the published one 70 G"
    assert "recalled-low" in larger.comparisons[0].reasons[1]


def test_the_command_prints_and_writes_the_verdicts(
    registry: Registry, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments: list[str | Path] = [
        "reproduce",
        "paper/main",
        "--plugin",
        PLUGIN,
        "--out",
        tmp_path / "runs",
        "--column",
        "plain",
    ]
    done = here(capsys, *arguments, "--write", tmp_path / "r.json")
    assert done.returncode == 0, done.stderr
    assert "exact" in done.stdout
    assert "1 published numbers: 1 exact" in done.stdout
    assert json.loads((tmp_path / "r.json").read_text())["cells"][0]["verdict"] == "exact"
    done = here(capsys, *arguments, "--column", "clipped", "--write", tmp_path / "r.md")
    assert done.returncode == 1
    assert "| colours-7B | clipped | 30.0 | 75.0" in (tmp_path / "r.md").read_text()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("nowhere/main",), "There are no published numbers 'nowhere'"),
        (("paper/second",), "It has paper/main"),
        (("paper/main", "--row", "colours-8B"), "Did you mean"),
        (("paper/main", "--column", "plane"), "Did you mean plain"),
        (("paper/main", "--row", "colours-70B"), "Name yours with --model"),
        (("paper/main", "--dry-run", "--write", "plan.txt"), "neither .md nor .json"),
    ],
)
def test_what_is_not_in_the_table_is_one_clear_error(
    arguments: tuple[str, ...], told: str, registry: Registry, capsys: pytest.CaptureFixture[str]
) -> None:
    done = here(capsys, "reproduce", *arguments, "--plugin", PLUGIN)
    assert done.returncode == 2
    assert told in done.stderr


def test_the_synergy_table_of_the_miniature_is_reproduced(tmp_path: Path) -> None:
    registry = load_registry()
    table = find_table(registry.published, "mini/synergy").table
    found = measure(table, subjects_of(table), registry, tmp_path / "runs")
    assert not found.errors
    printed = [one for one in found.comparisons if one.published is not None]
    assert len(printed) == 14
    # To the digit on the machine that measured them; elsewhere arithmetic may differ by a sample or two.
    assert {one.verdict for one in printed} <= {"exact", "reproduced"}
    assert found.exit_code == 0


def test_what_a_row_is_measured_with_goes_where_the_user_says(registry: Registry) -> None:
    table = find_table(registry.published, "paper/main").table
    (subject,) = subjects_of(table, device="cuda:1", dtype="bfloat16")
    assert (subject.model.device, subject.model.dtype) == ("cuda:1", "bfloat16")


def test_a_plan_says_the_whole_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("EVALSUITE_DATA", str(tmp_path))
    done = here(capsys, "reproduce", "dreamllm/table-1", "--model", "random", "--column", "COCO", "--dry-run")
    assert "or put it at $EVALSUITE_DATA/coco-caption-karpathy" in " ".join(done.stdout.split())
