"""Estimates: closed forms, agreement with scipy, and the degenerate cases."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from evalsuite.errors import DataError
from evalsuite.stats import Estimate, clopper_pearson, estimate
from evalsuite.task import Metric, SampleScore, Scores, Statistic

METRIC = Metric("score")


def scores_of(
    values: Sequence[float],
    clusters: Sequence[str] | None = None,
    function: Callable[[Any], float] | None = None,
    resampling: Any = "bootstrap",
) -> Scores:
    labels = clusters or [""] * len(values)
    rows = [
        SampleScore(str(i), {"score": float(value)}, cluster=cluster)
        for i, (value, cluster) in enumerate(zip(values, labels, strict=True))
    ]
    return Scores(rows, [Statistic(METRIC, range(len(rows)), function=function, resampling=resampling)])


def one(*args: Any, resamples: int = 1000, seed: int = 0, level: float = 0.95, **kwargs: Any) -> Estimate:
    return estimate(scores_of(*args, **kwargs), resamples=resamples, seed=seed, level=level)[0]


@pytest.mark.parametrize(("k", "n"), [(0, 10), (3, 17), (250, 1000), (10, 10)])
def test_a_proportion_has_scipys_exact_interval(k: int, n: int) -> None:
    found = one([1] * k + [0] * (n - k))
    exact = scipy_stats.binomtest(k, n).proportion_ci(0.95, method="exact")
    assert found.method == "Clopper-Pearson"
    assert (found.value, found.n) == (k / n, n)
    assert (found.low, found.high) == pytest.approx((exact.low, exact.high), abs=1e-12)


@given(st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), st.floats(0.5, 0.999))
@settings(max_examples=60, deadline=None)
def test_an_exact_interval_holds_the_proportion_and_is_symmetric(case: tuple[int, int], level: float) -> None:
    k, n = case
    low, high = clopper_pearson(k, n, level)
    assert 0 <= low <= k / n <= high <= 1
    mirrored = clopper_pearson(n - k, n, level)
    assert (1 - high, 1 - low) == pytest.approx(mirrored, abs=1e-9)


def test_a_mean_of_normal_scores_has_students_interval() -> None:
    for n in (8, 60, 500):
        # Normal quantiles rather than draws: no skew, so BCa corrects nothing and Student is the closed form.
        values = scipy_stats.norm.ppf((np.arange(n) + 0.5) / n)
        found = one(list(values), resamples=40_000)
        half = scipy_stats.t.ppf(0.975, n - 1) * values.std(ddof=1) / math.sqrt(n)
        assert (found.low, found.high) == pytest.approx((-half, half), rel=0.06), n


@pytest.mark.parametrize("draw", ["vqa", "skewed"])
def test_a_mean_agrees_with_scipys_bca_bootstrap(draw: str) -> None:
    rng = np.random.default_rng(5)
    values = rng.choice([0, 0.3, 0.6, 0.9, 1], 400) if draw == "vqa" else rng.exponential(size=400)
    found = one(list(values), resamples=20_000)
    theirs = scipy_stats.bootstrap(
        (values,), np.mean, n_resamples=10_000, method="BCa", rng=np.random.default_rng(0)
    ).confidence_interval
    width = theirs.high - theirs.low
    assert abs(found.low - theirs.low) < 0.05 * width
    assert abs(found.high - theirs.high) < 0.05 * width


def test_a_corpus_function_agrees_with_scipys_percentile_bootstrap() -> None:
    values = np.random.default_rng(6).lognormal(size=300)

    def median(rows: Any) -> float:
        return float(np.median(values[rows]))

    found = one(list(values), function=median, resamples=4000)
    theirs = scipy_stats.bootstrap(
        (values,), np.median, n_resamples=4000, method="percentile", rng=np.random.default_rng(1)
    ).confidence_interval
    assert found.value == pytest.approx(np.median(values))
    assert (found.low, found.high) == pytest.approx((theirs.low, theirs.high), rel=0.03)


def test_correlated_clusters_widen_the_interval_as_the_design_effect_says() -> None:
    rng = np.random.default_rng(7)
    per_cluster = 10
    shared = np.repeat(rng.normal(size=80), per_cluster)
    values = list(shared + 0.3 * rng.normal(size=len(shared)))
    labels = [str(i // per_cluster) for i in range(len(values))]
    clustered, alone = one(values, labels), one(values)
    assert "cluster bootstrap" in clustered.method
    assert "80 clusters" in clustered.method
    correlation = 1 / 1.09
    expected = math.sqrt(1 + (per_cluster - 1) * correlation)
    assert (clustered.high - clustered.low) / (alone.high - alone.low) == pytest.approx(expected, rel=0.15)


def test_clusters_of_unequal_size_are_weighted_by_their_rows() -> None:
    values = [1.0, 1.0, 1.0, 0.5, 0.0, 0.25]
    found = one(values, ["a", "a", "a", "b", "c", "c"])
    assert found.value == pytest.approx(np.mean(values))
    assert found.low < found.value < found.high


def test_many_real_valued_scores_are_binned_without_moving_the_interval() -> None:
    values = np.random.default_rng(8).normal(size=30_000)
    few, many = one(list(values), resamples=4000), one(list(values), resamples=8000)  # many: binned
    width = few.high - few.low
    assert abs(few.low - many.low) < 0.05 * width
    assert abs(few.high - many.high) < 0.05 * width


def test_half_samples_of_a_mean_have_the_width_of_its_closed_form() -> None:
    values = np.random.default_rng(9).normal(size=400)
    found = one(list(values), function=lambda rows: float(values[rows].mean()), resampling="subsample")
    half = 1.96 * values.std(ddof=1) / math.sqrt(len(values))
    assert "half-samples, 200 of 200 of 400" in found.method
    assert (found.high - found.low) / 2 == pytest.approx(half, rel=0.15)


def test_half_samples_never_repeat_a_row() -> None:
    seen: list[int] = []

    def distinct(rows: Any) -> float:
        seen.append(len(set(rows.tolist())) - len(rows))
        return float(rows.mean())

    one([0.1 * i for i in range(21)], function=distinct, resampling="subsample")
    assert set(seen) == {0}


def test_a_statistic_can_limit_its_resamples() -> None:
    calls: list[int] = []

    def slow(rows: Any) -> float:
        calls.append(len(rows))
        return float(rows.mean())

    rows = [SampleScore(str(i)) for i in range(20)]
    estimate(Scores(rows, [Statistic(METRIC, range(20), function=slow, most_resamples=30)]))
    assert len(calls) == 31


def test_equal_seeds_give_equal_intervals_and_a_further_statistic_changes_none() -> None:
    rng = np.random.default_rng(3)
    rows = [SampleScore(str(i), {"a": v, "b": v * v}) for i, v in enumerate(rng.normal(size=50).tolist())]
    a, b = Statistic(Metric("a"), range(50)), Statistic(Metric("b"), range(50))
    alone = estimate(Scores(rows, [b]))
    assert estimate(Scores(rows, [a, b]))[1:] == alone
    assert estimate(Scores(rows, [b]), seed=1) != alone


def test_statistics_count_only_their_own_rows() -> None:
    rows = [SampleScore(str(i), {"score": float(i % 2)}, labels={"kind": "ab"[i % 2]}) for i in range(10)]
    whole, odd = estimate(
        Scores(
            rows,
            [
                Statistic(METRIC, range(10)),
                Statistic(METRIC, range(1, 10, 2), group="kind=b"),
            ],
        )
    )
    assert (whole.value, whole.n) == (0.5, 10)
    assert (odd.value, odd.n, odd.group) == (1.0, 5, "kind=b")


@pytest.mark.parametrize(
    ("values", "clusters", "method"),
    [
        ([], None, "no samples"),
        ([0.4], None, "no interval: one sample"),
        ([0.4, 0.4, 0.4], None, "no interval: all scores are equal"),
        ([0.4, 0.2], ["a", "a"], "no interval: one cluster"),
        ([0, 1] * 20, [str(i // 2) for i in range(40)], "no interval: all 20 clusters score alike"),
    ],
)
def test_where_no_interval_can_be_had_it_is_nan_and_the_method_says_why(
    values: list[float], clusters: list[str] | None, method: str
) -> None:
    found = one(values, clusters)
    assert found.method == method
    assert math.isnan(found.low)
    assert math.isnan(found.high)
    assert math.isnan(found.value) == (not values)


def test_a_function_that_is_the_same_in_all_resamples_has_no_interval() -> None:
    found = one([0.0, 1.0, 0.0, 1.0], function=lambda rows: 0.5)
    assert (found.value, found.method) == (0.5, "no interval: the same in all 1000 resamples")
    assert math.isnan(found.low)


def test_a_single_right_answer_has_an_exact_interval() -> None:
    found = one([1.0])
    assert (found.low, found.high) == pytest.approx((0.025, 1.0))


def test_all_wrong_in_clusters_counts_clusters_as_trials() -> None:
    found = one([0.0] * 12, ["a", "b", "c", "d"] * 3)
    assert (found.low, found.high) == clopper_pearson(0, 4)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_score_that_is_no_number_names_column_and_sample(bad: float) -> None:
    with pytest.raises(DataError, match=r"'score' of sample '1' is"):
        one([0.5, bad, 0.2])


def test_a_missing_score_names_the_sample() -> None:
    with pytest.raises(DataError, match="'7' has no score 'score'"):
        estimate(Scores([SampleScore("7", {"other": 1.0})], [Statistic(METRIC, [0])]))


def test_an_undefined_corpus_function_is_an_error_and_undefined_resamples_take_the_interval_away() -> None:
    with pytest.raises(DataError, match="score over 3 samples is nan"):
        one([1, 2, 3], function=lambda rows: math.nan)
    found = one([1, 2, 3], function=lambda rows: 1.0 if len(set(rows.tolist())) > 1 else math.nan)
    assert found.value == 1.0
    assert math.isnan(found.low)
    assert "undefined in" in found.method
