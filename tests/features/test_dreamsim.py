"""DreamSim's ensemble against the official package, on made-up weights under the published names."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from evalsuite.errors import CheckpointError, UnavailableError
from evalsuite.features import NetworkSpec, load_network, require_weights
from evalsuite.features.dreamsim import ARCHIVE, BACKBONE
from evalsuite.task.networks import cosines
from tests.features.dreamsim_weights import lora, write_dreamsim
from tests.features.networks import pictures

RECORDED = {(0, 0): 0.0, (0, 1): 0.195474, (0, 2): 0.2492616, (1, 3): 0.135794, (2, 3): 0.1567436}
"""Distances that the package gave: dreamsim() of ssundaram21/dreamsim on these weights (its `vit_base` made
this small), with peft 0.21.2; torchvision's transforms were replaced by the same calls of PIL and torch."""
EMBEDDING = {0: 0.0739999, 127: 0.0491823, 128: 0.0171414, 151: 0.0287687, 152: 0.0223274, 175: -0.0000928}
"""Of the first image, `embed` at these places: both ends of each network's part."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dreamsim(tmp_path_factory.mktemp("dreamsim"))


def spec(source: Path | str) -> NetworkSpec:
    return NetworkSpec("dreamsim", str(source), "squashed", "DreamSim")


def test_dreamsim_gives_the_packages_distances(folder: Path) -> None:
    network = load_network(spec(folder), "cpu")
    features = network.images(pictures(4, seed=5))
    assert features.shape == (4, network.dim) == (4, 176)
    for (first, second), distance in RECORDED.items():
        cosine = cosines(features[[first]], features[[second]])[0]
        assert 1 - cosine == pytest.approx(distance, abs=2e-6)
    unit = features[0] / np.linalg.norm(features[0])
    assert unit[list(EMBEDDING)] == pytest.approx(list(EMBEDDING.values()), abs=2e-6)


def test_dreamsim_reads_the_published_archive(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EVALSUITE_WEIGHTS", str(tmp_path))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(UnavailableError, match=f"{ARCHIVE}.*weights fetch"):
        require_weights(spec(ARCHIVE))
    with zipfile.ZipFile(tmp_path / ARCHIVE, "w") as archive:
        for path in folder.rglob("*.*"):
            if path.name != BACKBONE:
                archive.write(path, path.relative_to(folder))
    with pytest.raises(UnavailableError, match=f"{BACKBONE}.*343 MB"):
        require_weights(spec(ARCHIVE))
    shutil.copy(folder / "checkpoints" / BACKBONE, tmp_path)
    network = load_network(spec(ARCHIVE), "cpu")
    one = pictures(1, seed=5)
    assert (network.images(one) == load_network(spec(folder), "cpu").images(one)).all()


def test_what_is_missing_or_of_another_network_is_one_error(folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    adapter = copy / "ensemble_lora/adapter_model.safetensors"
    other = lora()
    name = next(iter(other))
    other[name] = other[name][:, :-1].contiguous()
    save_file(other, adapter)
    with pytest.raises(CheckpointError, match="does not fit DreamSim's ensemble"):
        load_network(spec(copy), "cpu")
    adapter.write_bytes(b"no tensors")
    with pytest.raises(CheckpointError, match=r"adapter_model\.safetensors cannot be read"):
        load_network(spec(copy), "cpu")
    torch.save({"state_dict": {"proj": torch.zeros(1)}}, copy / "clip_vitb16_pretrain.pth.tar")
    with pytest.raises(CheckpointError, match=r"clip_vitb16_pretrain.pth.tar has no blocks.0.attn.proj.bias"):
        load_network(spec(copy), "cpu")
    (copy / "clip_vitb16_pretrain.pth.tar").unlink()
    with pytest.raises(UnavailableError, match=r"lacks clip_vitb16_pretrain\.pth\.tar"):
        require_weights(spec(copy))
