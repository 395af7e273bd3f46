"""The FID network and the ways to 299 pixels against recorded outputs; all weights are made up."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from evalsuite.errors import CheckpointError, SampleError, UnavailableError
from evalsuite.metrics.inception import load_inception, state_dict_shapes
from evalsuite.metrics.resize import resize
from tests.goldens import generators


@pytest.fixture(scope="module")
def made_up() -> dict:
    torch = pytest.importorskip("torch")
    empty = {key: torch.empty(shape) for key, shape in state_dict_shapes().items()}
    return generators().inception_weights(empty)


def test_weights_load_from_a_file_and_its_digest_is_recorded(made_up, tmp_path):
    import torch

    path = tmp_path / "weights.pth"
    torch.save(made_up, path)
    network = load_inception(path)
    assert network.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("path", [None, "nowhere/weights.pth"])
def test_absent_weights_are_named_with_size_and_source(path):
    with pytest.raises(UnavailableError, match=r"pt_inception-2015-12-05-6726825d\.pth \(91 MB.*https://"):
        load_inception(path)


def test_other_weights_are_refused(tmp_path):
    import torch

    torch.save({"fc.weight": torch.zeros(1000, 2048)}, tmp_path / "torchvision.pth")
    (tmp_path / "cut.pth").write_bytes(b"PK\x03\x04 cut off")
    with pytest.raises(CheckpointError, match="not the FID Inception"):
        load_inception(tmp_path / "torchvision.pth")
    with pytest.raises(CheckpointError, match=r"cut\.pth"):
        load_inception(tmp_path / "cut.pth")


def test_images_of_other_forms_are_refused():
    with pytest.raises(SampleError):
        resize(np.zeros((4, 4, 4), np.uint8), "clean")
    with pytest.raises(SampleError):
        resize(np.zeros((4, 4, 3), np.float32), "clean")
