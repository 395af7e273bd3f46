"""Sentence embeddings, from any folder or hub id that holds a transformers `MPNetModel`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from evalsuite.errors import SpecError
from evalsuite.features._torch import PretrainedNetwork, collect
from evalsuite.features.base import NetworkSpec
from evalsuite.features.preprocess import CLIP_MEAN, CLIP_STD, Geometry

if TYPE_CHECKING:
    import numpy as np
    import torch
    from PIL.Image import Image as PilImage

_LENGTH = 384


class SentenceNetwork(PretrainedNetwork):
    """The mean over a text's tokens of the last layer, as sentence-transformers pools all-mpnet-base-v2
    (its `max_seq_length` of 384 tokens; what it normalises afterwards changes no cosine).

    It has no images: `images` raises SpecError.
    """

    def __init__(self, spec: NetworkSpec, device: str = "auto") -> None:
        from transformers import AutoTokenizer, MPNetModel

        super().__init__(spec, device, MPNetModel)
        self._tokenizer = AutoTokenizer.from_pretrained(self._folder, local_files_only=True)
        self._length = min(_LENGTH, int(self._model.config.max_position_embeddings) - 2)

    @property
    def dim(self) -> int:
        return int(self._model.config.hidden_size)

    def geometry(self) -> Geometry:
        return Geometry(1, 1, CLIP_MEAN, CLIP_STD)

    def pooled(self, pixels: torch.Tensor) -> torch.Tensor:
        raise SpecError(f"The network {self.name} has no image side.", "Name a network of kind clip or dino.")

    def images(self, images: Sequence[PilImage]) -> np.ndarray:
        raise SpecError(f"The network {self.name} has no image side.", "Name a network of kind clip or dino.")

    def texts(self, texts: Sequence[str]) -> np.ndarray:
        """(n, dim) float32 embeddings; tokens past the network's length are cut off."""
        return collect(texts, self.dim, self._text_step)

    def _text_step(self, batch: Sequence[str]) -> torch.Tensor:
        tokens = self._tokenizer(
            list(batch), padding="max_length", truncation=True, max_length=self._length, return_tensors="pt"
        ).to(self._device)
        hidden = self._model(
            input_ids=tokens["input_ids"], attention_mask=tokens["attention_mask"]
        ).last_hidden_state
        mask = tokens["attention_mask"].unsqueeze(-1).to(hidden.dtype)
        mean: torch.Tensor = (hidden * mask).sum(1) / mask.sum(1).clamp(min=1e-9)
        return mean
