"""Comparisons of runs on disk: what is paired, what is refused, what a verdict says."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats as scipy_stats

from evalsuite.comparison import Gates, compare
from evalsuite.errors import SpecError, StoreError
from evalsuite.model.steps import Place
from evalsuite.stats import tango
from tests.cli.program import here
from tests.comparison.runs import make_run, registry


def right_and_wrong(n: int, better: int, worse: int) -> tuple[list[float], list[float]]:
    """Scores of two runs of n samples, half of which are right, that differ as told."""
    base = [1.0] * (n // 2) + [0.0] * (n - n // 2)
    candidate = list(base)
    candidate[:worse] = [0.0] * worse
    candidate[n - better :] = [1.0] * better
    return base, candidate


@pytest.mark.slow
def test_right_and_wrong_answers_are_compared_by_mcnemars_test(tmp_path: Path) -> None:
    base, candidate = right_and_wrong(60, 2, 14)
    found = compare(make_run(tmp_path / "a", base), make_run(tmp_path / "b", candidate))
    (row,) = found.rows
    assert (row.difference.n, row.difference.better, row.difference.worse) == (60, 2, 14)
    assert row.difference.value == pytest.approx(-12 / 60)
    assert row.difference.p == pytest.approx(scipy_stats.binomtest(2, 16).pvalue)
    assert (row.difference.low, row.difference.high) == tango(2, 14, 60)
    assert (row.verdict, found.passed, found.exit_code) == ("worse", False, 1)
    back = compare(tmp_path / "b", tmp_path / "a")
    assert (back.rows[0].verdict, back.passed) == ("better", True)


@pytest.mark.slow
def test_runs_of_equal_scores_are_no_regression(tmp_path: Path) -> None:
    base, _ = right_and_wrong(60, 0, 0)
    found = compare(make_run(tmp_path / "a", base), make_run(tmp_path / "b", base))
    assert (found.rows[0].verdict, found.rows[0].p, found.passed) == ("no evidence", 1, True)
    assert found.rows[0].difference.low < 0 < found.rows[0].difference.high


@pytest.mark.slow
def test_corpus_metrics_and_distances_are_computed_again_with_the_same_draws(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    base = rng.random(200)
    candidate = np.clip(base - 0.1 + 0.02 * rng.normal(size=200), 0, 1)
    paths = make_run(tmp_path / "a", base.tolist()), make_run(tmp_path / "b", candidate.tolist())
    found = compare(*paths, all_metrics=True, registry=registry())
    rows = {row.metric.name: row for row in found.rows}
    assert rows["median"].difference.value == pytest.approx(np.median(candidate) - np.median(base))
    assert "paired bootstrap (percentile)" in rows["median"].difference.method
    assert "paired half-samples" in rows["distance"].difference.method
    # Unpaired, a median of 200 uniform numbers is known to about 0.07; paired, the common part cancels.
    assert rows["median"].difference.high < -0.05
    assert [row.verdict for row in found.rows] == ["worse", "worse", "worse"]
    assert rows["distance"].gain < 0 < rows["distance"].difference.value


@pytest.mark.slow
def test_without_the_benchmarks_data_corpus_metrics_are_compared_by_their_intervals_and_it_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rng = np.random.default_rng(1)
    gone = tmp_path / "gone"
    paths = [make_run(tmp_path / n, rng.random(60).tolist(), gone=gone) for n in "ab"]
    gone.touch()
    found = compare(*paths, all_metrics=True, registry=registry())
    rows = {row.metric.name: row.difference for row in found.rows}
    assert rows["mark"].paired
    assert not rows["median"].paired
    assert "from the stored intervals (The numbers are gone)" in rows["median"].method
    assert any("Not paired" in note and "numbers median" in note for note in found.notes)
    assert "stored intervals" in caplog.text


@pytest.mark.slow
def test_clusters_count_as_wholes(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    base = np.repeat(rng.random(12), 10)
    candidate = base - np.repeat(rng.normal(0.05, 0.1, 12), 10)
    alone = compare(make_run(tmp_path / "a", base.tolist()), make_run(tmp_path / "b", candidate.tolist()))
    tens = [make_run(tmp_path / n, v.tolist(), per_cluster=10) for n, v in (("c", base), ("d", candidate))]
    clustered = compare(*tens)
    a, b = alone.rows[0].difference, clustered.rows[0].difference
    assert b.high - b.low > 2 * (a.high - a.low)
    assert b.p > a.p
    assert "12 clusters" in b.method


@pytest.mark.slow
def test_failed_samples_are_left_out_of_the_pairs_and_may_not_grow(tmp_path: Path) -> None:
    base, _ = right_and_wrong(40, 0, 0)
    worse: list[float | str | None] = [*base]
    worse[20:23] = [None, None, "unscorable"]  # three that were wrong: leaving them out would flatter
    paths = make_run(tmp_path / "a", base), make_run(tmp_path / "b", worse)
    found = compare(*paths)
    assert found.rows[0].difference.n == 37
    assert found.rows[0].difference.value == 0
    (failed,) = found.failed
    assert failed.rule == "failures"
    assert "3 of 40 samples have no score, 0 of 40 in the base" in failed.message
    assert compare(*paths, gates=Gates(max_failures=0.1)).passed
    assert compare(paths[1], paths[0]).passed


@pytest.mark.slow
def test_many_tasks_are_corrected_for(tmp_path: Path) -> None:
    base, candidate = right_and_wrong(60, 1, 9)
    tasks = ("numbers", "more-numbers", "further-numbers")
    paths = [
        make_run(tmp_path / name, values, tasks=tasks) for name, values in (("a", base), ("b", candidate))
    ]
    p = scipy_stats.binomtest(1, 10).pvalue
    assert 0.05 / 3 < p < 0.05
    alone, all_three = compare(*paths, tasks=["numbers"]), compare(*paths)
    assert [row.verdict for row in alone.rows] == ["worse"]
    assert [row.verdict for row in all_three.rows] == ["no evidence"] * 3
    assert all_three.rows[0].p == pytest.approx(3 * p)
    assert all_three.passed
    hochberg = compare(*paths, gates=Gates(correction="benjamini-hochberg"))
    assert [row.verdict for row in hochberg.rows] == ["worse"] * 3


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changes", "said", "aspect"),
    [
        ({"protocol": "fancy"}, "protocol plain against fancy", "protocol"),
        ({"rules": "lenient"}, "rules official against lenient", "rules"),
        ({"seed": 1}, "seed 0 against 1", "seed"),
        ({"limit": 30}, "limit none against 30", "limit"),
        ({"version": "2"}, "version 1 against 2", "version"),
        ({"edition": "2"}, "data ", "data"),
    ],
)
def test_runs_that_were_not_measured_alike_are_refused_unless_it_is_allowed(
    tmp_path: Path, changes: dict[str, Any], said: str, aspect: str
) -> None:
    base, candidate = right_and_wrong(60, 3, 6)
    paths = make_run(tmp_path / "a", base), make_run(tmp_path / "b", candidate, **changes)
    with pytest.raises(SpecError, match=f"numbers: .*{said}") as refused:
        compare(*paths)
    assert f"--allow {aspect}" in refused.value.remedy
    allowed = compare(*paths, allow=[aspect])
    assert any(said in note for note in allowed.notes)
    assert allowed.rows[0].difference.paired == (aspect not in ("version", "data"))


@pytest.mark.slow
def test_a_subset_is_compared_on_its_own_samples(tmp_path: Path) -> None:
    base, candidate = right_and_wrong(60, 3, 6)
    paths = make_run(tmp_path / "a", base), make_run(tmp_path / "b", candidate, limit=30)
    assert compare(*paths, allow=["limit"]).rows[0].difference.n == 30


@pytest.mark.slow
def test_subsets_with_little_in_common_are_compared_unpaired_and_it_is_said(tmp_path: Path) -> None:
    base, candidate = right_and_wrong(200, 3, 6)
    paths = [
        make_run(tmp_path / name, values, limit=20, seed=seed)
        for name, values, seed in (("a", base, 0), ("b", candidate, 1))
    ]
    found = compare(*paths, allow=["seed"], all_metrics=True, registry=registry())
    assert not any(row.difference.paired for row in found.rows)
    assert found.rows[0].difference.n == 20
    assert any(note.startswith("Not paired") for note in found.notes)


@pytest.mark.slow
def test_seeds_are_repetitions_whose_spread_widens_the_interval(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    hard = rng.random(60)
    for side, luck in (("a", [0.0, 0.0, 0.0]), ("b", [-0.1, 0.0, 0.1])):
        for seed, shift in enumerate(luck):
            values = np.clip(hard + shift + 0.05 * rng.normal(size=60), -1, 2)
            make_run(tmp_path / side / str(seed), values.tolist(), seed=seed)
    one = compare(tmp_path / "a" / "1", tmp_path / "b" / "1")
    three = compare(tmp_path / "a", tmp_path / "b", all_metrics=True, registry=registry())
    assert "3 against 3 runs" in three.rows[0].difference.method
    wide, narrow = three.rows[0].difference, one.rows[0].difference
    assert wide.high - wide.low > 5 * (narrow.high - narrow.low)
    assert abs(wide.value) < 0.05
    assert "3 against 3 runs" in three.rows[1].difference.method
    with pytest.raises(SpecError, match="seed 0, 1, 2 against 1"):
        compare(tmp_path / "a", tmp_path / "b" / "1")


@pytest.mark.slow
def test_trainings_with_different_seeds_are_repetitions_where_their_runs_say_so(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    hard = rng.random(60)
    for side, shift in (("a", 0.0), ("b", 0.3)):
        for seed in range(3):
            values = hard + shift + 0.05 * rng.normal(size=60)
            place = Place(None, f"recipe-{side}", seed)
            name, told = f"{side}{seed}", np.clip(values, -1, 2).tolist()
            make_run(tmp_path / side / str(seed), told, name=name, weights=name, place=place)
    found = compare(tmp_path / "a", tmp_path / "b")
    assert (found.base, found.candidate) == ("recipe-a", "recipe-b")
    difference = found.rows[0].difference
    assert "3 against 3 runs" in difference.method
    assert difference.value == pytest.approx(0.3, abs=0.05)

    again = tmp_path / "a" / "again"
    same = Place(None, "recipe-a", 2)
    make_run(again, hard.tolist(), name="a3", weights="a3", place=same)
    with pytest.raises(SpecError, match="several models"):  # two trainings of one seed
        compare(tmp_path / "a", tmp_path / "b")
    shutil.rmtree(again)
    make_run(again, hard.tolist(), name="a2", weights="a2", place=same)
    with pytest.raises(SpecError, match="measured twice with the same seed"):
        compare(tmp_path / "a", tmp_path / "b")
    for other in (Place(None, "another", 3), Place(100, "recipe-a", 3), Place(None, "recipe-a", None), None):
        shutil.rmtree(again)
        make_run(again, hard.tolist(), name="a3", weights="a3", place=other)
        with pytest.raises(SpecError, match=r"several models: .*--series NAME --train-seed N"):
            compare(tmp_path / "a", tmp_path / "b")


@pytest.mark.slow
def test_lower_is_better_where_the_metric_says_so(tmp_path: Path) -> None:
    base = np.linspace(0.5, 1, 80)
    paths = make_run(tmp_path / "a", base.tolist()), make_run(tmp_path / "b", (base - 0.3).tolist())
    gates = Gates.model_validate({"tasks": {"numbers": {"metrics": {"distance": {"max_drop": 0.1}}}}})
    found = compare(*paths, gates=gates, registry=registry())
    row = found.rows[1]
    assert (row.metric.name, row.verdict) == ("distance", "worse")
    assert {(c.metric, c.rule) for c in found.failed} == {("mark", "margin"), ("distance", "max_drop")}


@pytest.mark.slow
def test_what_only_one_side_has_is_told(tmp_path: Path) -> None:
    base, _ = right_and_wrong(20, 0, 0)
    paths = make_run(tmp_path / "a", base, tasks=["numbers", "more-numbers"]), make_run(tmp_path / "b", base)
    assert "Only the base has more-numbers." in compare(*paths).notes


@pytest.mark.slow
def test_a_task_without_scores_does_not_pass_by_its_absence(tmp_path: Path) -> None:
    base, _ = right_and_wrong(20, 0, 0)
    both = ["numbers", "more-numbers"]
    paths = [make_run(tmp_path / name, base, tasks=both) for name in "ab"]
    assert compare(*paths).passed
    file = paths[1] / "metrics.json"
    metrics = json.loads(file.read_text())
    metrics["results"] = [one for one in metrics["results"] if one["task"] == "numbers"]
    file.write_text(json.dumps(metrics))
    found = compare(*paths)
    assert [(check.task, check.rule) for check in found.failed] == [("more-numbers", "failures")]
    assert any("not scored on the other side: more-numbers" in note for note in found.notes)
    assert compare(*paths, tasks=["numbers"]).passed


@pytest.mark.slow
def test_a_task_that_the_candidate_was_never_asked_fails_unless_it_is_allowed_by_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    values, _ = right_and_wrong(20, 0, 0)
    base = make_run(tmp_path / "a", values, tasks=["numbers", "more-numbers"])
    candidate = make_run(tmp_path / "b", values)
    found = compare(base, candidate)
    assert not found.passed
    assert [(check.task, check.rule) for check in found.failed] == [("more-numbers", "missing")]
    assert "never asked this task; --allow-missing more-numbers" in found.failed[0].message
    assert compare(base, candidate, allow_missing=["more-numbers"]).passed
    assert compare(base, candidate, gates=Gates(allow_missing=("more-numbers",))).passed
    assert compare(base, candidate, tasks=["numbers"]).passed
    assert compare(candidate, base).passed  # what only the candidate has hides nothing
    with pytest.raises(SpecError, match=r"'more-numberz' cannot be missing.*more-numbers"):
        compare(base, candidate, allow_missing=["more-numberz"])
    typed = ("compare", base, candidate, "--resamples", "100")
    refused = here(capsys, *typed, "--junit", tmp_path / "j.xml")
    assert refused.returncode == 1
    assert "FAIL more-numbers (missing)" in refused.stdout
    assert 'type="missing"' in (tmp_path / "j.xml").read_text()
    assert here(capsys, *typed, "--allow-missing", "more-numbers").returncode == 0


@pytest.mark.slow
def test_a_headline_that_only_the_base_has_fails_unless_it_is_allowed_by_name(tmp_path: Path) -> None:
    values, _ = right_and_wrong(20, 0, 0)
    paths = [make_run(tmp_path / name, values) for name in "ab"]
    file = paths[1] / "metrics.json"
    metrics = json.loads(file.read_text())
    (result,) = metrics["results"]
    first = result["info"]["metrics"][0]["name"]
    kept = [one for one in result["estimates"] if one["metric"]["name"] != first]
    other = [
        {**one, "metric": {**one["metric"], "name": "other"}}
        for one in result["estimates"]
        if not one["group"]
    ]
    for path, estimates in ((paths[0], [*result["estimates"], *other]), (paths[1], [*kept, *other])):
        result["estimates"] = estimates
        (path / "metrics.json").write_text(json.dumps(metrics))
    found = compare(*paths)
    assert [(c.task, c.metric, c.rule) for c in found.failed] == [("numbers", first, "missing")]
    assert compare(*paths, allow_missing=[f"numbers/{first}"]).passed


@pytest.mark.slow
def test_the_frame_has_a_row_per_number(tmp_path: Path) -> None:
    base, candidate = right_and_wrong(60, 2, 14)
    found = compare(make_run(tmp_path / "a", base), make_run(tmp_path / "b", candidate), groups=True)
    frame = found.frame
    assert list(frame["group"]) == ["", "parity=even", "parity=odd"]
    assert list(frame["headline"]) == [True, False, False]
    assert frame["difference"].iloc[0] == pytest.approx(-0.2)


@pytest.mark.slow
def test_runs_without_a_common_task_several_models_and_unscored_runs_are_refused(tmp_path: Path) -> None:
    base, _ = right_and_wrong(20, 0, 0)
    a = make_run(tmp_path / "a", base)
    other = make_run(tmp_path / "b", base, tasks=["more-numbers"])
    with pytest.raises(SpecError, match="no scored task in common: numbers against more-numbers"):
        compare(a, other)
    mixed = tmp_path / "mixed"
    make_run(mixed / "x", base)
    make_run(mixed / "y", base, tasks=["more-numbers"], name="another")
    with pytest.raises(SpecError, match=r"several models: another \(v1\), script"):
        compare(a, mixed)
    twice = tmp_path / "twice"
    make_run(twice / "x", base)
    make_run(twice / "y", base)
    with pytest.raises(SpecError, match="measured twice with the same seed"):
        compare(a, twice)
    (other / "metrics.json").unlink()
    with pytest.raises(StoreError, match="has scored samples"):
        compare(a, other)
    failed = make_run(tmp_path / "c", [None] * 20)
    with pytest.raises(StoreError, match=r"has scored samples: 20 have none.*--retry-failed"):
        compare(a, failed)
    with pytest.raises(StoreError, match="is not a run"):
        compare(a, tmp_path / "absent")
    with pytest.raises(SpecError, match="have no task 'numberz' in common"):
        compare(a, a, tasks=["numberz"])
    with pytest.raises(SpecError, match="'protocols' is not a difference that can be allowed"):
        compare(a, a, allow=["protocols"])


@pytest.mark.slow
def test_a_score_that_was_made_nan_is_not_averaged_away(tmp_path: Path) -> None:
    """The stored table no longer gives the stored number; the scores are computed again from the answers."""
    base, candidate = right_and_wrong(30, 2, 4)
    paths = make_run(tmp_path / "a", base), make_run(tmp_path / "b", candidate)
    import pandas

    file = next((paths[1] / "scores").glob("*.parquet"))
    table = pandas.read_parquet(file)
    table.loc[table.index[3], "value.mark"] = math.nan
    table.to_parquet(file)
    found = compare(*paths, registry=registry())
    assert found.rows[0].difference.value == pytest.approx(-2 / 30)
    assert found.rows[0].difference.n == 30


@pytest.mark.slow
def test_equal_weights_and_different_software_are_told(tmp_path: Path) -> None:
    base, candidate = right_and_wrong(20, 1, 2)
    paths = make_run(tmp_path / "a", base), make_run(tmp_path / "b", candidate)
    file = paths[1] / "run.json"
    manifest = json.loads(file.read_text())
    manifest["sessions"][-1]["environment"]["packages"]["torch"] = "1.0"
    file.write_text(json.dumps(manifest))
    notes = " ".join(compare(*paths).notes)
    assert "the same weights" in notes
    assert "against 1.0" in notes
    other = make_run(tmp_path / "c", candidate, weights="v2")
    assert compare(paths[0], other).notes == ()


@pytest.mark.slow
def test_seeds_that_change_nothing_leave_the_exact_test(tmp_path: Path) -> None:
    base, candidate = right_and_wrong(60, 2, 14)
    for side, values in (("a", base), ("b", candidate)):
        for seed in (0, 1):
            make_run(tmp_path / side / str(seed), values, seed=seed)
    found = compare(tmp_path / "a", tmp_path / "b").rows[0].difference
    assert found.p == pytest.approx(scipy_stats.binomtest(2, 16).pvalue)
    assert "2 against 2 runs" in found.method
