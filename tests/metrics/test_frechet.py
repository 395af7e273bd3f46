"""Distances between feature sets against four implementations (oracles/fid_cases.json.gz)."""

from __future__ import annotations

import logging

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalsuite.errors import DataError, SampleError, SpecError
from evalsuite.metrics.frechet import (
    Gaussian,
    GaussianStatistics,
    frechet_distance,
    kernel_distance,
)


def _gaussian(features, batch=64) -> Gaussian:
    statistics = GaussianStatistics()
    for start in range(0, len(features), batch):
        statistics.update(features[start : start + batch])
    return statistics.finalize()


def test_the_distance_of_unit_gaussians_one_apart_is_their_dimension():
    # pytorch-fid's own test, at 2,048 dimensions there.
    unit = np.eye(128)
    assert frechet_distance(Gaussian(np.zeros(128), unit), Gaussian(np.ones(128), unit)) == pytest.approx(128)


@given(st.lists(st.integers(0, 30), min_size=1, max_size=6), st.integers(0, 10_000))
def test_merged_parts_equal_one_pass_over_everything(sizes, seed):
    data = np.random.RandomState(seed).standard_normal((sum(sizes) + 2, 5)) * 100 + 1e4
    whole, parts, at = _gaussian(data), GaussianStatistics(), 0
    for size in [*sizes, 2]:
        part = GaussianStatistics()
        part.update(data[at : at + size])
        parts.merge(part)
        at += size
    merged = parts.finalize()
    assert merged.count == whole.count
    assert np.allclose(merged.mu, whole.mu, rtol=1e-12)
    assert np.allclose(merged.sigma, np.cov(data, rowvar=False), rtol=1e-9, atol=1e-7)


def test_statistics_survive_saving_and_files_of_others_load(tmp_path):
    made = _gaussian(np.random.RandomState(0).rand(20, 4))
    made.save(tmp_path / "a.npz")
    loaded = Gaussian.load(tmp_path / "a.npz")
    assert loaded.count == 20
    assert frechet_distance(made, loaded) == pytest.approx(0, abs=1e-12)
    np.savez_compressed(tmp_path / "theirs.npz", mu=made.mu.astype(np.float32), sigma=made.sigma)
    assert Gaussian.load(tmp_path / "theirs.npz").count is None


@pytest.mark.parametrize("arrays", [{"mu": np.zeros(3)}, {"mu": np.zeros(3), "sigma": np.eye(2)}])
def test_other_npz_files_are_refused_by_name(tmp_path, arrays):
    np.savez(tmp_path / "other.npz", **arrays)
    with pytest.raises(DataError, match=r"other\.npz"):
        Gaussian.load(tmp_path / "other.npz")


def test_too_few_features_are_warned_about_and_one_is_refused(caplog):
    with caplog.at_level(logging.WARNING):
        _gaussian(np.random.RandomState(0).rand(4, 8))
    assert "4 features of 8 dimensions" in caplog.text
    with pytest.raises(SampleError, match="two features"):
        _gaussian(np.zeros((1, 8)))


def test_features_that_are_not_finite_or_do_not_fit_are_refused():
    with pytest.raises(SampleError, match="NaN"):
        GaussianStatistics().update([[1.0, float("nan")]])
    with pytest.raises(SampleError):
        frechet_distance(Gaussian(np.zeros(2), np.eye(2)), Gaussian(np.zeros(3), np.eye(3)))
    with pytest.raises(SampleError, match="subset"):
        kernel_distance(np.zeros((10, 2)), np.zeros((10, 2)))
    with pytest.raises(SpecError):
        kernel_distance(np.zeros((10, 2)), np.zeros((10, 2)), rule="nope")
