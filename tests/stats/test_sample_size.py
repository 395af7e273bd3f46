"""Plans keep what they promise: the power of the tests themselves, by simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from evalsuite.errors import SpecError
from evalsuite.stats import (
    Aim,
    Clusters,
    Spread,
    detectable,
    disagreement,
    mcnemar,
    paired_means,
    power,
    samples_needed,
)


def test_a_plan_for_right_and_wrong_answers_gets_its_power_from_mcnemars_test() -> None:
    difference, share = 0.06, disagreement(0.7, 0.06, 0.5)
    n = samples_needed(difference, Spread(share, binary=True))
    rng = np.random.default_rng(0)
    better, worse = (share + difference) / 2, (share - difference) / 2
    drawn = rng.multinomial(n, [better, worse, 1 - share], size=4000)
    found = np.mean([mcnemar(int(a), int(b)) <= 0.05 for a, b, _ in drawn])
    # The exact test is a little conservative, hence a little below 0.8.
    assert 0.75 <= found <= 0.82


def test_a_plan_with_clusters_gets_its_power_from_the_clustered_test() -> None:
    per_cluster, shared = 5, 0.6
    effect = 1 + (per_cluster - 1) * shared**2 / (shared**2 + 1)
    spread = Spread(1 + shared**2, design_effect=effect)
    difference = 0.25
    clusters = round(samples_needed(difference, spread) / per_cluster)
    rng = np.random.default_rng(1)
    grouped = Clusters.of([str(i // per_cluster) for i in range(clusters * per_cluster)])
    found = 0
    for _ in range(300):
        values = np.repeat(shared * rng.normal(size=clusters), per_cluster)
        values = values + rng.normal(size=len(values)) + difference
        found += paired_means(np.zeros(len(values)), values, grouped, resamples=400).p <= 0.05
    low, high = scipy_stats.binom.ppf([1e-4, 1 - 1e-4], 300, 0.79)
    assert low <= found <= high


def test_the_textbook_case_of_a_paired_t_test() -> None:
    # n = ((1.96 + 0.8416) * sd / difference)^2
    assert samples_needed(0.5, Spread(4.0)) == math.ceil((1.959964 + 0.841621) ** 2 * 16)


@given(st.floats(0.02, 0.2), st.floats(0.25, 0.6), st.floats(0.5, 0.95), st.booleans(), st.floats(1, 4))
def test_detectable_difference_and_needed_samples_are_each_others_reverse(
    difference: float, variance: float, chance: float, binary: bool, effect: float
) -> None:
    spread, aim = Spread(variance, binary, effect), Aim(power=chance)
    n = samples_needed(difference, spread, aim)
    assert detectable(n, spread, aim) == pytest.approx(difference, rel=0.06)
    assert detectable(n, spread, aim) <= difference * (1 + 1e-9)
    assert power(n, difference, spread, aim) >= chance - 1e-9


def test_more_comparisons_clusters_and_power_need_more_samples() -> None:
    spread = Spread(0.2, binary=True)
    base = samples_needed(0.05, spread)
    assert samples_needed(0.05, spread, Aim(comparisons=10)) > base
    assert samples_needed(0.05, spread, Aim(power=0.95)) > base
    assert samples_needed(0.05, Spread(0.2, True, 2.0)) == pytest.approx(2 * base, abs=1)


def test_disagreement_of_independent_and_of_alike_models() -> None:
    assert disagreement(0.7) == pytest.approx(2 * 0.7 * 0.3)
    assert disagreement(0.7, 0.05, 1.0) == pytest.approx(0.05)


def test_what_cannot_be_planned_is_refused() -> None:
    with pytest.raises(SpecError, match="cannot be found"):
        samples_needed(0, Spread(0.2))
    with pytest.raises(SpecError, match="cannot differ by"):
        samples_needed(0.3, Spread(0.2, binary=True))
    with pytest.raises(SpecError, match="cannot change"):
        disagreement(0.9, 0.2)
    with pytest.raises(SpecError, match="correlation"):
        disagreement(0.5, 0, -1)
    with pytest.raises(SpecError, match="power"):
        Aim(power=1)
    with pytest.raises(SpecError, match="show nothing"):
        detectable(1, Spread(0.2))
    assert detectable(4, Spread(0.2, binary=True)) == math.inf
