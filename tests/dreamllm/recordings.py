"""The recordings of the original code, one set per variant that the folder holds."""

from __future__ import annotations

import json
import os
from collections import Counter
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor

from evalsuite.dreamllm.diffusion import ImageSampler
from evalsuite.dreamllm.modeling import DreamLLMForCausalLM
from evalsuite.dreamllm.processing import DreamLLMProcessor

COMPARED: Counter[str] = Counter()
"""Values compared with recordings, per section; printed at the end of the run."""

OWN = Path(__file__).resolve().parents[1] / "golden" / "dreamllm"
"""The recordings that are kept in this repository: variant a."""


def folder() -> Path:
    """EVALSUITE_DREAMLLM_GOLDEN, else `../shared/golden/dreamllm` beside the repository, else our copy."""
    repository = Path(__file__).resolve().parents[2]
    named = os.environ.get("EVALSUITE_DREAMLLM_GOLDEN")
    beside = repository.parent / "shared" / "golden" / "dreamllm"
    return (
        Path(named) if named else beside if beside.is_dir() else repository / "tests" / "golden" / "dreamllm"
    )


class Variant:
    """One recorded model."""

    def __init__(self, name: str, place: Path) -> None:
        self.name, self.folder = name, place
        index = json.loads((self.folder / f"index-{name}.json").read_text())
        self.sections: dict[str, dict[str, Any]] = index["sections"]
        self.checkpoint = self.folder / f"model-{name}"
        for part in (self.checkpoint, self.folder / "cases" / name, self.folder / "images"):
            if not part.is_dir():
                raise FileNotFoundError(f"{self.folder} has index-{name}.json but no {part.name}: {part}")
        self._tensors: dict[str, dict[str, Tensor]] = {}

    def __repr__(self) -> str:
        return f"variant-{self.name}"

    @cached_property
    def model(self) -> DreamLLMForCausalLM:
        return DreamLLMForCausalLM.from_pretrained(self.checkpoint)

    @cached_property
    def processor(self) -> DreamLLMProcessor:
        return DreamLLMProcessor.from_pretrained(self.checkpoint)

    @cached_property
    def sampler(self) -> ImageSampler:
        return ImageSampler(self.model)

    def cases(self, section: str) -> dict[str, Any]:
        """Case -> what was recorded. Skips the test where the section was not recorded."""
        if section not in self.sections:
            pytest.skip(f"{self!r} has no section {section!r}")
        return self.sections[section]

    def case(self, section: str, name: str) -> dict[str, Any]:
        """One case. Skips the test where it was not recorded."""
        cases = self.cases(section)
        if name not in cases:
            pytest.skip(f"{self!r} has no case {name!r} in its section {section!r}")
        return cases[name]

    def tensor(self, section: str, case: str, name: str) -> Tensor:
        if section not in self._tensors:
            self._tensors[section] = load_file(self.folder / "cases" / self.name / f"{section}.safetensors")
        return self._tensors[section][self.sections[section][case]["tensors"][name]["key"]]

    def has(self, section: str, case: str, name: str) -> bool:
        return name in self.sections[section][case].get("tensors", {})

    def image(self, name: str) -> Image.Image:
        return Image.open(self.folder / "images" / f"{name.removesuffix('.png')}.png")

    def pixels(self, names: list[str] | None) -> Tensor | None:
        return self.processor.pixels([self.image(name) for name in names]) if names else None


def discover(place: Path) -> list[Variant]:
    """Every recorded variant of a folder. Raises FileNotFoundError where there is none, or one lacks a part:
    nothing compared must never look like everything right."""
    found = [Variant(path.stem.removeprefix("index-"), place) for path in sorted(place.glob("index-*.json"))]
    if not found:
        raise FileNotFoundError(f"{place} holds no recordings of DreamLLM (no index-*.json)")
    return found


VARIANTS = discover(folder())
TINY = Variant("a", OWN)
"""A small model for the tests that compare with nothing recorded."""


def assert_close(
    got: Tensor, want: Tensor, tolerance: float, section: str, *, scale: float | None = None
) -> None:
    """Largest difference, relative to `scale`: unless given, the largest recorded value."""
    assert got.shape == want.shape, f"shape {tuple(got.shape)} instead of {tuple(want.shape)}"
    scale = max(float(want.abs().max()), 1e-12) if scale is None else scale
    difference = float((got.detach().float() - want.float()).abs().max()) / scale
    assert difference <= tolerance, f"off by {difference:.2e} of {scale:.3g}"
    COMPARED[section] += 1


def assert_same(got: object, want: object, section: str) -> None:
    assert got == want
    COMPARED[section] += 1
