"""Distances between feature sets in four implementations, resizers, the FID network with made-up weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evalsuite.metrics.coverage import precision_recall
from evalsuite.metrics.feature_sets import cmmd, kernel_distance
from evalsuite.metrics.frechet import Gaussian, GaussianStatistics, Means, frechet_distance
from evalsuite.metrics.inception import FEATURES, Inception, state_dict_shapes
from evalsuite.metrics.inception_score import inception_score
from evalsuite.metrics.resize import resize
from tests.goldens import case_files, generators, read_json

Compared = Callable[[str, int], None]
EVERY_FILE = pytest.mark.parametrize("path", case_files("*fid_cases*.json*"), ids=lambda path: path.name)
MODE_OF_RESIZER = {
    "cleanfid_clean": "clean",
    "cleanfid_legacy_pytorch": "pytorch-fid",
    "PIL_quantized_bilinear": "pil-bilinear",
    "PIL_quantized_lanczos": "pil-lanczos",
    "tf1_bilinear(torch-fidelity)": "torch-fidelity",
}


def _section(path: Path, name: str) -> Any:
    cases = read_json(path)
    if name not in cases:
        pytest.skip(f"{path.name} has no section {name!r}")
    return cases[name]


MEANS: dict[str, Means] = {
    "pytorch_fid": "float64",
    "torchmetrics": "float64",
    "clean_fid": "float32",
    "torch_fidelity": "float32",
}
"""The precision in which each tool averages features."""


def _gaussian(features: np.ndarray, means: Means, batch: int = 64) -> Gaussian:
    statistics = GaussianStatistics(means)
    for start in range(0, len(features), batch):
        statistics.update(features[start : start + batch])
    return statistics.finalize()


@pytest.mark.parametrize("tool", MEANS)
@EVERY_FILE
def test_frechet_distance_agrees_with_the_tool_that_averages_in_this_precision(
    path: Path, tool: str, compared: Compared
) -> None:
    features, means = generators().features, MEANS[tool]
    count = 0
    for first, second, expected in _section(path, "frechet")["rows"]:
        value = expected[tool]
        if isinstance(value, str) or np.isnan(value):
            continue  # the tool itself fails on one dimension
        ours = frechet_distance(_gaussian(features(*first), means), _gaussian(features(*second), means))
        assert ours == pytest.approx(value, rel=1e-7, abs=1e-9), (first, second)
        count += 1
    compared("FID: pairs of feature sets", count)


@EVERY_FILE
def test_kid_precision_recall_inception_score_and_cmmd_agree(path: Path, compared: Compared) -> None:
    features = generators().features
    rows = _section(path, "others")["rows"]
    for first, second, expected in rows:
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
    compared("FID: KID, PRC, IS, CMMD pairs", len(rows))


@pytest.mark.parametrize("resizer", MODE_OF_RESIZER)
@EVERY_FILE
def test_resized_images_equal_those_of_the_tool(path: Path, resizer: str, compared: Compared) -> None:
    oracle = _section(path, "resize_to_299")
    image = generators().image
    for arguments, resizers in oracle["rows"]:
        expected = resizers[resizer]
        resized = resize(image(*arguments), MODE_OF_RESIZER[resizer])
        assert resized.shape == (299, 299, 3)
        picked = [resized[y, x] for y, x in oracle["pixel_positions_yx"]]
        assert np.abs(np.array(picked) - np.array(expected["px"])).max() < 1e-4, arguments
        assert resized.mean(dtype=np.float64) == pytest.approx(expected["mean"], rel=1e-6)
        assert resized.std(dtype=np.float64) == pytest.approx(expected["std"], rel=1e-6)
        assert (resized.min(), resized.max()) == pytest.approx((expected["min"], expected["max"]), abs=1e-4)
    compared("FID: images to 299 pixels", len(oracle["rows"]))


def _agree(features: np.ndarray, expected: dict[str, Any]) -> None:
    assert list(features.shape) == expected["shape"]
    scale = np.abs(features).max()
    assert np.abs(features[:, :8] - np.array(expected["first8"])).max() < 1e-5 * scale
    assert features.mean(dtype=np.float64) == pytest.approx(expected["mean"], rel=1e-5, abs=1e-5)
    assert features.std(dtype=np.float64, ddof=1) == pytest.approx(expected["std"], rel=1e-5)


@EVERY_FILE
def test_every_feature_layer_equals_the_recorded_one(path: Path, compared: Compared) -> None:
    torch = pytest.importorskip("torch")
    oracle = _section(path, "inception_fake_weights")
    assert {key: list(shape) for key, shape in state_dict_shapes().items()} == oracle["state_dict_shapes"]
    empty = {key: torch.empty(shape) for key, shape in state_dict_shapes().items()}
    network = Inception(generators().inception_weights(empty))
    image = generators().image
    images = [image(7, 64, 64), image(8, 64, 64)]
    pixels = np.stack([resize(image, "torch-fidelity") for image in images]).transpose(0, 3, 1, 2)
    found = network.forward((torch.from_numpy(np.ascontiguousarray(pixels)) - 128) / 128, FEATURES)
    for name in FEATURES:
        _agree(found[name].numpy(), oracle["features"][name])
    _agree(network.extract(images, "clean"), oracle["features_clean_resize"]["2048"])
    compared("FID: feature layers of the Inception graph", len(FEATURES) + 1)
