"""The network of FID as a feature network, with a named way from image to its 299 × 299 input."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from evalsuite.errors import SpecError
from evalsuite.features._torch import Described, batched, device_of
from evalsuite.features.base import NetworkSpec
from evalsuite.features.catalogue import FILES
from evalsuite.features.weights import find_file
from evalsuite.metrics.frechet import Means
from evalsuite.metrics.inception import ScriptedInception, load_inception
from evalsuite.metrics.resize import resize

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image as PilImage

_log = logging.getLogger(__name__)
_PUBLISHED = ("pt_inception-2015-12-05-6726825d.pth", "inception-2015-12-05.pt")


def _crop(side: int, *, bicubic: bool = False) -> Callable[[PilImage], PilImage]:
    """Shorter side to `side` (PIL bilinear or bicubic), centre crop, as torchvision does it."""

    def crop(image: PilImage) -> PilImage:
        from PIL import Image

        width, height = image.size
        short = min(width, height)
        target = (
            int(side * width / short) if width > height else side,
            int(side * height / short) if height > width else side,
        )
        how = Image.Resampling.BICUBIC if bicubic else Image.Resampling.BILINEAR
        resized = image if image.size == target else image.resize(target, how)
        left, top = round((target[0] - side) / 2), round((target[1] - side) / 2)
        return resized.crop((left, top, left + side, top + side))

    return crop


@dataclass(frozen=True, slots=True)
class Mode:
    """A way from images to statistics.

    Args:
        resize: to the network's input, a name in `metrics.resize.RESIZERS`; it decides the scaling too.
        means: precision in which features are averaged.
        before: what is done to the image first.
        as_in: whose numbers are made in this way.
    """

    resize: str
    means: Means
    as_in: str
    before: Callable[[PilImage], PilImage] | None = None


MODES: Mapping[str, Mode] = MappingProxyType(
    {
        "pytorch-fid": Mode("pytorch-fid", "float64", "pytorch-fid; clean-fid's legacy_pytorch"),
        "clean": Mode("clean", "float32", "clean-fid"),
        "torch-fidelity": Mode(
            "torch-fidelity", "float32", "the original TensorFlow code; torch-fidelity; StyleGAN"
        ),
        "torchmetrics": Mode("torchmetrics", "float64", "torchmetrics from 1.9 on (antialias=True)"),
        "torchmetrics-1.8": Mode("torch-fidelity", "float64", "torchmetrics before 1.9"),
        # omni/eval/text2img: Resize(256), CenterCrop(256), then the bundled pytorch-fid.
        "dreamllm": Mode("pytorch-fid", "float64", "DreamLLM's bundled pytorch-fid", _crop(256)),
        "pytorch-fid-512": Mode("pytorch-fid", "float64", "the same at 512 pixels", _crop(512)),
        # MetaQuery's FID on MJHQ-30K: v2.Resize(256, bicubic), CenterCrop(256), then torchmetrics of 2025.
        "bicubic-256-torchmetrics": Mode(
            "torch-fidelity", "float64", "MetaQuery: torchmetrics before 1.9", _crop(256, bicubic=True)
        ),
        "pil-bilinear": Mode("pil-bilinear", "float32", "clean-fid's PIL_bilinear"),
        "pil-lanczos": Mode("pil-lanczos", "float32", "clean-fid's PIL_lanczos"),
    }
)
"""FID by name. They differ by points: a number without its mode says little."""


class InceptionNetwork(Described):
    """pool3 of TensorFlow's 2015 Inception (2,048 dimensions), the features of FID."""

    dim = 2048

    def __init__(self, spec: NetworkSpec, device: str = "auto") -> None:
        if spec.preprocess not in MODES:
            raise SpecError(f"There is no Inception mode {spec.preprocess!r}.", f"Known: {', '.join(MODES)}.")
        self._mode = MODES[spec.preprocess]
        path = find_file(spec.source)
        self._network = load_inception(path, str(device_of(device)))
        known = FILES[_PUBLISHED[isinstance(self._network, ScriptedInception)]].sha256
        if not self._network.sha256.startswith(known):
            _log.warning(
                "%s is not the published weights file (sha256 %s…): distances are not FID.",
                path,
                self._network.sha256[:8],
            )
        super().__init__(spec, self._network.sha256)

    @property
    def means(self) -> Means:
        return self._mode.means

    def images(self, images: Sequence[PilImage]) -> np.ndarray:
        """(n, 2048) float32."""
        return _in_batches(
            images, lambda batch: self.features([self.prepare(image) for image in batch]), 2048
        )

    def prepare(self, image: PilImage) -> np.ndarray:
        """(299, 299, 3) float32, resized in this network's mode; may run in any thread."""
        import numpy as np

        rgb = image.convert("RGB")
        if self._mode.before is not None:
            rgb = self._mode.before(rgb)
        return resize(np.array(rgb), self._mode.resize)

    def features(self, prepared: Sequence[np.ndarray]) -> np.ndarray:
        """(n, 2048) float32 of images that `prepare` made ready."""
        return self._extract(prepared, "2048", self.dim)

    def logits(self, images: Sequence[PilImage]) -> np.ndarray:
        """(n, 1008) float32 class scores without bias, the Inception Score's."""
        return InceptionLogits(self).images(images)

    def logits_of(self, prepared: Sequence[np.ndarray]) -> np.ndarray:
        """(n, 1008) float32 class scores of images that `prepare` made ready."""
        return self._extract(prepared, "logits_unbiased", InceptionLogits.dim)

    def _extract(self, prepared: Sequence[np.ndarray], feature: str, width: int) -> np.ndarray:
        return _in_batches(
            prepared, lambda batch: self._network.extract_resized(batch, self._mode.resize, feature), width
        )


class InceptionLogits:
    """The class scores of an Inception network in place of its features.

    Raises SpecError for a network of another kind.
    """

    dim = 1008
    output = "logits"

    def __init__(self, network: object) -> None:
        if not isinstance(network, InceptionNetwork):
            raise SpecError(
                f"The Inception Score needs class scores, {getattr(network, 'name', network)} has none.",
                "Name a network of kind inception.",
            )
        self.network = network
        self.name, self.preprocess, self.fingerprint = network.name, network.preprocess, network.fingerprint

    def prepare(self, image: PilImage) -> np.ndarray:
        """As the network's."""
        return self.network.prepare(image)

    def features(self, prepared: Sequence[np.ndarray]) -> np.ndarray:
        """(n, 1008) float32 class scores without bias."""
        return self.network.logits_of(prepared)

    def images(self, images: Sequence[PilImage]) -> np.ndarray:
        """(n, 1008) float32 class scores without bias."""
        return _in_batches(
            images, lambda batch: self.features([self.prepare(image) for image in batch]), 1008
        )


def _in_batches(items: Sequence[Any], step: Callable[[Sequence[Any]], np.ndarray], width: int) -> np.ndarray:
    """(n, width) of batches of 16."""
    import numpy as np

    found = [np.zeros((0, width), dtype=np.float32)]
    found += [step(batch) for batch in batched(items, 16)]
    return np.concatenate(found)
