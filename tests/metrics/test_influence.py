"""Influences say how far another sample of images moves a distance: against many samples really drawn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from evalsuite.errors import SampleError
from evalsuite.metrics.coverage import coverage, precision_recall
from evalsuite.metrics.feature_sets import cmmd, kernel_distance
from evalsuite.metrics.frechet import frechet_distance, frechet_infinity, gaussian_of
from evalsuite.metrics.influence import cmmd_influence, frechet_influence, kernel_influence

REAL = np.random.RandomState(99).standard_normal((1000, 8)).astype(np.float32)
REFERENCE = gaussian_of(REAL)
COUNT = 400


def _drawn(seed: int, count: int = COUNT) -> Any:
    random = np.random.RandomState(seed)
    return (random.standard_normal((count, 8)) * 0.8 + 0.2).astype(np.float32)


def _unit(features: Any) -> Any:
    return features / np.linalg.norm(features, axis=1, keepdims=True)


def _kid(x: Any) -> float:
    return kernel_distance(x, REAL, rule="clean-fid", subsets=20, subset_size=400).mean


DISTANCES: dict[str, tuple[Callable[[Any], float], Callable[[Any], Any]]] = {
    "KID": (_kid, lambda x: kernel_influence(x, REAL)),
    "CMMD": (
        lambda x: cmmd(_unit(x), _unit(REAL), sigma=1.0),
        lambda x: cmmd_influence(_unit(x), _unit(REAL), sigma=1.0),
    ),
    "FID": (
        lambda x: frechet_distance(gaussian_of(x), REFERENCE),
        lambda x: frechet_influence(x, REFERENCE),
    ),
    "recall": (
        lambda x: precision_recall(x, REAL).recall,
        lambda x: coverage(x, REAL).recall_influence(),
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", DISTANCES)
def test_the_spread_of_influences_is_that_of_the_distance_over_many_samples(name: str) -> None:
    distance, influence = DISTANCES[name]
    happened = np.std([distance(_drawn(seed)) for seed in range(120)])
    told = np.mean([influence(_drawn(seed)).std() / COUNT**0.5 for seed in range(12)])
    # 120 draws know their spread to 6.5 %, and recall is no smooth function.
    assert told == pytest.approx(happened, rel=0.3 if name == "recall" else 0.2)


@pytest.mark.parametrize("name", DISTANCES)
def test_leaving_out_what_raises_a_distance_lowers_it(name: str) -> None:
    distance, influence = DISTANCES[name]
    drawn = _drawn(0)
    found = influence(drawn)
    assert found.shape == (COUNT,)
    assert abs(found.mean()) < 1e-9
    low = distance(drawn[np.argsort(found)[: COUNT - 40]])
    high = distance(drawn[np.argsort(found)[40:]])
    assert low < distance(drawn) < high


def test_the_extrapolated_distance_knows_the_error_of_its_line() -> None:
    found = [frechet_infinity(_drawn(seed), REFERENCE, smallest=130) for seed in range(60)]
    spreads = [frechet_influence(_drawn(seed), REFERENCE).std() / COUNT**0.5 for seed in range(60)]
    happened = np.std([one.value for one in found])
    told = np.mean([np.hypot(one.error, spread) for one, spread in zip(found, spreads, strict=True)])
    assert told == pytest.approx(happened, rel=0.25)
    assert np.mean(spreads) < happened


def test_a_singular_covariance_has_influences_too() -> None:
    few = _drawn(1, 5)
    assert np.isfinite(frechet_influence(few, REFERENCE)).all()
    constant = np.ones((6, 8), np.float32)
    np.testing.assert_allclose(frechet_influence(constant, REFERENCE), 0, atol=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_the_recall_of_a_choice_is_that_of_the_chosen_alone(seed: int) -> None:
    random = np.random.RandomState(seed)
    drawn, real = _drawn(seed, 90), REAL[:200]
    drawn[:10] = drawn[10:20]  # doubles
    found = coverage(drawn, real)
    whole = precision_recall(drawn, real)
    assert (found.precision(range(90)), found.recall(range(90))) == (whole.precision, whole.recall)
    for size in (45, 60, 89):
        chosen = random.permutation(90)[:size]
        alone = precision_recall(drawn[chosen], real)
        assert (found.precision(chosen), found.recall(chosen)) == (alone.precision, alone.recall)


def test_coverage_of_few_or_unlike_features_is_refused() -> None:
    with pytest.raises(SampleError, match="more than 3 features"):
        coverage(_drawn(0, 3), REAL)
    with pytest.raises(SampleError, match="cannot be compared"):
        coverage(_drawn(0), REAL[:, :4])
