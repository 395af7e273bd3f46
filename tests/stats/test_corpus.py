"""Differences of corpus metrics and distances: same draws for both, closed forms, coverage."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats as scipy_stats

from evalsuite.errors import DataError
from evalsuite.stats import (
    Clusters,
    independent_functions,
    paired_functions,
    paired_means,
    stored_difference,
)


def _alone(n: int) -> Clusters:
    return Clusters.of([""] * n)


def _mean(values: np.ndarray):  # type: ignore[no-untyped-def]
    return lambda rows: float(values[rows].mean())


def test_a_mean_told_as_a_function_is_the_paired_mean() -> None:
    rng = np.random.default_rng(0)
    a = rng.normal(size=300)
    b = a + 0.1 + 0.5 * rng.normal(size=300)
    as_function = paired_functions(_mean(a), _mean(b), _alone(300), resamples=4000)
    as_mean = paired_means(a, b, _alone(300))
    assert as_function.value == pytest.approx(as_mean.value)
    assert (as_function.low, as_function.high) == pytest.approx((as_mean.low, as_mean.high), abs=0.006)
    assert as_function.p == pytest.approx(scipy_stats.ttest_rel(b, a).pvalue, abs=0.003)


def test_both_runs_are_resampled_with_the_same_draws() -> None:
    rng = np.random.default_rng(1)
    values = rng.normal(size=200)
    seen: list[np.ndarray] = []

    def b(rows: np.ndarray) -> float:
        seen.append(rows)
        return float(values[rows].std()) + 1

    def a(rows: np.ndarray) -> float:
        assert (rows == seen[-1]).all() or len(seen) == 0
        return float(values[rows].std())

    paired_functions(lambda rows: b(rows) - 1, b, _alone(200), resamples=50)
    found = paired_functions(lambda rows: float(values[rows].std()), b, _alone(200), resamples=600)
    # What is alike in both cancels: the difference is one in every resample.
    assert (found.low, found.high) == pytest.approx((1, 1))
    assert found.p < 0.01


def test_half_samples_of_a_paired_mean_have_the_closed_forms_width() -> None:
    rng = np.random.default_rng(2)
    a = rng.normal(size=400)
    b = a + 0.2 * rng.normal(size=400)
    found = paired_functions(_mean(a), _mean(b), _alone(400), resampling="subsample")
    half = 1.96 * (b - a).std(ddof=1) / 20
    assert (found.high - found.low) / 2 == pytest.approx(half, rel=0.15)
    assert "half-samples" in found.method


def test_the_p_value_belongs_to_the_interval() -> None:
    """The interval at level 1 - p ends at the null."""
    rng = np.random.default_rng(3)
    a = rng.exponential(size=60)
    b = a + 0.15 + 0.5 * rng.normal(size=60)
    arguments = (_mean(a), _mean(b), _alone(60))
    first = paired_functions(*arguments, resamples=5000)
    again = paired_functions(*arguments, resamples=5000, level=1 - first.p)
    assert again.low == pytest.approx(0, abs=0.004)


def test_few_resamples_take_the_tails_from_the_normal_distribution() -> None:
    rng = np.random.default_rng(4)
    a, b = rng.normal(size=200), rng.normal(1, 1, size=200)
    found = paired_functions(_mean(a), _mean(b), _alone(200), resamples=60)
    assert "normal" in found.method
    assert found.p < 1e-6


def test_another_null_is_tested_too() -> None:
    rng = np.random.default_rng(5)
    a = rng.normal(size=300)
    b = a - 0.3 + 0.2 * rng.normal(size=300)
    for found in (
        paired_functions(_mean(a), _mean(b), _alone(300), null=-0.3),
        paired_means(a, b, _alone(300), null=-0.3),
        paired_functions(_mean(a), _mean(b), _alone(300), null=-0.3, resampling="subsample"),
    ):
        assert found.p < 0.01
        assert found.p_null > 0.05


def test_paired_bootstrap_of_a_ratio_covers_as_often_as_it_says() -> None:
    rng = np.random.default_rng(6)
    hits = 0
    for _ in range(200):
        hard = rng.random(80) < 0.5
        right = [(rng.random(80) < np.where(hard, low, 0.9)).astype(float) for low in (0.3, 0.5)]
        said = rng.random((2, 80)) < 0.6

        def f1(i: int, right=right, said=said):  # type: ignore[no-untyped-def]
            return lambda rows: float((right[i] * said[i])[rows].sum() / said[i][rows].sum())

        found = paired_functions(f1(0), f1(1), _alone(80), resamples=500)
        hits += found.low <= 0.1 <= found.high
    assert scipy_stats.binom.ppf(1e-4, 200, 0.93) <= hits <= scipy_stats.binom.ppf(1 - 1e-4, 200, 0.97)


def test_different_samples_are_resampled_each_for_itself() -> None:
    rng = np.random.default_rng(7)
    a, b = rng.normal(size=300), rng.normal(0.1, 1, size=200)
    found = independent_functions((_mean(a), _alone(300)), (_mean(b), _alone(200)))
    half = 1.96 * np.sqrt(a.var() / 300 + b.var() / 200)
    assert (found.high - found.low) / 2 == pytest.approx(half, rel=0.1)
    assert not found.paired


def test_stored_intervals_add_in_squares() -> None:
    found = stored_difference((0.5, 0.4, 0.6), (0.7, 0.6, 0.8), 100)
    assert found.value == pytest.approx(0.2)
    assert found.high - found.value == pytest.approx(0.1 * np.sqrt(2))
    assert found.p == pytest.approx(2 * scipy_stats.norm.sf(0.2 / (0.1 * np.sqrt(2) / 1.959964)), rel=1e-3)
    assert np.isnan(stored_difference((0.5, np.nan, np.nan), (0.7, 0.6, 0.8), 9).p)


def test_an_undefined_metric_is_an_error_and_undefined_resamples_take_the_interval_away() -> None:
    with pytest.raises(DataError, match="is nan"):
        paired_functions(lambda rows: float("nan"), lambda rows: 1.0, _alone(9))
    found = paired_functions(
        lambda rows: 0.0 if 0 in rows else float("nan"), lambda rows: 1.0, _alone(9), resamples=100
    )
    assert np.isnan(found.low)
    assert "undefined" in found.method
