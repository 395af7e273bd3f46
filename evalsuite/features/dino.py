"""DINO's class token, from any folder or hub id that holds a transformers `ViTModel` or `Dinov2Model`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from evalsuite.features._torch import PretrainedNetwork
from evalsuite.features.base import NetworkSpec
from evalsuite.features.preprocess import IMAGENET_MEAN, IMAGENET_STD, Geometry, read_geometry
from evalsuite.features.weights import find_folder

if TYPE_CHECKING:
    from pathlib import Path

    import torch


class DinoNetwork(PretrainedNetwork):
    """The normalised last layer's class token of a self-supervised ViT (Caron et al. 2021; DINOv2, Oquab et
    al. 2023, where the checkpoint is a `Dinov2Model`).

    MagicBrush and DreamBooth use `dino_vits16` (hub id facebook/dino-vits16): shorter side to 8/7 of the
    input (256 for 224), bicubic, centre crop, ImageNet's mean and standard deviation; cosine of class tokens.
    DINOv2's input is as its folder's `preprocessor_config.json` says (256, cropped to 224: less than the 518
    that its positions were made for, which are interpolated).
    """

    def __init__(self, spec: NetworkSpec, device: str = "auto") -> None:
        from transformers import Dinov2Model, ViTModel

        self._second = _is_dinov2(find_folder(spec.source, spec.revision))
        super().__init__(spec, device, Dinov2Model if self._second else ViTModel)

    @property
    def dim(self) -> int:
        return int(self._model.config.hidden_size)

    def geometry(self) -> Geometry:
        if self._second:
            return read_geometry(self._folder, Geometry(224, 256, IMAGENET_MEAN, IMAGENET_STD))
        side = int(self._model.config.image_size)
        return Geometry(side, side * 8 // 7, IMAGENET_MEAN, IMAGENET_STD)

    def pooled(self, pixels: torch.Tensor) -> torch.Tensor:
        pooled: torch.Tensor = self._model(pixel_values=pixels).last_hidden_state[:, 0]
        return pooled


def _is_dinov2(folder: Path) -> bool:
    """A configuration that cannot be read is refused by what loads the weights."""
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(config, dict) and config.get("model_type") == "dinov2"
