"""`evalsuite track`: runs into curves."""

from __future__ import annotations

import csv
import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

import evalsuite
from evalsuite.errors import SpecError, StoreError
from evalsuite.model.steps import Place
from evalsuite.running import run
from evalsuite.spec import ExecutionOptions
from evalsuite.store import read_manifest
from evalsuite.tracking import drawing, rendering, track
from tests.cli.program import here
from tests.comparison.runs import make_run, registry
from tests.tracking.trained import checkpoint_run, right

STEPS = [1000 * i for i in range(1, 21)]


@pytest.fixture(scope="module")
def twenty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty checkpoints, better and better until the 15th; one without a step beside them."""
    folder = tmp_path_factory.mktemp("twenty")
    for i, step in enumerate(STEPS):
        checkpoint_run(folder / f"run-{step}", right(min(i, 14) / 20 + 0.2), step)
    make_run(folder / "other", right(0.5), name="other")
    return folder


def test_twenty_checkpoints_stand_in_the_order_of_their_steps(twenty: Path) -> None:
    found = track(twenty)
    (curve,) = found.curves
    assert list(curve.steps) == STEPS
    assert [p.value for p in curve.points] == pytest.approx(
        [round(60 * (min(i, 14) / 20 + 0.2)) / 60 for i in range(20)]
    )
    assert curve.best is not None
    assert curve.best.step == 15_000
    assert set(curve.best.alike) >= {16_000, 17_000, 18_000, 19_000, 20_000}
    assert 1000 not in curve.best.alike
    assert sum(curve.best.probability.values()) == pytest.approx(1)
    assert curve.change is not None
    assert (curve.change.before, curve.change.after, curve.change.verdict) == (19_000, 20_000, "no evidence")
    assert found.notes == (f"without a step, left out: {twenty / 'other'}",)


def test_the_last_change_is_paired_and_tested(tmp_path: Path) -> None:
    checkpoint_run(tmp_path / "a", right(0.5), 100)
    checkpoint_run(tmp_path / "b", right(0.8), 200)
    (curve,) = track(tmp_path).curves
    assert curve.change is not None
    assert curve.change.verdict == "better"
    assert (curve.change.difference.better, curve.change.difference.worse) == (18, 0)
    assert curve.change.difference.p == pytest.approx(2 * 0.5**18)
    compared = evalsuite.compare(tmp_path / "a", tmp_path / "b", registry=registry())
    assert compared.rows[0].difference.value == curve.change.difference.value


def test_seeds_are_joined_and_series_kept_apart(tmp_path: Path) -> None:
    for step in (1, 2):
        for seed in (0, 1):
            checkpoint_run(
                tmp_path / f"a{step}{seed}", right(0.4 + step / 10 + seed / 20), step, train_seed=seed
            )
        checkpoint_run(tmp_path / f"b{step}", right(0.3), step, series="wide")
    found = track(tmp_path)
    assert [(c.series, [p.seeds for p in c.points]) for c in found.curves] == [
        ("base", [2, 2]),
        ("wide", [1, 1]),
    ]
    first = found.curves[0].points[0]
    assert first.value == pytest.approx((0.5 + 33 / 60) / 2)
    assert first.low < first.value < first.high


def test_a_step_measured_twice_is_one_clear_error(tmp_path: Path) -> None:
    checkpoint_run(tmp_path / "first", right(0.5), 100)
    checkpoint_run(tmp_path / "again", right(0.5), 100)
    with pytest.raises(SpecError, match=r"step 100 of base was measured twice .*again.*first") as raised:
        track(tmp_path)
    assert "--series" in raised.value.remedy


def test_a_step_that_a_task_lacks_is_told(tmp_path: Path) -> None:
    checkpoint_run(tmp_path / "1", right(0.5), 1, tasks=("numbers", "more-numbers"))
    checkpoint_run(tmp_path / "2", right(0.6), 2, tasks=("numbers",))
    checkpoint_run(tmp_path / "3", right(0.6), 3, tasks=("numbers", "more-numbers"))
    found = track(tmp_path)
    assert found.notes == ("more-numbers: base lacks step 2",)
    assert [curve.missing for curve in found.curves] == [(), (2,)]


def test_runs_without_steps_and_folders_without_runs(tmp_path: Path) -> None:
    make_run(tmp_path / "plain", right(0.5))
    with pytest.raises(SpecError, match="No run knows its step") as raised:
        track(tmp_path)
    assert "--step" in raised.value.remedy
    with pytest.raises(StoreError, match="there is no such folder"):
        track(tmp_path / "nothing")
    make_run(tmp_path / "step-7", right(0.5))
    assert track(tmp_path / "step-7").curves[0].steps == (7,)
    with pytest.raises(SpecError, match=r"No run has a task 'nmubers'.*numbers"):
        track(tmp_path / "step-7", tasks=["nmubers"])


def test_metrics_that_are_no_means_are_tracked_too(tmp_path: Path) -> None:
    checkpoint_run(tmp_path / "1", right(0.5), 1)
    checkpoint_run(tmp_path / "2", right(0.9), 2)
    found = {c.metric.name: c for c in track(tmp_path, all_metrics=True, registry=registry()).curves}
    distance = found["distance"]
    assert distance.best is not None
    assert (distance.best.step, distance.best.paired) == (2, False)
    assert distance.change is not None
    assert not distance.change.difference.paired
    exact = track(tmp_path, all_metrics=True, exact=True, registry=registry()).curves
    (change,) = [c.change for c in exact if c.metric.name == "distance"]
    assert change is not None
    assert change.difference.paired
    assert change.verdict == "better"  # lower is better
    assert len(track(tmp_path, groups=True).curves) == 3


def test_the_step_is_recorded_and_another_is_refused(tmp_path: Path) -> None:
    from evalsuite.spec import RunSpec
    from evalsuite.store import RunReader

    out = checkpoint_run(tmp_path / "a", right(0.5), 100)
    assert read_manifest(out).training == Place(100, "base", None, "given")
    with RunReader(out) as reader:
        spec: RunSpec = reader.spec
    options = ExecutionOptions(self_check=False)
    run(spec, out, options, registry())
    assert read_manifest(out).training == Place(100, "base", None, "given")
    with pytest.raises(StoreError, match="step: 100 -> 200"):
        run(spec, out, options, registry(), place=Place(200, "", None, "given"))
    run(spec, out, options, registry(), place=Place(100, "", 4, "given"))
    assert read_manifest(out).training == Place(100, "base", 4, "given")


def test_a_run_of_an_earlier_version_has_no_place_and_is_read(tmp_path: Path) -> None:
    out = checkpoint_run(tmp_path / "checkpoint-40", right(0.5))
    text = json.loads((out / "run.json").read_text())
    del text["training"]
    (out / "run.json").write_text(json.dumps(text))
    assert track(out).curves[0].steps == (40,)


def test_the_command_prints_80_columns_and_writes_every_format(
    twenty: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [tmp_path / f"curves{kind}" for kind in (".png", ".svg", ".csv", ".json", ".md", ".pdf")]
    done = here(capsys, "track", twenty, *(word for file in files for word in ("-o", file)))
    assert done.returncode == 0, done.stderr
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert "20 steps, 1000 to 20000" in done.stdout
    assert "best 15000" in done.stdout
    png, svg, table, told, text, pdf = files
    assert png.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    assert pdf.read_bytes()[:5] == b"%PDF-"
    assert "numbers mark" in "".join(ET.parse(svg).getroot().itertext())
    rows = list(csv.DictReader(table.open()))
    assert [int(row["step"]) for row in rows] == STEPS
    assert [row["step"] for row in rows if row["best"] == "True"] == ["15000"]
    (curve,) = json.loads(told.read_text())["curves"]
    assert [point["step"] for point in curve["points"]] == STEPS
    assert curve["best"]["step"] == 15000
    assert text.read_text().count("\n| ") >= 21
    assert "**90.0" in text.read_text()
    done = here(capsys, "track", twenty, "-o", tmp_path / "x.xlsx")
    assert done.returncode == 2
    assert ".png" in done.stderr


def test_the_same_runs_give_the_same_plot(twenty: Path, tmp_path: Path) -> None:
    found = track(twenty)
    for name in ("a.svg", "b.svg"):
        drawing.draw(found, tmp_path / name)
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


def test_names_of_series_are_text(tmp_path: Path) -> None:
    checkpoint_run(tmp_path / "a", right(0.5), 1, series="=cmd|' /C calc'!A0 $x_1$ <b>\x1b[31m")
    checkpoint_run(tmp_path / "b", right(0.6), 2, series="=cmd|' /C calc'!A0 $x_1$ <b>\x1b[31m")
    found = track(tmp_path)
    assert "\x1b" not in rendering.text(found)
    row = next(csv.DictReader(rendering.to_csv(found).splitlines()))
    assert not row["series"].startswith("=")
    assert "<b>" not in rendering.markdown(found)
    drawing.draw(found, tmp_path / "plot.png")


def test_run_takes_step_series_and_seed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from tests.comparison.runs import PLUGIN

    values = tmp_path / "values.json"
    values.write_text(json.dumps(right(0.5)))
    common = ("run", "--plugin", PLUGIN, "-m", "script", "--option", f"values={values}", "-t", "numbers",
              "--step", "300", "--series", "wide", "--train-seed", "2")  # fmt: skip
    done = here(capsys, *common, "-o", tmp_path / "a")
    assert done.returncode == 0, done.stderr
    assert read_manifest(tmp_path / "a").training == Place(300, "wide", 2, "given")
    config = tmp_path / "run.yaml"
    config.write_text("step: 400\nseries: deep\n")
    done = here(capsys, *common[:9], "--config", config, "-o", tmp_path / "b")
    assert done.returncode == 0, done.stderr
    assert read_manifest(tmp_path / "b").training == Place(400, "deep", None, "given")
