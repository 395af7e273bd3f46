"""What scorers of images share: identity, batches, folders of weights."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalsuite.errors import CheckpointError
from evalsuite.features._torch import Described, batched, device_of
from evalsuite.features.base import NetworkSpec
from evalsuite.features.preprocess import Geometry, preprocess
from evalsuite.features.weights import find_folder

if TYPE_CHECKING:
    import numpy as np
    import torch
    from PIL.Image import Image as PilImage

CONFIG = "config.json"
WEIGHTS = "model.safetensors"


class TorchScorer(Described, ABC):
    """Base of the scorers: images become arrays in decoding threads, batches of arrays and texts scores.

    Args:
        weights_sha256: of its weights alone.
        settings: what else changes scores, for the fingerprint.
    """

    batch = 16
    """Images that go through the network together."""

    def __init__(
        self, spec: NetworkSpec, device: str, geometry: Geometry, weights_sha256: str, *settings: object
    ) -> None:
        super().__init__(spec, weights_sha256, geometry, *settings)
        self._transform = preprocess(spec.preprocess)
        self._geometry = geometry
        self._device = device_of(device)

    @property
    def seen_as(self) -> object:
        """Networks of which this is equal prepare an image alike."""
        return self.preprocess, self._geometry

    def prepare(self, image: PilImage) -> np.ndarray:
        """(3, side, side) float32, what the network sees of an RGB image; may run in any thread."""
        return self._transform(image, self._geometry)

    def scores(self, prepared: Sequence[np.ndarray], texts: Sequence[str]) -> np.ndarray:
        """(n,) float32 scores of prepared images with their texts, in order."""
        import numpy as np
        import torch

        found: list[np.ndarray] = []
        with torch.inference_mode():
            for places in batched(range(len(prepared)), self.batch):
                pixels = torch.from_numpy(np.stack([prepared[at] for at in places])).to(self._device)
                step = self.step(pixels, [texts[at] for at in places])
                found.append(step.float().cpu().numpy().reshape(-1))
        return np.concatenate(found) if found else np.empty(0, np.float32)

    @abstractmethod
    def step(self, pixels: torch.Tensor, texts: Sequence[str]) -> torch.Tensor:
        """(n,) scores of (n, 3, side, side) pixels with their texts."""


def read_config(folder: Path, kind: str) -> dict[str, Any]:
    """The `config.json` of a folder that a converter of evalsuite wrote.

    Raises CheckpointError where it cannot be read, or is another network's.
    """
    path = folder / CONFIG
    try:
        config: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        found = config.get("model_type")
    except (OSError, ValueError, AttributeError, RecursionError) as error:
        raise CheckpointError(f"{path} cannot be read ({error}).", "Convert the checkpoint again.") from error
    if found != kind:
        raise CheckpointError(
            f"{folder} is a checkpoint of type {found!r}, {kind!r} is needed.",
            f"Convert the published file: `evalsuite weights convert {kind} FILE`.",
        )
    return config


def load_state(module: torch.nn.Module, path: Path) -> None:
    """Loads a safetensors file into a module, every tensor of it.

    Raises CheckpointError for a damaged file, and for tensors that are missing, left over, or of another
    size.
    """
    from safetensors.torch import load_file

    try:
        missing, unexpected = module.load_state_dict(load_file(path), strict=False)
    except Exception as error:  # safetensors and torch each raise their own kinds
        raise CheckpointError(
            f"{path} cannot be loaded ({error}).", "Convert the checkpoint again."
        ) from error
    wrong = [*(f"{name} is missing" for name in missing), *(f"{name} is unknown" for name in unexpected)]
    if wrong:
        raise CheckpointError(
            f"{path} is not of this network: {wrong[0]} ({len(wrong)} such).",
            "Convert the published file again.",
        )


def find_checkpoint(spec: NetworkSpec) -> Path:
    """The folder of a scorer's weights; see `find_folder`."""
    return find_folder(spec.source, spec.revision)
