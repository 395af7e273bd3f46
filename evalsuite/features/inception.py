"""The network of FID as a feature network, with a named way from picture to its 299 × 299 input."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING

from evalsuite.errors import SpecError
from evalsuite.features._torch import batched, device_of, fingerprint_of
from evalsuite.features.base import NetworkSpec
from evalsuite.features.weights import find_file
from evalsuite.metrics.inception import load_inception
from evalsuite.metrics.resize import RESIZERS

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image as PilImage

_log = logging.getLogger(__name__)
_PUBLISHED = "6726825d"
"""How the sha256 of the published weights begins; their file name says so."""


def _crop_256(image: PilImage) -> PilImage:
    """Shorter side to 256 (PIL bilinear), centre crop, as torchvision does it."""
    from PIL import Image

    width, height = image.size
    short = min(width, height)
    target = (
        int(256 * width / short) if width > height else 256,
        int(256 * height / short) if height > width else 256,
    )
    resized = image if image.size == target else image.resize(target, Image.Resampling.BILINEAR)
    left, top = round((target[0] - 256) / 2), round((target[1] - 256) / 2)
    return resized.crop((left, top, left + 256, top + 256))


def _as_it_is(image: PilImage) -> PilImage:
    return image


MODES: Mapping[str, tuple[Callable[[PilImage], PilImage], str]] = MappingProxyType(
    {
        **{mode: (_as_it_is, mode) for mode in RESIZERS},
        # DreamLLM's bundled pytorch-fid (omni/eval/text2img): Resize(256), CenterCrop(256), then as
        # pytorch-fid.
        "dreamllm": (_crop_256, "pytorch-fid"),
    }
)
"""Preprocessing by name: what is done to the picture before the resize, and the resize of
`metrics.resize`."""


class InceptionNetwork:
    """pool3 of TensorFlow's 2015 Inception (2,048 dimensions), the features of FID."""

    dim = 2048
    dtype = "float32"

    def __init__(self, spec: NetworkSpec, device: str = "auto") -> None:
        if spec.preprocess not in MODES:
            raise SpecError(f"There is no Inception mode {spec.preprocess!r}.", f"Known: {', '.join(MODES)}.")
        self._spec = spec
        self._before, self._mode = MODES[spec.preprocess]
        path = find_file(spec.source)
        self._network = load_inception(path, str(device_of(device)))
        if not self._network.sha256.startswith(_PUBLISHED):
            _log.warning(
                "%s is not the published weights file (sha256 %s…): distances are not FID.",
                path,
                self._network.sha256[:8],
            )
        self._fingerprint = fingerprint_of(self._network.sha256, spec.preprocess)

    @property
    def name(self) -> str:
        return self._spec.name

    @property
    def preprocess(self) -> str:
        return self._spec.preprocess

    @property
    def fingerprint(self) -> str:
        return self._fingerprint

    def images(self, images: Sequence[PilImage]) -> np.ndarray:
        """(n, 2048) float32."""
        import numpy as np

        found = [np.zeros((0, self.dim), dtype=np.float32)]
        for batch in batched(images, 16):
            pixels = [np.array(self._before(image.convert("RGB"))) for image in batch]
            found.append(self._network.extract(pixels, self._mode))
        return np.concatenate(found)
