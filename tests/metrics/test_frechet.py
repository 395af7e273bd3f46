"""Distances between feature sets against four implementations (oracles/fid_cases.json.gz)."""

from __future__ import annotations

import importlib.util
import logging

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalsuite.errors import DataError, SampleError, SpecError
from evalsuite.metrics.frechet import (
    Gaussian,
    GaussianStatistics,
    cmmd,
    frechet_distance,
    inception_score,
    kernel_distance,
    precision_recall,
)
from tests.goldens import golden_dir, load_json


def _generators():
    spec = importlib.util.spec_from_file_location("generators", golden_dir("oracles") / "generators.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _gaussian(features, batch=64) -> Gaussian:
    statistics = GaussianStatistics()
    for start in range(0, len(features), batch):
        statistics.update(features[start : start + batch])
    return statistics.finalize()


def test_frechet_distance_agrees_with_four_implementations():
    features = _generators().features
    for first, second, expected in load_json("oracles", "fid_cases.json.gz")["frechet"]["rows"]:
        ours = frechet_distance(_gaussian(features(*first)), _gaussian(features(*second)))
        for name, value in expected.items():
            if isinstance(value, str) or np.isnan(value):
                continue
            # torch-fidelity and clean-fid average in float32.
            tolerance = 1e-6 if name in ("pytorch_fid", "torchmetrics") else 1e-5
            assert ours == pytest.approx(value, rel=tolerance, abs=1e-9), (first, second, name)


def test_kid_precision_recall_inception_score_and_cmmd_agree():
    features = _generators().features
    for first, second, expected in load_json("oracles", "fid_cases.json.gz")["others"]["rows"]:
        a, b = features(*first), features(*second)
        kid = kernel_distance(a, b, subsets=50, subset_size=100)
        official = expected["torch_fidelity_kid(50 subsets of 100, seed 2020)"]
        assert kid.mean == pytest.approx(official["kernel_inception_distance_mean"], abs=1e-6)
        assert kid.deviation == pytest.approx(official["kernel_inception_distance_std"], abs=1e-6)
        clean = kernel_distance(a, b, subsets=50, subset_size=100, rule="clean-fid")
        assert clean.mean == pytest.approx(expected["clean_fid_kid(np.random.seed(0), 50 x 100)"], abs=1e-6)
        prc = precision_recall(a, b)
        official = expected["torch_fidelity_prc(k=3; 1=generated, 2=real)"]
        assert prc.precision == pytest.approx(official["precision"], abs=1e-7)
        assert prc.recall == pytest.approx(official["recall"], abs=1e-7)
        assert prc.f_score == pytest.approx(official["f_score"], abs=1e-7)
        score = inception_score(a * 4)
        official = expected["torch_fidelity_isc(feats1*4, 10 splits, shuffle seed 2020)"]
        assert score.mean == pytest.approx(official["inception_score_mean"], rel=1e-9)
        assert score.deviation == pytest.approx(official["inception_score_std"], rel=1e-9)
        a, b = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (a, b))
        # The recorded value is float32 noise beyond 3e-4 (see the docstring).
        assert cmmd(a, b) == pytest.approx(expected["cmmd(L2-normalised)"], abs=3e-4)


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
