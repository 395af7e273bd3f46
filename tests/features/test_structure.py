"""The structure network: keys of the last layer under PIE-Bench's preprocessing, with made-up weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import ViTModel

from evalsuite.errors import SampleError, SpecError, UnavailableError
from evalsuite.features import NetworkSpec, load_network, load_pair_network
from evalsuite.features.structure import StructureNetwork
from evalsuite.metrics.structure import structure_distance
from tests.features.networks import pictures, write_dino

MEAN, STD = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dino(tmp_path_factory.mktemp("dino"))


def network(folder: Path, preprocess: str = "unscaled") -> StructureNetwork:
    return StructureNetwork(NetworkSpec("structure", str(folder), preprocess), "cpu")


def keys_by_hand(folder: Path, pixels: torch.Tensor) -> np.ndarray:
    """The last layer's keys from the layer before, without hooks; `pixels` (1, 3, 28, 28) as the network
    sees them."""
    model = ViTModel.from_pretrained(folder, add_pooling_layer=False).eval()
    with torch.no_grad():
        hidden = model.embeddings(pixels)
        for layer in model.layers[:-1]:
            hidden = layer(hidden)
        last = model.layers[-1]
        return last.attention.k_proj(last.layernorm_before(hidden))[0].numpy()


@pytest.mark.parametrize(("preprocess", "divisor"), [("unscaled", 1), ("scaled", 255)])
def test_the_network_sees_what_pie_benchs_program_shows_it(
    folder: Path, preprocess: str, divisor: int
) -> None:
    image = pictures(1)[0].resize((28, 28))
    pixels = torch.from_numpy(np.array(image, dtype=np.float32)).permute(2, 0, 1)[None] / divisor
    seen = (pixels - MEAN[None, :, None, None]) / STD[None, :, None, None]
    keys = network(folder, preprocess).keys(np.asarray(image))
    assert keys.shape == (17, 16)
    np.testing.assert_allclose(keys, keys_by_hand(folder, seen), rtol=1e-4, atol=1e-4)


def test_large_images_are_scaled_without_antialiasing(folder: Path) -> None:
    image = pictures(1)[0].resize((70, 70))
    pixels = torch.from_numpy(np.array(image, dtype=np.float32)).permute(2, 0, 1)[None]
    small = torch.nn.functional.interpolate(pixels, size=(28, 28), mode="bilinear", antialias=False)
    seen = (small - MEAN[None, :, None, None]) / STD[None, :, None, None]
    np.testing.assert_allclose(
        network(folder).keys(np.asarray(image)), keys_by_hand(folder, seen), rtol=1e-4, atol=1e-4
    )


def test_distances_are_those_of_the_keys_and_arrays_give_the_same(folder: Path) -> None:
    net = load_pair_network(NetworkSpec("structure", str(folder), "scaled"), "cpu")
    assert isinstance(net, StructureNetwork)
    first, second = (picture.resize((56, 56)) for picture in pictures(2))
    (found,) = net.distances([first], [second])
    assert found == structure_distance(net.keys(np.asarray(first)), net.keys(np.asarray(second)))
    assert found > 0
    arrays = [np.asarray(picture)[None] / 255 for picture in (first, second)]
    assert net.distances_of_arrays(*arrays)[0] == pytest.approx(found, rel=1e-4)
    assert net.distances([first], [first]).tolist() == [0]
    assert net.fingerprint != network(folder).fingerprint


def test_longer_sides_keep_their_aspect_up_to_a_limit_and_unlike_shapes_are_refused(folder: Path) -> None:
    net = network(folder)
    wide = net.keys(np.zeros((28, 56, 3), np.uint8))
    assert len(wide) == 1 + 4 * 8
    assert len(net.keys(np.zeros((10, 400, 3), np.uint8))) == 1 + (480 * 28 // 1120 // 7) * (480 // 7)
    with pytest.raises(SampleError, match="patches"):
        net.distances([Image.new("RGB", (28, 28))], [Image.new("RGB", (56, 28))])


def test_a_structure_network_is_asked_for_pairs_and_by_known_names(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="no preprocessing 'openai'"):
        network(folder, "openai")
    with pytest.raises(SpecError, match="no features"):
        load_network(NetworkSpec("structure", str(folder), "scaled"), "cpu")
    with pytest.raises(UnavailableError, match="no checkpoint folder"):
        network(tmp_path / "nothing")
