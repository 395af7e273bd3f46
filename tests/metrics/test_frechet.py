"""Distances between Gaussians: merging, precision, files; compared with four tools in tests/golden."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalsuite.errors import DataError, SampleError
from evalsuite.metrics.frechet import (
    Gaussian,
    GaussianStatistics,
    Protocol,
    frechet_distance,
    frechet_distance_to,
    frechet_infinity,
)


def _gaussian(features: Any, batch: Any = 64, means: Any = "float64") -> Gaussian:
    statistics = GaussianStatistics(means)
    for start in range(0, len(features), batch):
        statistics.update(features[start : start + batch])
    return statistics.finalize()


def test_the_distance_of_unit_gaussians_one_apart_is_their_dimension() -> None:
    # pytorch-fid's own test, at 2,048 dimensions there.
    unit = np.eye(128)
    assert frechet_distance(Gaussian(np.zeros(128), unit), Gaussian(np.ones(128), unit)) == pytest.approx(128)


@given(st.lists(st.integers(0, 30), min_size=1, max_size=6), st.integers(0, 10_000))
def test_merged_parts_equal_one_pass_over_everything(sizes: Any, seed: Any) -> None:
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


@given(st.lists(st.integers(0, 40), min_size=1, max_size=5), st.integers(0, 10_000))
def test_means_in_float32_are_numpys_whatever_the_batches(sizes: Any, seed: Any) -> None:
    data = (np.random.RandomState(seed).standard_normal((sum(sizes) + 2, 7)) * 30 + 5).astype(np.float32)
    statistics, at = GaussianStatistics("float32"), 0
    for size in [*sizes, 2]:
        statistics.update(data[at : at + size])
        at += size
    found = statistics.finalize()
    np.testing.assert_array_equal(found.mu, np.mean(data, axis=0))
    assert np.allclose(found.sigma, np.cov(data, rowvar=False), rtol=1e-9)


@given(st.lists(st.integers(1, 30), min_size=2, max_size=6), st.integers(0, 10_000), st.randoms())
def test_shards_merged_in_any_order_give_the_same_distance(sizes: Any, seed: Any, order: Any) -> None:
    random = np.random.RandomState(seed)
    data = random.standard_normal((sum(sizes), 4)) * 3 + 1
    reference = _gaussian(random.standard_normal((50, 4)))
    shards, at = [], 0
    for size in sizes:
        shards.append(GaussianStatistics())
        shards[-1].update(data[at : at + size])
        at += size
    order.shuffle(shards)
    merged = GaussianStatistics()
    for shard in shards:
        merged.merge(shard)
    whole = frechet_distance(reference, _gaussian(data))
    assert frechet_distance(reference, merged.finalize()) == pytest.approx(whole, rel=1e-7, abs=1e-7)


def test_float32_and_float64_means_do_not_mix() -> None:
    with pytest.raises(SampleError, match="float64 and in float32"):
        GaussianStatistics().merge(GaussianStatistics("float32"))


def test_constant_images_have_a_distance_though_their_covariance_is_nothing() -> None:
    constant = _gaussian(np.full((20, 3), 2.0))
    other = _gaussian(np.full((9, 3), 3.0))
    spread = _gaussian(np.random.RandomState(0).standard_normal((40, 3)))
    assert frechet_distance(constant, constant) == 0
    assert frechet_distance(constant, other) == pytest.approx(3)
    expected = ((constant.mu - spread.mu) ** 2).sum() + np.trace(spread.sigma)
    assert frechet_distance(constant, spread) == pytest.approx(expected)


def test_one_root_serves_many_distances() -> None:
    random = np.random.RandomState(1)
    reference, *others = (_gaussian(random.standard_normal((30, 6)) * scale) for scale in (1, 2, 3))
    distance = frechet_distance_to(reference)
    for other in others:
        assert distance(other) == pytest.approx(frechet_distance(other, reference), rel=1e-9)


def test_the_extrapolation_removes_the_bias_of_few_images() -> None:
    random = np.random.RandomState(3)
    reference = _gaussian(random.standard_normal((20_000, 32)))
    few = random.standard_normal((2000, 32))
    biased = frechet_distance(_gaussian(few), reference)
    found = frechet_infinity(few, reference, points=15, smallest=200)
    assert biased > 0.1
    assert abs(found.value) < biased / 4
    assert 0 < found.error < biased / 4
    assert found == frechet_infinity(few, reference, points=15, smallest=200)
    with pytest.raises(SampleError, match="more than 5,000 features"):
        frechet_infinity(few, reference)


PROTOCOL = Protocol("Inception", "clean", "float32", "float32", "ab" * 32, "cd" * 32)


def test_the_protocol_travels_with_the_statistics_and_other_tools_still_read_them(tmp_path: Path) -> None:
    made = _gaussian(np.random.RandomState(0).rand(20, 4))
    Gaussian(made.mu, made.sigma, 20, PROTOCOL).save(tmp_path / "a.npz")
    loaded = Gaussian.load(tmp_path / "a.npz")
    assert (loaded.protocol, loaded.count) == (PROTOCOL, 20)
    # pytorch_fid.fid_score.compute_statistics_of_path, cleanfid.features.get_reference_statistics
    with np.load(tmp_path / "a.npz") as theirs:
        np.testing.assert_array_equal(theirs["mu"][:], made.mu)
        np.testing.assert_array_equal(theirs["sigma"][:], made.sigma)


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (Protocol("Inception", "pytorch-fid"), "mode clean and mode pytorch-fid"),
        (Protocol("Inception", "clean", fingerprint="ef" * 32, weights_sha256="12" * 32), "with weights"),
    ],
)
def test_statistics_of_different_protocols_are_not_compared(other: Any, said: str) -> None:
    made = _gaussian(np.random.RandomState(0).rand(20, 4))
    first, second = (Gaussian(made.mu, made.sigma, 20, protocol) for protocol in (PROTOCOL, other))
    with pytest.raises(SampleError, match=said):
        frechet_distance(first, second)
    assert frechet_distance(first, made) == pytest.approx(0, abs=1e-12)


def test_statistics_survive_saving_and_files_of_others_load(tmp_path: Path) -> None:
    made = _gaussian(np.random.RandomState(0).rand(20, 4))
    made.save(tmp_path / "a.npz")
    loaded = Gaussian.load(tmp_path / "a.npz")
    assert loaded.count == 20
    assert frechet_distance(made, loaded) == pytest.approx(0, abs=1e-12)
    np.savez_compressed(tmp_path / "theirs.npz", mu=made.mu.astype(np.float32), sigma=made.sigma)
    assert Gaussian.load(tmp_path / "theirs.npz").count is None


@pytest.mark.parametrize(
    "arrays",
    [
        {"mu": np.zeros(3)},
        {"mu": np.zeros(3), "sigma": np.eye(2)},
        {"mu": np.full(2, np.nan), "sigma": np.eye(2)},
        {"mu": np.zeros(2), "sigma": np.eye(2), "protocol": np.array("{}")},
    ],
)
def test_other_npz_files_are_refused_by_name(tmp_path: Path, arrays: dict[str, Any]) -> None:
    np.savez(tmp_path / "other.npz", **arrays)
    with pytest.raises(DataError, match=r"other\.npz"):
        Gaussian.load(tmp_path / "other.npz")


def test_a_file_damaged_anywhere_is_refused_by_name(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "whole.npz", mu=np.arange(9.0), sigma=np.eye(9))
    whole = (tmp_path / "whole.npz").read_bytes()
    said = []
    for at in range(0, len(whole), 3):
        damaged = bytearray(whole)
        damaged[at] ^= 0xFF
        (tmp_path / "broken.npz").write_bytes(damaged)
        try:
            Gaussian.load(tmp_path / "broken.npz")
        except DataError as error:
            said.append(str(error))
    assert len(said) > len(whole) // 6
    assert all("broken.npz" in message for message in said)


def test_too_few_features_are_warned_about_and_one_is_refused(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        _gaussian(np.random.RandomState(0).rand(4, 8))
    assert "4 features of 8 dimensions" in caplog.text
    with pytest.raises(SampleError, match="two features"):
        _gaussian(np.zeros((1, 8)))


def test_features_that_are_not_finite_or_do_not_fit_are_refused() -> None:
    with pytest.raises(SampleError, match="NaN"):
        GaussianStatistics().update([[1.0, float("nan")]])
    with pytest.raises(SampleError):
        frechet_distance(Gaussian(np.zeros(2), np.eye(2)), Gaussian(np.zeros(3), np.eye(3)))
