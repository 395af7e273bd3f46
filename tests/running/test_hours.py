"""How long a run will take, from what an earlier one took."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

import evalsuite
from evalsuite.errors import DataError, SpecError
from evalsuite.registry import Registry, load_registry
from evalsuite.running.hours import Rate, plan_hours
from evalsuite.store import RunReader
from tests.cli.program import PLUGIN, here
from tests.engine.support import run_sums, sums_spec


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of sums and images, with times that are set: 2 s per sum, 3 s per image, half of it waiting."""
    out = tmp_path_factory.mktemp("rates") / "run"
    run_sums(sums_spec("sums", "sum-images", count=8), out, batch_size=1, self_check=False)
    with RunReader(out) as run:
        records = {key: list(run.records(key)) for key in run.task_keys}
    import sqlite3

    with sqlite3.connect(out / "responses.sqlite") as store:
        for key, found in records.items():
            for place, record in enumerate(found):
                images = len(getattr(record.response, "images", ()))
                seconds = 3.0 * images if images else 2.0
                store.execute(
                    "UPDATE responses SET seconds = ?, created = ?, batch_size = 1 WHERE task = ? AND sample "
                    "= ? AND step = ?",
                    (seconds, 1000.0 + 2 * seconds * place, key, record.sample, record.step),
                )
    return out


def registry() -> Registry:
    return load_registry([PLUGIN])


def test_rates_times_samples_over_devices(measured: Path) -> None:
    plan = plan_hours(measured, ["sums", "sum-images"], devices=4, samples=5, registry=registry())
    sums, images = plan.tasks
    waiting = 1 / sums.rate.busy
    assert sums.rate.busy == pytest.approx(16 / (2 + 7 * 4), rel=1e-6)
    assert (sums.samples, sums.images) == (5, 0)
    assert sums.seconds_each == pytest.approx(2 * waiting)
    assert images.images == 5
    assert images.seconds_each == pytest.approx(3 / images.rate.busy)
    total = (5 * sums.seconds_each + images.images * images.seconds_each) / 3600
    assert plan.device_hours == pytest.approx(total)
    assert plan.hours == pytest.approx(total / 4)


def test_the_row_of_the_paper_is_its_images_times_steps(measured: Path) -> None:
    """240,000 images of 150 steps: as docs/scale.md computes it."""
    plan = plan_hours(measured, "coco-30k", devices=8, registry=registry())
    (row,) = plan.tasks
    assert (row.samples, row.images, row.steps) == (30_000, 240_000, 150)
    assert row.device_hours == pytest.approx(240_000 * row.seconds_each / 3600)
    assert any("not on this task" in note for note in row.notes)
    assert any("512x512" in note for note in row.notes)
    fewer = plan_hours(measured, "coco-30k", generations=1, steps=25, registry=registry())
    assert fewer.tasks[0].images == 30_000
    single = plan_hours(measured, "coco-30k", protocol="single", registry=registry())
    assert single.tasks[0].images == 30_000


def test_steps_scale_and_what_is_not_known_is_said() -> None:
    rate = Rate("t", "image", 4, 8, 50, (512, 512), 16.0, 0.8)
    assert rate.seconds_each == pytest.approx(2.5)
    assert replace(rate, images=0).seconds_each == pytest.approx(5.0)


def test_what_cannot_be_planned_is_one_error(measured: Path, tmp_path: Path) -> None:
    for tasks, changes, message in (
        ([], {}, "No task is named"),
        (["mini-magicbrush"], {}, "nothing that is like mini-magicbrush"),
        (["sums"], {"devices": 0}, "devices=0"),
        (["smus"], {}, "Did you mean"),
    ):
        with pytest.raises(SpecError, match=message):
            plan_hours(measured, tasks, registry=registry(), **changes)  # type: ignore[arg-type]
    with pytest.raises((DataError, SpecError)):
        plan_hours(tmp_path, "sums")


@pytest.mark.slow
def test_the_command_prints_hours_and_json(measured: Path, capsys: pytest.CaptureFixture[str]) -> None:
    typed = ("plan", "--rates", measured, "--task", "coco-30k", "--devices", "8", "--plugin", PLUGIN)
    shown = here(capsys, *typed)
    assert shown.returncode == 0, shown.stderr
    assert "240,000" in shown.stdout
    assert "hours on 8 devices" in shown.stdout
    found = json.loads(here(capsys, *typed, "--json").stdout)
    assert found["tasks"][0]["images"] == 240_000
    assert found["hours"] == pytest.approx(found["device_hours"] / 8)
    assert evalsuite.plan_hours(measured, "coco-30k", devices=8, registry=registry()).to_dict() == found
    for wrong in (("plan", "--task", "sums", "--devices", "8"), ("plan", "--detect", "1")):
        assert here(capsys, *wrong).returncode == 2
