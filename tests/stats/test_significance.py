"""Tests of two runs against scipy, exact counts and their own level."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from evalsuite.errors import DataError
from evalsuite.stats import (
    Clusters,
    benjamini_hochberg,
    holm,
    mcnemar,
    permutation,
    sign_flip,
    tango,
    unpaired_means,
)


@pytest.mark.parametrize(("better", "worse"), [(14, 5), (0, 7), (3, 3), (250, 301)])
def test_mcnemar_is_scipys_exact_binomial_test(better: int, worse: int) -> None:
    assert mcnemar(better, worse) == pytest.approx(scipy_stats.binomtest(better, better + worse).pvalue)


def test_mcnemar_without_a_discordant_pair_shows_nothing() -> None:
    assert mcnemar(0, 0) == 1


def test_few_sign_flips_are_counted_one_by_one() -> None:
    sums = np.array([0.3, -0.1, 0.7, 0.2, 0.0, 0.45, -0.05])
    patterns = [abs(np.dot(signs, sums)) for signs in itertools.product([-1, 1], repeat=len(sums))]
    exact = np.mean([value >= abs(sums.sum()) - 1e-12 for value in patterns])
    assert sign_flip(sums, 10_000, np.random.default_rng(0)) == pytest.approx(exact)


def test_sign_flips_agree_with_scipys_permutation_test_of_pairs() -> None:
    rng = np.random.default_rng(1)
    difference = rng.normal(0.12, 1, size=150)
    theirs = scipy_stats.permutation_test(
        (difference, np.zeros(150)), lambda a, b, axis: abs((a - b).mean(axis)), permutation_type="samples",
        vectorized=True, n_resamples=20_000, alternative="greater", rng=np.random.default_rng(2),
    )  # fmt: skip
    assert sign_flip(difference, 20_000, rng) == pytest.approx(theirs.pvalue, abs=0.015)


def test_many_different_differences_are_binned_without_moving_p() -> None:
    rng = np.random.default_rng(3)
    difference = rng.standard_t(3, size=20_000) + 0.017
    t = scipy_stats.ttest_1samp(difference, 0).pvalue
    assert sign_flip(difference, 20_000, rng) == pytest.approx(t, abs=0.015)


def test_unpaired_permutations_agree_with_scipy() -> None:
    rng = np.random.default_rng(4)
    for a, b in [
        (rng.integers(0, 2, 80).astype(float), rng.integers(0, 2, 130).astype(float)),
        (rng.exponential(size=60), rng.exponential(1.3, size=45)),
        (rng.integers(0, 90, 300) / 90, rng.integers(3, 93, 250) / 90),
    ]:
        theirs = scipy_stats.permutation_test(
            (a, b), lambda x, y, axis: abs(y.mean(axis) - x.mean(axis)), vectorized=True,
            n_resamples=20_000, alternative="greater", rng=np.random.default_rng(5),
        )  # fmt: skip
        ones = (np.ones(len(a), dtype=int), np.ones(len(b), dtype=int))
        found = permutation((a, ones[0]), (b, ones[1]), 20_000, rng)
        assert found == pytest.approx(theirs.pvalue, abs=0.015)


def test_many_different_scores_are_binned_for_unpaired_permutations_too() -> None:
    rng = np.random.default_rng(9)
    a, b = rng.lognormal(size=3000), rng.lognormal(size=2500) + 0.08
    ones = np.ones(3000, dtype=int), np.ones(2500, dtype=int)
    found = permutation((a, ones[0]), (b, ones[1]), 10_000, rng)
    assert found == pytest.approx(scipy_stats.ttest_ind(a, b).pvalue, abs=0.015)


def test_unpaired_means_have_welchs_interval_and_clusters_widen_it() -> None:
    rng = np.random.default_rng(6)
    a, b = rng.normal(0, 1, 300), rng.normal(0.2, 2, 200)
    alone = [Clusters.of([""] * len(values)) for values in (a, b)]
    found = unpaired_means((a, alone[0]), (b, alone[1]))
    theirs = scipy_stats.ttest_ind(b, a, equal_var=False).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((theirs.low, theirs.high), abs=0.02)
    assert not found.paired
    shift = np.repeat(rng.normal(size=30), 10)
    tens = Clusters.of([str(i // 10) for i in range(300)])
    clustered = unpaired_means((a + shift, tens), (b, alone[1]))
    single = unpaired_means((a + shift, alone[0]), (b, alone[1]))
    assert clustered.high - clustered.low > 1.2 * (single.high - single.low)
    assert clustered.p > single.p


@pytest.mark.parametrize("unequal", [False, True])
def test_permutations_of_clusters_keep_their_level(unequal: bool) -> None:
    rng = np.random.default_rng(7)
    p = []
    for _ in range(300):
        sizes = [rng.integers(1, 6 if unequal else 2, size=k) for k in (25, 40)]
        sums = [rng.normal(size=len(s)) * s for s in sizes]
        p.append(permutation((sums[0], sizes[0]), (sums[1], sizes[1]), 199, rng))
    rejected = int((np.array(p) <= 0.05).sum())
    assert scipy_stats.binom.ppf(1e-4, 300, 0.03) <= rejected <= scipy_stats.binom.ppf(1 - 1e-4, 300, 0.06)


def test_sign_flips_of_clusters_keep_their_level() -> None:
    rng = np.random.default_rng(8)
    p = [sign_flip(rng.choice([-2.0, -1, 0, 1, 2], 40), 199, rng) for _ in range(400)]
    rejected = int((np.array(p) <= 0.05).sum())
    assert rejected <= scipy_stats.binom.ppf(1 - 1e-4, 400, 0.05)
    assert rejected >= 4


@pytest.mark.parametrize(("better", "worse", "n"), [(0, 0, 50), (3, 0, 300), (12, 2, 50), (9, 9, 60)])
def test_tangos_interval_ends_where_mcnemars_score_test_does(better: int, worse: int, n: int) -> None:
    low, high = tango(better, worse, n)
    z = scipy_stats.norm.ppf(0.975)

    def statistic(delta: float) -> float:
        """The score statistic with the worse share found by maximising the likelihood on a grid."""
        share = np.linspace(max(0, -delta), (1 - delta) / 2, 400_001)[1:-1]
        likelihood = better * np.log(share + delta) + worse * np.log(share)
        likelihood += (n - better - worse) * np.log(1 - 2 * share - delta)
        best = share[np.argmax(likelihood)]
        return float((better - worse - n * delta) / np.sqrt(n * (2 * best + delta - delta**2)))

    assert statistic(low) == pytest.approx(z, abs=0.01)
    assert statistic(high) == pytest.approx(-z, abs=0.01)


@given(st.integers(1, 80).flatmap(lambda n: st.tuples(st.integers(0, n), st.integers(0, n), st.just(n))))
def test_tangos_interval_holds_the_difference_and_mirrors(case: tuple[int, int, int]) -> None:
    better, worse, n = case[0], min(case[1], case[2] - case[0]), case[2]
    low, high = tango(better, worse, n)
    assert -1 <= low <= (better - worse) / n <= high <= 1
    assert tango(worse, better, n) == pytest.approx((-high, -low), abs=1e-6)


def test_tangos_interval_covers_as_often_as_it_says() -> None:
    """Exactly, by summing over all outcomes of 30 pairs of which 12 % and 4 % are discordant."""
    n, p, q = 30, 0.12, 0.04
    covered = 0.0
    for better in range(n + 1):
        for worse in range(n + 1 - better):
            chance = scipy_stats.multinomial.pmf([better, worse, n - better - worse], n, [p, q, 1 - p - q])
            if chance > 1e-9:
                low, high = tango(better, worse, n)
                covered += chance * (low <= p - q <= high)
    assert 0.94 <= covered <= 0.975


def test_adjusted_p_values_are_scipys_and_the_textbooks() -> None:
    p = [0.01, 0.2, 0.03, 0.5, 0.005, 0.03]
    assert benjamini_hochberg(p) == pytest.approx(scipy_stats.false_discovery_control(p))
    assert holm(p) == pytest.approx([0.05, 0.4, 0.12, 0.5, 0.03, 0.12])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_corrections_keep_the_order_and_never_lower_p(p: list[float]) -> None:
    for adjusted in (holm(p), benjamini_hochberg(p)):
        assert (adjusted >= np.array(p) - 1e-12).all()
        order = np.argsort(p)
        assert (np.diff(adjusted[order]) >= -1e-12).all()
    assert (benjamini_hochberg(p) <= holm(p) + 1e-12).all()


def test_a_missing_test_is_not_paid_for_and_p_outside_its_range_is_an_error() -> None:
    assert holm([0.02, float("nan"), 0.5])[0] == pytest.approx(0.04)
    assert np.isnan(holm([0.02, float("nan")])[1])
    with pytest.raises(DataError, match="lie in"):
        holm([1.2])
