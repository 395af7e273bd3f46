"""The plot of two metrics: runs of one model as a curve along the option in which they differ."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image as pil

from evalsuite.errors import SpecError, StoreError
from evalsuite.running import run
from evalsuite.spec import ModelSpec, RunSpec, TaskSpec
from evalsuite.store import RunReader
from evalsuite.tradeoff import draw, gather
from tests.study.conftest import PLUGIN


def measured(folder: Path, model: str, subset: int = 4, **options: str) -> Path:
    task = TaskSpec(name="mini-magicbrush", options={"metrics": "L1,L2,edit_success", "subset": str(subset)})
    spec = RunSpec(model=ModelSpec(name=model, options=options), tasks=(task,), plugins=(PLUGIN,))
    run(spec, folder)
    return folder


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("tradeoff")
    shades = [measured(folder / f"one-{shade}", "writer-one", shade=shade) for shade in ("200", "90", "10")]
    return [*shades, measured(folder / "two", "writer-two")]


@pytest.mark.slow
def test_a_point_stands_where_its_run_was_measured_and_curves_go_along_the_option(runs: list[Path]) -> None:
    found = gather(runs, "L2", "L1")
    assert [(point.curve, point.option) for point in found.points] == [
        ("writer-one", "10"), ("writer-one", "90"), ("writer-one", "200"), ("writer-two", ""),
    ]  # fmt: skip
    assert found.option == "shade"
    with RunReader(runs[0]) as reader:
        values = {e.metric.name: e for e in reader.metrics()[0].estimates if not e.group}
    last = found.points[2]
    assert (last.x.value, last.y.value) == pytest.approx((values["L2"].value, values["L1"].value))
    assert last.y.low <= last.y.value <= last.y.high


@pytest.mark.slow
def test_the_plot_is_an_image_and_the_same_each_time(runs: list[Path], tmp_path: Path) -> None:
    found = gather(runs, "L2", "L1")
    for name in ("a.png", "b.png", "c.svg"):
        draw(found, tmp_path / "new" / name)
    first, second = ((tmp_path / "new" / name).read_bytes() for name in ("a.png", "b.png"))
    assert first == second
    with pil.open(tmp_path / "new/a.png") as picture:
        assert picture.width > 600
        assert len(set(picture.convert("L").resize((64, 64)).getdata())) > 20
    assert b"<svg" in (tmp_path / "new/c.svg").read_bytes()
    with pytest.raises(SpecError, match=r"neither \.png"):
        draw(found, tmp_path / "a.gif")


@pytest.mark.slow
def test_runs_that_were_measured_differently_share_no_axis(runs: list[Path], tmp_path: Path) -> None:
    other = measured(tmp_path / "other", "writer-two", subset=5)
    with pytest.raises(SpecError, match="measured mini-magicbrush differently"):
        gather([runs[0], other], "L2", "L1")
    with pytest.raises(SpecError, match="no metric 'L3'"):
        gather(runs, "L3", "L1")
    with pytest.raises(SpecError, match="has no task 'x'"):
        gather(runs, "L2", "L1", task="x")
    (runs[3] / "metrics.json").rename(tmp_path / "kept.json")
    try:
        with pytest.raises(StoreError, match="is not scored"):
            gather(runs, "L2", "L1")
    finally:
        (tmp_path / "kept.json").rename(runs[3] / "metrics.json")


@pytest.mark.slow
def test_several_options_that_differ_must_be_named(runs: list[Path], tmp_path: Path) -> None:
    named = measured(tmp_path / "named", "writer-one", shade="50", depth="3")
    with pytest.raises(SpecError, match="differ in several options: depth, shade"):
        gather([runs[0], named], "L2", "L1")
    found = gather([runs[0], named], "L2", "L1", option="shade")
    assert {(point.curve, point.option) for point in found.points} == {
        ("writer-one (depth=3)", "50"), ("writer-one", "200"),
    }  # fmt: skip


@pytest.mark.slow
def test_without_a_task_it_is_the_first_that_has_both_metrics_in_all_runs(tmp_path: Path) -> None:
    named = (TaskSpec(name="mini-coco-t2i"), TaskSpec(name="mini-magicbrush"))
    for folder, tasks in (("both", named), ("one", named[1:])):
        run(RunSpec(model=ModelSpec(name="random"), tasks=tasks, limit=3), tmp_path / folder)
    found = gather([tmp_path / "both", tmp_path / "one"], "L1", "edit_success")
    assert found.task == "mini-magicbrush"
