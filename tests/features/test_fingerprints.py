"""Loaded twice, a network has one fingerprint: else features of equal networks would not be comparable."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from evalsuite.features import NetworkSpec
from evalsuite.features.kinds import find_kind
from evalsuite.metrics.inception import state_dict_shapes
from tests.features.networks import write_clip, write_dino, write_lpips


def _inception(folder: Path) -> str:
    generator = torch.Generator().manual_seed(0)
    weights = {key: torch.rand(shape, generator=generator) for key, shape in state_dict_shapes().items()}
    path = folder / "pt_inception-2015-12-05-6726825d.pth"
    torch.save(weights, path)
    return str(path)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["clip", "dino", "structure", "lpips", "inception"])
def test_two_loads_give_one_fingerprint(kind: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if kind == "clip":
        spec = NetworkSpec("clip", str(write_clip(tmp_path)))
    elif kind == "lpips":
        write_lpips(tmp_path, "alex")
        monkeypatch.setenv("EVALSUITE_WEIGHTS", str(tmp_path))
        spec = NetworkSpec("lpips", "alex", "lpips")
    elif kind == "inception":
        spec = NetworkSpec("inception", _inception(tmp_path), preprocess="pytorch-fid")
    else:  # a checkpoint without a pooler, as DINO's are
        spec = NetworkSpec(kind, str(write_dino(tmp_path)), "unscaled" if kind == "structure" else "openai")
    torch.manual_seed(1)
    first = find_kind(spec.kind).load(spec, "cpu").fingerprint
    torch.manual_seed(2)
    assert find_kind(spec.kind).load(spec, "cpu").fingerprint == first
