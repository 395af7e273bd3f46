"""What a feature network is, and how one is named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image as PilImage

    from evalsuite.metrics.frechet import Means

Kind = str
"""`clip`, `dino`, `dreamsim`, `inception`, `lpips`, `sentence`, `structure`, or the name of a
kind that a plugin adds."""


@dataclass(frozen=True, slots=True)
class NetworkSpec:
    """Which network, with which weights and which preprocessing.

    Args:
        kind: architecture: `clip` (image and text), `dino` (ViT's class token), `inception` (FID's pool3),
            `sentence` (texts alone, MPNet's mean over tokens), `lpips` and `structure` (keys of a ViT's last
            layer), both distances of pairs.
        source: a folder; a hub id `owner/name`; `package:PACKAGE/FOLDER` for weights that an installed
            package carries; for `inception` a weights file, or its bare name, looked for in the weights
            folders; for `lpips` the backbone (`alex`, `vgg`, `squeeze`).
        preprocess: named way from image to tensor (see `evalsuite.features.preprocess`; for `inception` the
            modes of `evalsuite.metrics.inception`, for `lpips` `lpips` or `torchmetrics`, for
            `structure` `unscaled` or `scaled`). Two scores of different preprocessing are not comparable.
        label: the network's name in columns ("ViT-B/32", "miniCLIP"); the source when empty.
        revision: of the hub repository.
    """

    kind: Kind
    source: str
    preprocess: str = "openai"
    label: str = ""
    revision: str | None = None

    @property
    def name(self) -> str:
        return self.label or self.source


@runtime_checkable
class FeatureNetwork(Protocol):
    """Images to vectors; the same image gives the same vector in whatever batch."""

    @property
    def name(self) -> str: ...

    @property
    def dim(self) -> int:
        """Length of a feature vector."""
        ...

    @property
    def preprocess(self) -> str:
        """The named preprocessing."""
        ...

    @property
    def fingerprint(self) -> str:
        """sha256 of the weights and the preprocessing: features of equal fingerprint may be compared."""
        ...

    @property
    def dtype(self) -> str:
        """The precision it computes in."""
        ...

    @property
    def weights_sha256(self) -> str:
        """sha256 of the weights alone."""
        ...

    @property
    def means(self) -> Means:
        """The precision in which this way of measuring averages features."""
        ...

    def images(self, images: Sequence[PilImage]) -> np.ndarray:
        """(n, dim) float32 features of RGB images of any sizes, not normalised, in order."""
        ...


@runtime_checkable
class TextFeatureNetwork(FeatureNetwork, Protocol):
    """A network whose texts and images share a space."""

    def texts(self, texts: Sequence[str]) -> np.ndarray:
        """(n, dim) float32 features, not normalised, in order; texts past the network's length are cut
        off."""
        ...


@runtime_checkable
class PairNetwork(Protocol):
    """A network that measures the distance of two images."""

    @property
    def name(self) -> str: ...

    @property
    def preprocess(self) -> str: ...

    @property
    def fingerprint(self) -> str: ...

    @property
    def dtype(self) -> str: ...

    def distances(self, first: Sequence[PilImage], second: Sequence[PilImage]) -> np.ndarray:
        """(n,) float64 distances of the pairs first[i], second[i] of equal sizes."""
        ...

    def distances_of_arrays(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """(n,) float64 distances of pairs of arrays (n, height, width, 3), RGB in [0, 1]."""
        ...


@runtime_checkable
class ImageScorer(Protocol):
    """A network that gives one number for each image, with or without its text: preference, aesthetics …"""

    @property
    def name(self) -> str: ...

    @property
    def preprocess(self) -> str: ...

    @property
    def fingerprint(self) -> str:
        """sha256 of everything that changes scores: weights, preprocessing, version of the class. Under it,
        scores are kept with a run."""
        ...

    @property
    def dtype(self) -> str: ...

    def prepare(self, image: PilImage) -> Any:
        """What the network sees of an RGB image, usually an array; called in decoding threads."""
        ...

    def scores(self, prepared: Sequence[Any], texts: Sequence[str]) -> np.ndarray:
        """(n,) scores of prepared images with their texts, in order; one that does not depend on the rest
        of the batch."""
        ...


AnyNetwork = FeatureNetwork | PairNetwork | ImageScorer
