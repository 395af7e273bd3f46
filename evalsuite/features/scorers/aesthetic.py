"""The aesthetic predictor v2 (christophschuhmann/improved-aesthetic-predictor): a head on CLIP ViT-L/14."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalsuite.errors import CheckpointError
from evalsuite.features._torch import file_sha256, load_pretrained
from evalsuite.features.base import NetworkSpec
from evalsuite.features.preprocess import CLIP_MEAN, CLIP_STD, Geometry, read_geometry
from evalsuite.features.scorers.base import TorchScorer, find_checkpoint
from evalsuite.features.weights import find_file
from evalsuite.model.weights import fingerprint

if TYPE_CHECKING:
    import torch
    from torch import Tensor

HEAD = "sac+logos+ava1-l14-linearMSE.pth"


def require_aesthetic(spec: NetworkSpec) -> None:
    """Raises UnavailableError where CLIP or the head is not on this machine."""
    head_file(find_checkpoint(spec))


def head_file(folder: Path) -> Path:
    """The head's file: beside CLIP's, else in the weights folder. Raises UnavailableError."""
    beside = folder / HEAD
    return beside if beside.is_file() else find_file(HEAD)


def read_head(path: Path) -> tuple[Tensor, Tensor]:
    """The five layers as the one linear map that they are: (width,) weights and a bias.

    Between the layers stands dropout only, which does nothing when scores are computed.

    Raises CheckpointError for a damaged file or another network's.
    """
    import torch

    try:
        state: Mapping[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
        numbers = sorted({int(name.split(".")[1]) for name in state})
        weight, bias = torch.eye(state[f"layers.{numbers[0]}.weight"].shape[1], dtype=torch.float64), None
        for number in numbers:
            layer = state[f"layers.{number}.weight"].double()
            shift = state[f"layers.{number}.bias"].double()
            bias = shift if bias is None else layer @ bias + shift
            weight = layer @ weight
        if bias is None or weight.shape[0] != 1:
            raise ValueError("it does not end in one number")
    except Exception as error:  # pickle, zip and tensors each raise their own kinds
        raise CheckpointError(
            f"{path} is no head of the aesthetic predictor ({error}).",
            "Fetch it again: `evalsuite weights fetch aesthetic-v2`.",
        ) from error
    return weight[0], bias[0]


def aesthetic(features: Tensor, head: tuple[Tensor, Tensor]) -> Tensor:
    """(n,) scores, about 1 to 10, of (n, width) image embeddings of any length."""
    unit = features.double() / features.double().norm(dim=-1, keepdim=True).clamp(min=1e-12)
    weight, bias = head
    scores: Tensor = unit @ weight.to(unit.device) + bias.to(unit.device)
    return scores


class Aesthetic(TorchScorer):
    """How an image pleases, about 1 to 10, whatever its text.

    Weights: CLIP ViT-L/14 (`source`), and the head's file in that folder or in the weights folder.
    """

    batch = 64

    def __init__(self, spec: NetworkSpec, device: str = "auto") -> None:
        from transformers import CLIPModel

        folder = find_checkpoint(spec)
        path = head_file(folder)
        self._head = read_head(path)
        model: Any = load_pretrained(CLIPModel, folder, spec.source)
        if model.config.projection_dim != len(self._head[0]):
            raise CheckpointError(
                f"{path.name} is for embeddings of {len(self._head[0])} numbers, {spec.source} gives "
                f"{model.config.projection_dim}.",
                "The head belongs to openai/clip-vit-large-patch14.",
            )
        side = int(model.config.vision_config.image_size)
        geometry = read_geometry(folder, Geometry(side, side, CLIP_MEAN, CLIP_STD))
        super().__init__(spec, device, geometry, fingerprint([model]), "aesthetic", file_sha256(path))
        self._model = model.to(self._device)

    def step(self, pixels: torch.Tensor, texts: Sequence[str]) -> torch.Tensor:
        seen = self._model.vision_model(pixel_values=pixels).pooler_output
        return aesthetic(self._model.visual_projection(seen), self._head)
