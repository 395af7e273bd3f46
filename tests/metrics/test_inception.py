"""The FID network and the ways to 299 pixels against recorded outputs; all weights are made up."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evalsuite.errors import CheckpointError, SampleError, SpecError, UnavailableError
from evalsuite.metrics.inception import load_inception, state_dict_shapes
from evalsuite.metrics.resize import resize
from tests.goldens import generators


@pytest.fixture(scope="module")
def made_up() -> dict:
    torch = pytest.importorskip("torch")
    empty = {key: torch.empty(shape) for key, shape in state_dict_shapes().items()}
    return generators().inception_weights(empty)


@pytest.mark.slow
def test_weights_load_from_a_file_and_its_digest_is_recorded(made_up: dict, tmp_path: Path) -> None:
    import torch

    path = tmp_path / "weights.pth"
    torch.save(made_up, path)
    network = load_inception(path)
    assert network.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("path", [None, "nowhere/weights.pth"])
def test_absent_weights_are_named_with_size_and_source(path: str | None) -> None:
    with pytest.raises(UnavailableError, match=r"pt_inception-2015-12-05-6726825d\.pth \(91 MB.*https://"):
        load_inception(path)


def test_other_weights_are_refused(tmp_path: Path) -> None:
    import torch

    torch.save({"fc.weight": torch.zeros(1000, 2048)}, tmp_path / "torchvision.pth")
    (tmp_path / "cut.pth").write_bytes(b"PK\x03\x04 cut off")
    with pytest.raises(CheckpointError, match="not the FID Inception"):
        load_inception(tmp_path / "torchvision.pth")
    with pytest.raises(CheckpointError, match=r"cut\.pth"):
        load_inception(tmp_path / "cut.pth")


def test_images_of_other_forms_are_refused() -> None:
    with pytest.raises(SampleError):
        resize(np.zeros((4, 4, 4), np.uint8), "clean")
    with pytest.raises(SampleError):
        resize(np.zeros((4, 4, 3), np.float32), "clean")


def test_torchmetrics_resizes_with_antialiasing() -> None:
    import torch

    image = generators().image(3, 640, 480)
    tensor = torch.from_numpy(image.transpose(2, 0, 1)[None].copy()).float()
    expected = torch.nn.functional.interpolate(
        tensor, size=(299, 299), mode="bilinear", align_corners=False, antialias=True
    )
    np.testing.assert_array_equal(
        resize(image, "torchmetrics"), expected[0].permute(1, 2, 0).clamp(0, 255).numpy()
    )
    assert np.abs(resize(image, "torchmetrics") - resize(image, "pytorch-fid")).max() > 10


def _script(path: Any) -> None:
    """A TorchScript file in the form of NVIDIA's: `layers` takes scaled pixels and gives 2,048 features."""
    import torch

    class Layers(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.mean(dim=[2, 3]).repeat(1, 683)[:, :2048, None, None]

    class Whole(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = Layers()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.layers((x - 128) / 128)

    # traced, because scripting reads the source of this file
    example = torch.zeros(1, 3, 299, 299)
    whole = Whole()
    whole.layers = torch.jit.trace(whole.layers, example)
    torch.jit.save(torch.jit.trace(whole, example), path)


@pytest.mark.slow
def test_nvidias_torchscript_file_is_run_as_clean_fid_runs_it(tmp_path: Path) -> None:
    _script(tmp_path / "inception-2015-12-05.pt")
    network = load_inception(tmp_path / "inception-2015-12-05.pt")
    image = generators().image(7, 64, 64)
    found = network.extract([image, image], "clean")
    assert found.shape == (2, 2048)
    expected = ((resize(image, "clean").astype(np.float64) - 128) / 128).mean(axis=(0, 1))
    np.testing.assert_allclose(found[0, :3], expected, atol=1e-6)
    assert network.sha256 == hashlib.sha256((tmp_path / "inception-2015-12-05.pt").read_bytes()).hexdigest()
    with pytest.raises(SpecError, match="no features 'logits'"):
        network.extract([image], "clean", "logits")
