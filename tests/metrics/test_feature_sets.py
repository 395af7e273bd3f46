"""KID, precision and recall, CMMD, Inception Score: shards in any order give one value (see tests/golden)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalsuite.errors import SampleError, SpecError
from evalsuite.metrics.coverage import precision_recall
from evalsuite.metrics.feature_sets import FeatureSet, cmmd, kernel_distance
from evalsuite.metrics.inception_score import InceptionScoreStatistics, inception_score

SIZES = st.lists(st.integers(1, 20), min_size=2, max_size=6)


@given(SIZES, st.integers(0, 10_000), st.randoms())
def test_features_gathered_in_any_order_are_those_of_one_pass(sizes: Any, seed: Any, order: Any) -> None:
    data = np.random.RandomState(seed).standard_normal((sum(sizes), 3)).astype(np.float32)
    starts = np.cumsum([0, *sizes[:-1]])
    shards = []
    for start, size in zip(starts, sizes, strict=True):
        shards.append(FeatureSet())
        shards[-1].update(data[start : start + size], start=int(start))
    order.shuffle(shards)
    merged = FeatureSet()
    for shard in shards:
        merged.merge(shard)
    assert merged.count == len(data)
    np.testing.assert_array_equal(merged.finalize(), data)


@given(SIZES, st.integers(0, 10_000), st.randoms())
def test_an_inception_score_of_shards_in_any_order_is_that_of_one_pass(
    sizes: Any, seed: Any, order: Any
) -> None:
    logits = np.random.RandomState(seed).standard_normal((sum(sizes) + 10, 6)) * 3
    shards, start = [], 0
    for size in [*sizes, 10]:
        shards.append(InceptionScoreStatistics(len(logits), splits=4))
        shards[-1].update(logits[start : start + size], start)
        start += size
    order.shuffle(shards)
    merged = shards[0]
    for shard in shards[1:]:
        merged.merge(shard)
    found, whole = merged.finalize(), inception_score(logits, splits=4)
    assert (found.mean, found.deviation) == pytest.approx((whole.mean, whole.deviation), rel=1e-9, abs=1e-9)


def test_features_without_a_position_stand_after_all_there_are() -> None:
    found = FeatureSet()
    found.update(np.zeros((2, 1)))
    found.update(np.ones((1, 1)))
    assert found.finalize().ravel().tolist() == [0, 0, 1]


def test_missing_double_and_foreign_parts_are_refused() -> None:
    found = FeatureSet()
    with pytest.raises(SampleError, match="no features"):
        found.finalize()
    found.update(np.zeros((2, 3)), start=0)
    found.update(np.zeros((2, 3)), start=4)
    with pytest.raises(SampleError, match="position 2 are missing"):
        found.finalize()
    with pytest.raises(SampleError, match="position 4 came twice"):
        found.update(np.zeros((3, 3)), start=2)
    with pytest.raises(SampleError, match="3 and 2 dimensions"):
        found.update(np.zeros((1, 2)), start=9)
    with pytest.raises(SampleError, match="NaN"):
        found.update([[float("nan")] * 3])
    scores = InceptionScoreStatistics(20, splits=2)
    scores.update(np.zeros((5, 4)), 0)
    with pytest.raises(SampleError, match="15 of 20 images are missing"):
        scores.finalize()
    with pytest.raises(SampleError, match="came twice"):
        scores.update(np.zeros((5, 4)), 4)
    with pytest.raises(SampleError, match="too many"):
        scores.update(np.zeros((5, 4)), 18)


def test_an_inception_score_needs_an_image_per_split() -> None:
    with pytest.raises(SampleError, match="10 splits got 4 images"):
        inception_score(np.zeros((4, 3)))


def test_equal_predictions_have_a_score_of_one_and_clear_different_ones_that_of_the_classes() -> None:
    assert inception_score(np.zeros((40, 5))).mean == pytest.approx(1)
    clear = np.tile(np.eye(5) * 1000, (8, 1))
    assert inception_score(clear, splits=1).mean == pytest.approx(5)


def test_sets_that_do_not_fit_are_refused() -> None:
    with pytest.raises(SampleError, match="subset"):
        kernel_distance(np.zeros((10, 2)), np.zeros((10, 2)))
    with pytest.raises(SpecError):
        kernel_distance(np.zeros((10, 2)), np.zeros((10, 2)), rule="nope")
    with pytest.raises(SampleError, match="cannot be compared"):
        cmmd(np.zeros((10, 2)), np.zeros((10, 3)))
    with pytest.raises(SampleError, match="more than 3 features"):
        precision_recall(np.zeros((3, 2)), np.zeros((10, 2)))
