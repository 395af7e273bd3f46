"""Preference models that are a CLIP: HPSv2 and 2.1 (Wu et al. 2023), PickScore (Kirstain et al. 2023)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalsuite.features._torch import load_pretrained
from evalsuite.features.base import NetworkSpec
from evalsuite.features.preprocess import CLIP_MEAN, CLIP_STD, Geometry, read_geometry
from evalsuite.features.scorers.base import TorchScorer, find_checkpoint
from evalsuite.features.sharing import once
from evalsuite.model.weights import fingerprint

if TYPE_CHECKING:
    import torch


class ClipScorer(TorchScorer):
    """The cosine of image and text, times a factor: 100 (`hpsv2`), or exp(logit_scale) (`pickscore`).

    Weights: a folder with a transformers `CLIPModel` and its tokenizer; HPSv2's checkpoints become one by
    `evalsuite weights convert hpsv2 FILE`.
    """

    batch = 64

    def __init__(self, spec: NetworkSpec, device: str = "auto") -> None:
        from transformers import AutoTokenizer, CLIPModel

        folder = find_checkpoint(spec)
        model: Any = load_pretrained(CLIPModel, folder, spec.source)
        side = int(model.config.vision_config.image_size)
        geometry = read_geometry(folder, Geometry(side, side, CLIP_MEAN, CLIP_STD))
        super().__init__(spec, device, geometry, fingerprint([model]), spec.kind)
        self._model = model.to(self._device)
        self._tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        self._length = int(model.config.text_config.max_position_embeddings)
        self._tokens_of = tokenizer_digest(folder)
        self._factor = 100.0 if spec.kind == "hpsv2" else float(model.logit_scale.detach().exp())

    def step(self, pixels: torch.Tensor, texts: Sequence[str]) -> torch.Tensor:
        import torch

        seen = self._model.visual_projection(self._model.vision_model(pixel_values=pixels).pooler_output)
        # Two columns may be one network under two preprocessings: the texts are read once.
        words = (self._tokens_of, self._length, *texts)
        read = once((self.weights_sha256, str(self._device), words), lambda: self._read(texts))
        return self._factor * torch.nn.functional.cosine_similarity(seen, read)

    def _read(self, texts: Sequence[str]) -> torch.Tensor:
        tokens = self._tokenizer(
            list(texts), padding="max_length", truncation=True, max_length=self._length, return_tensors="pt"
        ).to(self._device)
        found: torch.Tensor = self._model.text_projection(
            self._model.text_model(
                input_ids=tokens["input_ids"], attention_mask=tokens["attention_mask"]
            ).pooler_output
        )
        return found


def tokenizer_digest(folder: Path) -> str:
    """sha256 of the tokenizer's files in a folder."""
    digest = hashlib.sha256()
    for name in _TOKENIZER_FILES:
        path = folder / name
        digest.update(name.encode() + (path.read_bytes() if path.is_file() else b""))
    return digest.hexdigest()


_TOKENIZER_FILES = (
    "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.json", "merges.txt",
    "added_tokens.json",
)  # fmt: skip
