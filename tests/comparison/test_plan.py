"""`evalsuite plan`: samples for a difference, measured on runs or assumed."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from evalsuite.comparison.sample_size import plan_samples
from evalsuite.errors import SpecError
from evalsuite.stats import Spread, samples_needed
from tests.cli.program import here
from tests.comparison.runs import PLUGIN, make_run, registry
from tests.comparison.test_compare import right_and_wrong


def test_two_runs_tell_how_often_such_models_disagree(tmp_path: Path) -> None:
    base, candidate = right_and_wrong(200, 14, 18)
    paths = make_run(tmp_path / "a", base), make_run(tmp_path / "b", candidate)
    plan = plan_samples("numbers", runs=paths, registry=registry())
    assert plan.measured == Spread(0.16, binary=True)
    assert plan.samples(2) == samples_needed(0.02, Spread(0.16, binary=True))
    assert plan.available == 200
    assert "disagree on 16.0% of 200 samples" in plan.source


def test_clusters_of_two_runs_give_a_design_effect(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    base = np.repeat(rng.random(40), 5)
    candidate = base + np.repeat(rng.normal(0, 0.1, 40), 5)
    paths = [make_run(tmp_path / n, v.tolist(), per_cluster=5) for n, v in (("a", base), ("b", candidate))]
    plan = plan_samples("numbers", runs=(paths[0], paths[1]), registry=registry())
    assert plan.design_effect == pytest.approx(5)
    assert plan.measured is not None
    assert not plan.measured.binary


def test_a_corpus_metric_is_planned_from_its_resamples(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    base = rng.normal(size=300)
    candidate = base + 0.2 * rng.normal(size=300)
    paths = [make_run(tmp_path / n, v.tolist()) for n, v in (("a", base), ("b", candidate))]
    found = plan_samples("numbers", metric="median", runs=(paths[0], paths[1]), registry=registry())
    again = plan_samples("numbers", runs=(paths[0], paths[1]), registry=registry())
    assert again.measured is not None
    assert found.measured is not None
    assert again.measured.variance == pytest.approx(0.04, rel=0.2)
    assert found.measured.variance > again.measured.variance


def test_what_is_assumed_is_the_reverse_of_itself() -> None:
    plan = plan_samples("numbers", baseline=72, correlation=0.6, registry=registry())
    n = plan.samples(1.5)
    assert plan.detectable(n) == pytest.approx(1.5, rel=0.01)
    assert plan.power(n, 1.5) == pytest.approx(0.8, abs=0.01)
    assert plan.samples(1.5) == plan_samples(
        "numbers", baseline=0.72, correlation=0.6, registry=registry()
    ).samples(1.5)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"task": "nubmers"}, "no task 'nubmers'"),
        ({"task": "numbers", "metric": "mrak"}, "no metric 'mrak'"),
        ({"task": "numbers", "metric": "distance"}, "no share of right answers"),
        ({"task": "numbers", "baseline": 172}, "share of 172 %"),
        ({"task": "numbers", "correlation": 2}, "correlation of 2"),
        ({"task": "numbers", "sd": -1}, "standard deviation of -1"),
        ({"task": "numbers", "sd": 1, "baseline": 50}, "no baseline"),
        ({"task": "numbers", "design_effect": 0}, "design effect"),
    ],
)
def test_what_cannot_be_planned_is_refused(arguments: dict[str, object], said: str) -> None:
    with pytest.raises(SpecError, match=said):
        plan_samples(**arguments, registry=registry())  # type: ignore[arg-type]


def test_a_score_that_exceeds_one_is_no_share_though_displayed_times_100() -> None:
    with pytest.raises(SpecError, match="CIDEr is no share"):
        plan_samples("mini-coco-caption")
    assert plan_samples("mini-coco-caption", sd=300).samples(10) > 1000
    assert plan_samples("mini-coco-caption", metric="ROUGE-L").baseline == 0.5


def test_runs_that_tell_nothing_are_refused(tmp_path: Path) -> None:
    base, _ = right_and_wrong(20, 0, 0)
    a, b = make_run(tmp_path / "a", base), make_run(tmp_path / "b", base)
    with pytest.raises(SpecError, match="same score on all 20"):
        plan_samples("numbers", runs=(a, b), registry=registry())
    with pytest.raises(SpecError, match="has no scores of 'more-numbers'"):
        plan_samples("more-numbers", runs=(a, b), registry=registry())
    with pytest.raises(SpecError, match="With two runs, baseline"):
        plan_samples("numbers", runs=(a, b), sd=3, registry=registry())


def test_the_command_says_both_ways(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    forth = here(capsys, "plan", "--task", "numbers", "--detect", "0.5", "--plugin", PLUGIN)
    assert forth.returncode == 0
    needed = re.search(r"to detect a difference of 0.5: ([\d,]+) samples", forth.stdout)
    assert needed is not None
    assert "baseline 50.0%, correlation 0.5, assumed" in forth.stdout
    back = here(capsys, "plan", "-t", "numbers", "--samples", needed[1].replace(",", ""), "--plugin", PLUGIN)
    assert "samples detect a difference of 0.50" in back.stdout
    base, candidate = right_and_wrong(60, 4, 9)
    runs = make_run(tmp_path / "a", base), make_run(tmp_path / "b", candidate)
    measured = here(capsys, "plan", "-t", "numbers", "--detect", "2", "--runs", *runs, "--plugin", PLUGIN)
    assert "they disagree on 21.7% of 60 samples" in measured.stdout
    assert "the benchmark has 60" in measured.stdout
    assert here(capsys, "plan", "-t", "numbers", "--plugin", PLUGIN).returncode == 2
    assert here(capsys, "plan", "-t", "numbers", "--detect", "0", "--plugin", PLUGIN).returncode == 2
