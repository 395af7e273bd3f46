"""DINO's class token, from any folder or hub id that holds a transformers `ViTModel`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from evalsuite.features._torch import collect, device_of, fingerprint_of, load_pretrained
from evalsuite.features.base import NetworkSpec
from evalsuite.features.preprocess import IMAGENET_MEAN, IMAGENET_STD, Geometry, preprocess
from evalsuite.features.weights import find_folder
from evalsuite.weights import fingerprint

if TYPE_CHECKING:
    import numpy as np
    import torch
    from PIL.Image import Image as PilImage


class DinoNetwork:
    """The normalised last layer's class token of a self-supervised ViT (Caron et al. 2021).

    MagicBrush and DreamBooth use `dino_vits16` (hub id facebook/dino-vits16): shorter side to 8/7 of the
    input (256 for 224), bicubic, centre crop, ImageNet's mean and standard deviation; cosine of class tokens.
    """

    def __init__(self, spec: NetworkSpec, device: str = "auto") -> None:
        from transformers import ViTModel

        self._spec = spec
        self._transform = preprocess(spec.preprocess)
        folder = find_folder(spec.source, spec.revision)
        self._device = device_of(device)
        self._model = load_pretrained(ViTModel, folder, spec.source).to(self._device)
        side = int(self._model.config.image_size)
        self._geometry = Geometry(side, side * 8 // 7, IMAGENET_MEAN, IMAGENET_STD)
        self._fingerprint = fingerprint_of(fingerprint([self._model]), spec.preprocess, self._geometry)

    @property
    def name(self) -> str:
        return self._spec.name

    @property
    def dim(self) -> int:
        return int(self._model.config.hidden_size)

    @property
    def preprocess(self) -> str:
        return self._spec.preprocess

    @property
    def fingerprint(self) -> str:
        return self._fingerprint

    def images(self, images: Sequence[PilImage]) -> np.ndarray:
        """(n, dim) float32 class tokens."""
        return collect(images, self.dim, self._step)

    def _step(self, batch: Sequence[PilImage]) -> torch.Tensor:
        import numpy as np
        import torch

        pixels = torch.from_numpy(np.stack([self._transform(image, self._geometry) for image in batch]))
        return self._model(pixel_values=pixels.to(self._device)).last_hidden_state[:, 0]
