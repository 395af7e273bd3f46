"""CLIP's two towers, from any folder or hub id that holds a transformers `CLIPModel`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from evalsuite.features._torch import collect, device_of, fingerprint_of, load_pretrained
from evalsuite.features.base import NetworkSpec
from evalsuite.features.preprocess import CLIP_MEAN, CLIP_STD, Geometry, preprocess, read_geometry
from evalsuite.features.weights import find_folder
from evalsuite.weights import fingerprint

if TYPE_CHECKING:
    import numpy as np
    import torch
    from PIL.Image import Image as PilImage


class ClipNetwork:
    """Image and text embeddings after CLIP's projections (Radford et al. 2021), not normalised.

    Sizes, mean and standard deviation come from the checkpoint's `preprocessor_config.json`, the kind of
    resize from `spec.preprocess`.
    """

    def __init__(self, spec: NetworkSpec, device: str = "auto") -> None:
        from transformers import AutoTokenizer, CLIPModel

        self._spec = spec
        self._transform = preprocess(spec.preprocess)
        folder = find_folder(spec.source, spec.revision)
        self._device = device_of(device)
        self._model = load_pretrained(CLIPModel, folder, spec.source).to(self._device)
        self._tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        self._length = int(self._model.config.text_config.max_position_embeddings)
        side = int(self._model.config.vision_config.image_size)
        self._geometry = read_geometry(folder, Geometry(side, side, CLIP_MEAN, CLIP_STD))
        self._fingerprint = fingerprint_of(fingerprint([self._model]), spec.preprocess, self._geometry)

    @property
    def name(self) -> str:
        return self._spec.name

    @property
    def dim(self) -> int:
        return int(self._model.config.projection_dim)

    @property
    def preprocess(self) -> str:
        return self._spec.preprocess

    @property
    def fingerprint(self) -> str:
        return self._fingerprint

    def images(self, images: Sequence[PilImage]) -> np.ndarray:
        """(n, dim) float32 image embeddings."""
        return collect(images, self.dim, self._image_step)

    def texts(self, texts: Sequence[str]) -> np.ndarray:
        """(n, dim) float32 text embeddings; tokens past the tower's length are cut off, as OpenAI's truncate
        does."""
        return collect(texts, self.dim, self._text_step)

    def _image_step(self, batch: Sequence[PilImage]) -> torch.Tensor:
        import numpy as np
        import torch

        pixels = torch.from_numpy(np.stack([self._transform(image, self._geometry) for image in batch]))
        pooled = self._model.vision_model(pixel_values=pixels.to(self._device)).pooler_output
        return self._model.visual_projection(pooled)

    def _text_step(self, batch: Sequence[str]) -> torch.Tensor:
        # Always padded to full length: a text's numbers must not depend on what stands beside it.
        tokens = self._tokenizer(
            list(batch), padding="max_length", truncation=True, max_length=self._length, return_tensors="pt"
        ).to(self._device)
        pooled = self._model.text_model(
            input_ids=tokens["input_ids"], attention_mask=tokens["attention_mask"]
        ).pooler_output
        return self._model.text_projection(pooled)
