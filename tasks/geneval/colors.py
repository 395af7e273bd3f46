"""GenEval's colour classifier: CLIP's zero-shot choice among ten colours, from the object's crop."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from evalsuite.errors import SampleError
from evalsuite.task.features import TextFeatureNetwork
from evalsuite.task.metrics import COLORS

from .detectors import Found

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image as PilImage

_TEMPLATES = (
    "a photo of a {color} {name}",
    "a photo of a {color}-colored {name}",
    "a photo of a {color} object",
)
_GREY = "#999"


class ColorClassifier:
    """Colours of detected objects, as `evaluate_images.py` names them (officially with CLIP ViT-L/14)."""

    def __init__(self, network: TextFeatureNetwork) -> None:
        self._network = network
        self._classes: dict[str, np.ndarray] = {}

    def classify(self, image: PilImage, name: str, objects: Sequence[Found]) -> list[str]:
        """A colour of `COLORS` for each object of class `name`. Raises SampleError for a box without
        pixels."""
        if not objects:
            return []
        crops = [_crop(image, found) for found in objects]
        likeness = _unit(self._network.images(crops)) @ self._class_vectors(name).T
        return [COLORS[int(index)] for index in likeness.argmax(axis=1)]

    def _class_vectors(self, name: str) -> np.ndarray:
        """(10, d): the mean of the templates' unit vectors, unit again."""
        if name not in self._classes:
            texts = [t.format(color=color, name=name) for color in COLORS for t in _TEMPLATES]
            vectors = _unit(self._network.texts(texts)).reshape(len(COLORS), len(_TEMPLATES), -1)
            self._classes[name] = _unit(vectors.mean(axis=1))
        return self._classes[name]


def _crop(image: PilImage, found: Found) -> PilImage:
    from PIL import Image

    if found.mask is not None:
        blank = Image.new("RGB", image.size, _GREY)
        image = Image.composite(image, blank, Image.fromarray(found.mask))
    left, top, right, bottom = found.detection.box
    # Rounded as PIL's crop does it; what lies outside the image has no colour.
    if min(round(right), image.width) <= max(round(left), 0) or (
        min(round(bottom), image.height) <= max(round(top), 0)
    ):
        raise SampleError(
            f"A detected object's box {found.detection.box} holds no pixel of its image, which has "
            f"{image.width} × {image.height}.",
            "Boxes are in pixels: x1, y1, x2, y2.",
        )
    return image.crop(found.detection.box)


def _unit(vectors: np.ndarray) -> np.ndarray:
    import numpy as np

    unit: np.ndarray = vectors / np.maximum(
        np.linalg.norm(vectors, axis=-1, keepdims=True), np.finfo(np.float32).tiny
    )
    return unit
