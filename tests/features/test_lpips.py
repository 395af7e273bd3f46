"""LPIPS: the distances that the packages `lpips` 0.1.4 and torchmetrics 1.9.0 gave for the same made-up
weights."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from evalsuite.errors import CheckpointError, SampleError, SpecError, UnavailableError
from evalsuite.features import NetworkSpec, PairNetwork, load_network, load_pair_network, require_weights
from tests.features.networks import write_lpips

RECORDED = {
    ("alex", False, "lpips"): [0.03425763, 0.25415567, 0.24568246, 0.0],
    ("alex", True, "torchmetrics"): [0.08231744, 0.47675231, 0.47987089, 0.0],
    ("squeeze", False, "torchmetrics"): [0.03745886, 0.19869754, 0.19201823, 0.0],
    ("squeeze", True, "lpips"): [0.01776987, 0.10580889, 0.09508265, 0.0],
    ("squeeze", True, "torchmetrics"): [0.01776957, 0.10580852, 0.09508263, 0.0],
    ("vgg", True, "lpips"): [0.018596, 0.14859669, 0.13910939, 0.0],
    ("vgg", True, "torchmetrics"): [0.01859595, 0.14859508, 0.13910782, 0.0],
}


def pictures() -> tuple[list[Image.Image], list[Image.Image]]:
    """Four pairs: a square pasted in, noise against a flat colour both ways, equal images."""
    random = np.random.RandomState(5)
    noise = random.randint(0, 256, (72, 90, 3)).astype(np.uint8)
    pasted = noise.copy()
    pasted[20:50, 30:60] = random.randint(0, 256, 3)
    flat = np.full_like(noise, (200, 30, 90))
    pairs = [(noise, pasted), (noise, flat), (flat, pasted), (pasted, pasted)]
    first, second = ([Image.fromarray(side) for side in sides] for sides in zip(*pairs, strict=True))
    return first, second


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("weights")
    for source in ("alex", "squeeze"):
        write_lpips(folder, source)
    return folder


@pytest.fixture
def squeeze(weights: Path, monkeypatch: pytest.MonkeyPatch) -> PairNetwork:
    monkeypatch.setenv("EVALSUITE_WEIGHTS", str(weights))
    return load_pair_network(NetworkSpec("lpips", "squeeze", "torchmetrics", "LPIPS squeeze"), "cpu")


@pytest.mark.slow
@pytest.mark.parametrize(("source", "flat", "rule"), RECORDED)
def test_distances_are_those_of_the_package(
    source: str, flat: bool, rule: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_lpips(tmp_path, source, flat)
    monkeypatch.setenv("EVALSUITE_WEIGHTS", str(tmp_path))
    network = load_pair_network(NetworkSpec("lpips", source, rule, str(tmp_path)), "cpu")
    found = network.distances(*pictures())
    np.testing.assert_allclose(found, RECORDED[source, flat, rule], atol=1e-7)
    assert found[3] == 0


def test_images_of_any_sizes_are_compared_pair_by_pair(squeeze: PairNetwork) -> None:
    first, second = pictures()
    small = [(a.resize((40, 64)), b.resize((40, 64))) for a, b in zip(first, second, strict=True)]
    mixed = [*zip(first, second, strict=True), *small] * 5
    found = squeeze.distances([a for a, _ in mixed], [b for _, b in mixed])
    alone = [squeeze.distances([a], [b])[0] for a, b in mixed[:8]]
    np.testing.assert_allclose(found, alone * 5, atol=1e-6)


def test_arrays_between_0_and_1_are_compared_as_images_are(squeeze: PairNetwork) -> None:
    first, second = pictures()
    arrays = [np.stack([np.asarray(image) / 255 for image in side]) for side in (first, second)]
    np.testing.assert_allclose(
        squeeze.distances_of_arrays(*arrays), squeeze.distances(first, second), atol=1e-7
    )


def test_no_pairs_give_no_distances(squeeze: PairNetwork) -> None:
    assert squeeze.distances([], []).shape == (0,)


def test_pairs_must_match(squeeze: PairNetwork) -> None:
    first, second = pictures()
    with pytest.raises(SampleError, match="there are 4 and 3 images"):
        squeeze.distances(first, second[:3])
    with pytest.raises(SampleError, match=r"\(90, 72\) and \(72, 90\) pixels"):
        squeeze.distances(first[:1], [first[0].rotate(90, expand=True)])
    with pytest.raises(SampleError, match="arrays of shapes"):
        squeeze.distances_of_arrays(np.zeros((1, 64, 64)), np.zeros((1, 64, 64)))


def test_images_too_small_for_the_backbone_are_refused(
    squeeze: PairNetwork, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alex = load_pair_network(NetworkSpec("lpips", "alex", "lpips"), "cpu")
    for network in (squeeze, alex):
        with pytest.raises(SampleError, match=r"needs \d+ each way") as error:
            network.distances([Image.new("RGB", (1, 80))], [Image.new("RGB", (1, 80))])
        least = int(str(error.value).split("needs ")[1].split()[0])
        smallest = [Image.new("RGB", (least, least), colour) for colour in ("red", "blue")]
        assert network.distances(smallest[:1], smallest[1:])[0] > 0
        with pytest.raises(SampleError, match="too small"):
            network.distances([Image.new("RGB", (least, least - 1))], [Image.new("RGB", (least, least - 1))])


def test_the_two_ways_of_normalising_have_fingerprints_of_their_own(
    squeeze: PairNetwork, weights: Path
) -> None:
    other = load_pair_network(NetworkSpec("lpips", "squeeze", "lpips"), "cpu")
    assert other.fingerprint != squeeze.fingerprint


def test_lpips_gives_no_features(squeeze: PairNetwork) -> None:
    with pytest.raises(SpecError, match="compares pairs"):
        load_network(NetworkSpec("lpips", "squeeze", "torchmetrics", "LPIPS squeeze"), "cpu")


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        (NetworkSpec("lpips", "vgg19", "lpips"), "no backbone 'vgg19'"),
        (NetworkSpec("lpips", "alex", "openai"), "no normalisation 'openai'"),
    ],
)
def test_unknown_names_are_refused(spec: NetworkSpec, said: str) -> None:
    with pytest.raises(SpecError, match=said):
        load_pair_network(spec, "cpu")


def test_absent_files_are_named_one_after_the_other(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EVALSUITE_WEIGHTS", str(tmp_path))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr("evalsuite.features.weights.importlib.util.find_spec", lambda name: None)
    spec = NetworkSpec("lpips", "alex", "lpips", "absent")
    with pytest.raises(UnavailableError, match=r"alexnet-owt-7be5be79.pth \(233 MB\).*weights fetch alexnet"):
        require_weights(spec)
    shutil.copy(weights / "alexnet-owt-7be5be79.pth", tmp_path)
    with pytest.raises(
        UnavailableError, match=r"lpips-v0.1-alex.pth \(6 kB\).*weights fetch lpips-v0.1-alex"
    ):
        load_pair_network(spec, "cpu")


def test_weights_of_something_else_are_refused(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EVALSUITE_WEIGHTS", str(tmp_path))
    shutil.copy(weights / "squeezenet1_1-b8a52dc0.pth", tmp_path)
    (tmp_path / "lpips-v0.1-squeeze.pth").write_bytes(b"no pickle")
    with pytest.raises(CheckpointError, match=r"lpips-v0.1-squeeze.pth cannot be read"):
        load_pair_network(NetworkSpec("lpips", "squeeze", "lpips", "damaged"), "cpu")
    torch.save({"lin0.model.1.weight": torch.zeros(1, 32, 1, 1)}, tmp_path / "lpips-v0.1-squeeze.pth")
    with pytest.raises(CheckpointError, match=r"lin0.model.1.weight should be \(1, 64, 1, 1\)"):
        load_pair_network(NetworkSpec("lpips", "squeeze", "lpips", "other"), "cpu")
