"""DINO's class token, from any folder or hub id that holds a transformers `ViTModel`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalsuite.features._torch import PretrainedNetwork
from evalsuite.features.base import NetworkSpec
from evalsuite.features.preprocess import IMAGENET_MEAN, IMAGENET_STD, Geometry

if TYPE_CHECKING:
    import torch


class DinoNetwork(PretrainedNetwork):
    """The normalised last layer's class token of a self-supervised ViT (Caron et al. 2021).

    MagicBrush and DreamBooth use `dino_vits16` (hub id facebook/dino-vits16): shorter side to 8/7 of the
    input (256 for 224), bicubic, centre crop, ImageNet's mean and standard deviation; cosine of class tokens.
    """

    def __init__(self, spec: NetworkSpec, device: str = "auto") -> None:
        from transformers import ViTModel

        super().__init__(spec, device, ViTModel)

    @property
    def dim(self) -> int:
        return int(self._model.config.hidden_size)

    def geometry(self) -> Geometry:
        side = int(self._model.config.image_size)
        return Geometry(side, side * 8 // 7, IMAGENET_MEAN, IMAGENET_STD)

    def pooled(self, pixels: torch.Tensor) -> torch.Tensor:
        pooled: torch.Tensor = self._model(pixel_values=pixels).last_hidden_state[:, 0]
        return pooled
