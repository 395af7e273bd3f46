"""Structure distance in the keys of a self-supervised ViT, from any folder or hub id with a `ViTModel`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from evalsuite.errors import SpecError
from evalsuite.features._torch import device_of, fingerprint_of, load_pretrained
from evalsuite.features.base import NetworkSpec
from evalsuite.features.preprocess import IMAGENET_MEAN, IMAGENET_STD
from evalsuite.features.weights import find_folder
from evalsuite.metrics.structure import structure_distance
from evalsuite.model.weights import fingerprint

if TYPE_CHECKING:
    import numpy as np
    import torch
    from PIL.Image import Image as PilImage

SCALES = {"unscaled": 1.0, "scaled": 255.0}
"""What pixels in [0, 255] are divided by before ImageNet's mean and standard deviation. PIE-Bench's program
divides by nothing, so its network sees values far out of its range: `unscaled` repeats its numbers."""
_LONGEST = 480


class StructureNetwork:
    """Keys of the last layer's self-attention of `dino_vitb8` (hub id facebook/dino-vitb8).

    As in PIE-Bench: the shorter side to the network's input side (at most 480 for the longer one), bilinear
    without antialiasing on float pixels (torchvision 0.13's resize of tensors), ImageNet's normalisation, all
    heads and the class token.
    """

    def __init__(self, spec: NetworkSpec, device: str = "auto") -> None:
        from transformers import ViTModel

        if spec.preprocess not in SCALES:
            raise SpecError(
                f"The structure network has no preprocessing {spec.preprocess!r}.",
                f"Known: {', '.join(SCALES)}.",
            )
        self._spec = spec
        folder = find_folder(spec.source, spec.revision)
        self._device = device_of(device)
        self._model = load_pretrained(ViTModel, folder, spec.source).to(self._device)
        self._side = int(self._model.config.image_size)
        self._fingerprint = fingerprint_of(fingerprint([self._model]), "keys", spec.preprocess, self._side)

    @property
    def name(self) -> str:
        return self._spec.name

    @property
    def preprocess(self) -> str:
        return self._spec.preprocess

    @property
    def dtype(self) -> str:
        """In which the keys are computed."""
        return "float32"

    @property
    def fingerprint(self) -> str:
        """sha256 of the weights and the preprocessing."""
        return self._fingerprint

    def distances(self, first: Sequence[PilImage], second: Sequence[PilImage]) -> np.ndarray:
        """(n,) float64 structure distances of the pairs first[i], second[i].

        Raises SampleError for a pair of different numbers of patches: bring them to one size first.
        """
        import numpy as np

        pairs = zip(first, second, strict=True)
        return np.array([structure_distance(self.keys(_bytes(a)), self.keys(_bytes(b))) for a, b in pairs])

    def distances_of_arrays(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """(n,) float64 structure distances of pairs of arrays (n, height, width, 3), RGB in [0, 1]."""
        import numpy as np

        pairs = zip(first, second, strict=True)
        return np.array([structure_distance(self.keys(a * 255), self.keys(b * 255)) for a, b in pairs])

    def keys(self, pixels: np.ndarray) -> np.ndarray:
        """(tokens, hidden) float32 keys of the last layer, heads side by side, the class token first.

        Args:
            pixels: (height, width, 3) RGB in [0, 255].
        """
        import torch

        layer = self._model.layers[-1].attention
        seen: list[torch.Tensor] = []
        hook = layer.k_proj.register_forward_hook(lambda module, inputs, output: seen.append(output))
        try:
            with torch.inference_mode():
                self._model(pixel_values=self._input(pixels), interpolate_pos_encoding=True)
        finally:
            hook.remove()
        keys: np.ndarray = seen[0][0].float().cpu().numpy()
        return keys

    def _input(self, pixels: np.ndarray) -> torch.Tensor:
        import numpy as np
        import torch

        tensor = torch.from_numpy(np.array(pixels, dtype=np.float32)).permute(2, 0, 1)[None]
        size = _resized(pixels.shape[0], pixels.shape[1], self._side)
        resized = torch.nn.functional.interpolate(tensor, size=size, mode="bilinear", align_corners=False)
        resized = resized / SCALES[self._spec.preprocess]
        mean, std = (torch.tensor(values)[None, :, None, None] for values in (IMAGENET_MEAN, IMAGENET_STD))
        return ((resized - mean) / std).to(self._device)


def _bytes(image: PilImage) -> np.ndarray:
    import numpy as np

    return np.asarray(image.convert("RGB"))


def _resized(height: int, width: int, side: int) -> tuple[int, int]:
    """torchvision's `Resize(side, max_size=480)`: the shorter side exact, the other rounded down."""
    short, long = min(height, width), max(height, width)
    new_short, new_long = side, side * long // short
    if new_long > _LONGEST:
        new_short, new_long = max(1, _LONGEST * new_short // new_long), _LONGEST
    return (new_short, new_long) if height <= width else (new_long, new_short)
