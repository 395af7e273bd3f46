"""Two runs on the same samples."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats as scipy_stats

from evalsuite.errors import DataError
from evalsuite.stats import paired_difference


def _named(values: np.ndarray) -> dict[str, float]:
    return {str(i): float(v) for i, v in enumerate(values)}


def test_a_paired_difference_is_students_for_normal_scores() -> None:
    rng = np.random.default_rng(0)
    base = rng.normal(size=400)
    better = base + 0.05 + 0.3 * rng.normal(size=400)
    found = paired_difference(_named(base), _named(better))
    theirs = scipy_stats.ttest_rel(better, base)
    interval = theirs.confidence_interval(0.95)
    assert found.value == pytest.approx(float((better - base).mean()))
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high), abs=0.003)
    assert found.p == pytest.approx(theirs.pvalue, abs=0.01)


def test_zero_one_scores_give_mcnemars_exact_p_value() -> None:
    a = np.array([1] * 30 + [0] * 14 + [1] * 5 + [0] * 51)
    b = np.array([1] * 30 + [1] * 14 + [0] * 5 + [0] * 51)
    found = paired_difference(_named(a), _named(b), resamples=200_000)
    assert (found.better, found.worse, found.n) == (14, 5, 100)
    assert found.p == pytest.approx(scipy_stats.binomtest(5, 19).pvalue, abs=0.004)


def test_only_shared_samples_count_and_none_is_an_error() -> None:
    found = paired_difference({"a": 0, "b": 1, "x": 5}, {"a": 1, "b": 1, "y": 9})
    assert (found.n, found.value) == (2, 0.5)
    with pytest.raises(DataError, match="share no sample"):
        paired_difference({"a": 0}, {"b": 0})


def test_equal_runs_do_not_differ() -> None:
    same = _named(np.arange(10.0))
    found = paired_difference(same, same)
    assert (found.value, found.p, found.better, found.worse) == (0, 1, 0, 0)


def test_clusters_that_all_change_alike_give_no_interval() -> None:
    """In each of two clusters one sample is lost and one won: that is not shown to be no difference."""
    a, b = _named(np.array([0.0, 1.0, 0.0, 1.0])), _named(np.array([1.0, 0.0, 1.0, 0.0]))
    found = paired_difference(a, b, clusters={str(i): str(i // 2) for i in range(4)})
    assert (found.value, found.p) == (0, 1)
    assert np.isnan(found.low)


def test_clusters_widen_the_interval_and_raise_p() -> None:
    rng = np.random.default_rng(1)
    shift = np.repeat(rng.normal(0.1, 0.5, size=40), 10)
    a, b = np.zeros(400), shift
    clusters = {str(i): str(i // 10) for i in range(400)}
    alone = paired_difference(_named(a), _named(b))
    clustered = paired_difference(_named(a), _named(b), clusters=clusters)
    assert clustered.high - clustered.low > 2 * (alone.high - alone.low)
    assert clustered.p > alone.p
