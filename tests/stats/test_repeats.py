"""Several seeds: spread, and an interval that covers both kinds of chance."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats as scipy_stats

from evalsuite.errors import DataError
from evalsuite.stats import Clusters, repeated_mean, repeated_value


def _alone(n: int) -> Clusters:
    return Clusters.of([""] * n)


def test_one_run_has_students_interval_and_no_spread() -> None:
    values = np.random.default_rng(0).normal(size=50)
    found = repeated_mean(values[None], _alone(50))
    half = scipy_stats.t.ppf(0.975, 49) * values.std(ddof=1) / np.sqrt(50)
    assert (found.low, found.high) == pytest.approx((values.mean() - half, values.mean() + half))
    assert np.isnan(found.between)


def test_equal_runs_have_no_spread_and_the_interval_of_one() -> None:
    values = np.random.default_rng(1).normal(size=50)
    one, three = repeated_mean(values[None], _alone(50)), repeated_mean(np.stack([values] * 3), _alone(50))
    assert (three.low, three.high) == pytest.approx((one.low, one.high))
    assert (three.between, three.seeds) == pytest.approx((0, 0))
    assert three.runs == 3


def test_the_spread_between_seeds_is_the_runs_standard_deviation() -> None:
    rng = np.random.default_rng(2)
    scores = rng.normal(size=(4, 60)) + np.array([0, 0.5, 1, 1.5])[:, None]
    found = repeated_mean(scores, _alone(60))
    assert found.between == pytest.approx(scores.mean(axis=1).std(ddof=1))
    assert found.high - found.low > 4 * found.sampling


@pytest.mark.parametrize("luck", [0.0, 0.3])
def test_the_interval_covers_other_samples_and_other_seeds(luck: float) -> None:
    rng = np.random.default_rng(3)
    hits = 0
    for _ in range(400):
        hard = np.repeat(rng.normal(size=20), 3)
        scores = 0.5 + hard + luck * rng.normal(size=(4, 1)) + rng.normal(size=(4, 60))
        found = repeated_mean(scores, Clusters.of([str(i // 3) for i in range(60)]))
        hits += found.low <= 0.5 <= found.high
    assert scipy_stats.binom.ppf(1e-4, 400, 0.94) <= hits <= scipy_stats.binom.ppf(1 - 1e-4, 400, 0.97)


def test_a_corpus_metric_adds_the_spread_to_its_standard_error() -> None:
    found = repeated_value([30.0, 32.0, 34.0], [1.0, 1.0, 1.0])
    assert found.value == 32
    assert found.between == pytest.approx(2)
    assert found.high - found.value > 1.96 * np.sqrt(1 + 4 / 3)
    alone = repeated_value([30.0], [1.0])
    assert alone.high == pytest.approx(30 + 1.96, abs=1e-3)


def test_nothing_to_average_and_nan_are_errors() -> None:
    with pytest.raises(DataError, match="no scores"):
        repeated_mean(np.empty((0, 5)), _alone(5))
    with pytest.raises(DataError, match="not a number"):
        repeated_mean(np.array([[np.nan, 1.0]]), _alone(2))
    with pytest.raises(DataError, match="no values"):
        repeated_value([], [])
