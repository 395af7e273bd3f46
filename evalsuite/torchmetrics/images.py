"""Fréchet distance, KID and CMMD of generated images under a named network and mode."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from evalsuite.distances import network_spec
from evalsuite.errors import SampleError, SpecError
from evalsuite.features import FeatureNetwork
from evalsuite.metrics.feature_sets import cmmd, kernel_distance
from evalsuite.metrics.frechet import Means
from evalsuite.torchmetrics.gathered import Gathered, Indices, order, positions, require

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image as PilImage

_STEP = 64
"""Features folded together, as `evalsuite.distance` folds them: the same sums to the last bit."""
_SIDES = ("generated", "real")


class _Features(Gathered):
    """Features of two sides. Memory in every process after the gathering: 4 bytes × images × dimensions
    (246 MB for 30,000 of 2,048)."""

    higher_is_better = False

    def __init__(
        self,
        mode: str = "",
        network: str | FeatureNetwork | None = "inception",
        *,
        reset_real_features: bool = True,
        **settings: Any,
    ) -> None:
        super().__init__(**settings)
        self.reset_real_features = reset_real_features
        self._network: FeatureNetwork | None = None
        self._spec = None
        if isinstance(network, str):
            if not mode:
                raise SpecError(f"{type(self).__name__} needs a mode.", "Name one: clean, pytorch-fid …")
            self._spec = network_spec(network, mode)
        else:
            self._network = network
        for side in _SIDES:
            self._add(f"{side}_features", torch.float32)
            self._add(f"{side}_dims", torch.int64)
            self._add(f"{side}_places", torch.int64)

    @property
    def network(self) -> FeatureNetwork | None:
        """The network, loaded on first use on the metric's device; None where features are given.

        Raises UnavailableError where its weights are not here.
        """
        if self._network is None and self._spec is not None:
            from evalsuite.features import load_network

            self._network = load_network(self._spec, str(self.device))
        return self._network

    def update(self, images: Tensor | Sequence[PilImage], real: bool, indices: Indices = None) -> None:
        """Adds images of one side.

        Args:
            images: (B, 3, height, width) uint8, or PIL images; with `network=None` features (B, D).
            real: of which side.
            indices: positions of the images in their set.

        Raises:
            SampleError: other shapes, or values that are not finite.
        """
        found = self._extract(images)
        side = _SIDES[bool(real)]
        self._append(f"{side}_places", positions(indices, len(found)))
        self._append(f"{side}_features", found.reshape(-1))
        self._append(f"{side}_dims", [found.shape[1]])

    def _extract(self, images: Any) -> Tensor:
        import numpy as np

        if self.network is None:
            features = torch.as_tensor(images, dtype=torch.float32).detach().cpu()
            if features.ndim != 2:
                raise SampleError(
                    f"Features must have shape (count, dimensions), not {tuple(features.shape)}."
                )
        else:
            features = torch.from_numpy(np.asarray(self.network.images(_pictures(images)), dtype=np.float32))
        if not bool(torch.isfinite(features).all()):
            raise SampleError("Features contain NaN or infinity.", "Check the images and the network.")
        return features

    def _side(self, side: str) -> np.ndarray:
        """(N, D) float32 in order. Raises SampleError where there are none, or of several dimensions."""
        places, dims = self._all(f"{side}_places"), set(self._all(f"{side}_dims").tolist())
        require(places, f"The {side} side of {type(self).__name__}")
        if len(dims) != 1:
            raise SampleError(
                f"Features of {' and '.join(map(str, sorted(dims)))} dimensions cannot be mixed."
            )
        found = self._all(f"{side}_features").reshape(len(places), dims.pop())
        return found[order(places)].numpy()

    def forward(self, *arguments: Any, **settings: Any) -> None:
        """`update`: a batch has no distance of its own."""
        self.update(*arguments, **settings)

    def reset(self) -> None:
        """Forgets the generated images, and the real ones with `reset_real_features`."""
        names = [f"real_{what}" for what in ("features", "dims", "places")]
        kept = {} if self.reset_real_features else {name: list(getattr(self, name)) for name in names}
        super().reset()
        for name, value in kept.items():
            setattr(self, name, value)


def _pictures(images: Any) -> list[PilImage]:
    from PIL import Image

    if not isinstance(images, Tensor):
        return [image.convert("RGB") for image in images]
    if images.dtype != torch.uint8 or images.ndim != 4 or images.shape[1] != 3:
        raise SampleError(
            f"Images must be uint8 of shape (count, 3, height, width), not {images.dtype} of "
            f"{tuple(images.shape)}.",
            "Convert floats in [0, 1] by (images * 255).round().to(torch.uint8).",
        )
    return [Image.fromarray(array) for array in images.permute(0, 2, 3, 1).cpu().numpy()]


class FrechetDistance(_Features):
    """Fréchet distance (FID with the Inception network); the value of `evalsuite.distance`.

    Args:
        mode: named way from image to features: clean, pytorch-fid, torch-fidelity, torchmetrics, dreamllm …
        network: `inception`, `clip:SOURCE`, `dino:SOURCE`, a `FeatureNetwork`, or None: `update` gets
            features.
        means: precision in which features given to `update` are averaged; a network brings its own.
        reset_real_features: False keeps the real side over `reset`, for the next epoch.
        settings: of `torchmetrics.Metric`.

    Raises:
        SpecError: no mode, or unknown names.

    >>> metric = FrechetDistance(network=None)
    >>> metric.update(torch.tensor([[0.0], [2.0]]), real=True)
    >>> metric.update(torch.tensor([[1.0], [3.0]]), real=False)
    >>> metric.compute().item()
    1.0
    """

    def __init__(
        self,
        mode: str = "",
        network: str | FeatureNetwork | None = "inception",
        *,
        means: Means = "float64",
        reset_real_features: bool = True,
        **settings: Any,
    ) -> None:
        super().__init__(mode, network, reset_real_features=reset_real_features, **settings)
        self._means: Means = means

    def compute(self) -> Tensor:
        """The distance, float64. Raises SampleError with fewer than two images on a side."""
        from evalsuite.metrics.frechet import GaussianStatistics, frechet_distance

        means: Means = self._means if self.network is None else self.network.means
        sides = []
        for side in _SIDES:
            rows, sums = self._side(side), GaussianStatistics(means)
            for start in range(0, len(rows), _STEP):
                sums.update(rows[start : start + _STEP])
            sides.append(sums.finalize())
        return torch.tensor(frechet_distance(*sides), dtype=torch.float64, device=self.device)


class KernelDistance(_Features):
    """KID, mean over random subsets: `evalsuite.metrics.feature_sets.kernel_distance`.

    Args:
        mode, network, reset_real_features, settings: as `FrechetDistance`.
        subsets, subset_size, rule: as `kernel_distance`: torch-fidelity or clean-fid.
    """

    def __init__(
        self,
        mode: str = "",
        network: str | FeatureNetwork | None = "inception",
        *,
        subsets: int = 100,
        subset_size: int = 1000,
        rule: str = "torch-fidelity",
        reset_real_features: bool = True,
        **settings: Any,
    ) -> None:
        super().__init__(mode, network, reset_real_features=reset_real_features, **settings)
        self.subsets, self.subset_size, self.rule = subsets, subset_size, rule

    def compute(self) -> Tensor:
        """The mean, float64. Raises SampleError for sides smaller than a subset."""
        sides = [self._side(side) for side in _SIDES]
        found = kernel_distance(*sides, subsets=self.subsets, subset_size=self.subset_size, rule=self.rule)
        return torch.tensor(found.mean, dtype=torch.float64, device=self.device)


class CMMD(_Features):
    """CMMD of L2-normalised embeddings: `evalsuite.metrics.feature_sets.cmmd`.

    Args:
        mode: preprocessing of CLIP; officially `cmmd`.
        network: officially `clip:` ViT-L/14 at 336 pixels; else as `FrechetDistance`.
        reset_real_features, settings: as `FrechetDistance`.
    """

    def __init__(
        self,
        mode: str = "cmmd",
        network: str | FeatureNetwork | None = "clip:openai/clip-vit-large-patch14-336",
        *,
        reset_real_features: bool = True,
        **settings: Any,
    ) -> None:
        super().__init__(mode, network, reset_real_features=reset_real_features, **settings)

    def compute(self) -> Tensor:
        """The distance, float64. Raises SampleError before both sides have images."""
        generated, real = (_unit(self._side(side)) for side in _SIDES)
        return torch.tensor(cmmd(generated, real), dtype=torch.float64, device=self.device)


def _unit(features: np.ndarray) -> np.ndarray:
    import numpy as np

    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    unit: np.ndarray = features / np.maximum(lengths, np.finfo(np.float32).tiny)
    return unit
