"""CLIP's two towers, from any folder or hub id that holds a transformers `CLIPModel`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from evalsuite.features._torch import PretrainedNetwork, collect
from evalsuite.features.base import NetworkSpec
from evalsuite.features.preprocess import CLIP_MEAN, CLIP_STD, Geometry, read_geometry

if TYPE_CHECKING:
    import numpy as np
    import torch


class ClipNetwork(PretrainedNetwork):
    """Image and text embeddings after CLIP's projections (Radford et al. 2021), not normalised.

    Sizes, mean and standard deviation come from the checkpoint's `preprocessor_config.json`, the kind of
    resize from `spec.preprocess`.
    """

    def __init__(self, spec: NetworkSpec, device: str = "auto") -> None:
        from transformers import AutoTokenizer, CLIPModel

        super().__init__(spec, device, CLIPModel)
        self._tokenizer = AutoTokenizer.from_pretrained(self._folder, local_files_only=True)
        self._length = int(self._model.config.text_config.max_position_embeddings)

    @property
    def dim(self) -> int:
        return int(self._model.config.projection_dim)

    def geometry(self) -> Geometry:
        side = int(self._model.config.vision_config.image_size)
        return read_geometry(self._folder, Geometry(side, side, CLIP_MEAN, CLIP_STD))

    def pooled(self, pixels: torch.Tensor) -> torch.Tensor:
        projected: torch.Tensor = self._model.visual_projection(
            self._model.vision_model(pixel_values=pixels).pooler_output
        )
        return projected

    @property
    def scale(self) -> float:
        """The learned factor of cosines, exp(logit_scale)."""
        return float(self._model.logit_scale.detach().exp())

    def texts(self, texts: Sequence[str]) -> np.ndarray:
        """(n, dim) float32 text embeddings; tokens past the tower's length are cut off, as OpenAI's truncate
        does."""
        return collect(texts, self.dim, self._text_step)

    def _text_step(self, batch: Sequence[str]) -> torch.Tensor:
        # Always padded to full length: a text's numbers must not depend on what stands beside it.
        tokens = self._tokenizer(
            list(batch), padding="max_length", truncation=True, max_length=self._length, return_tensors="pt"
        ).to(self._device)
        pooled = self._model.text_model(
            input_ids=tokens["input_ids"], attention_mask=tokens["attention_mask"]
        ).pooler_output
        projected: torch.Tensor = self._model.text_projection(pooled)
        return projected
