"""LPIPS: how different two images look, from the layers of an ImageNet network (Zhang et al. 2018).

Three backbones, as in the published version 0.1: `alex` (the authors' choice for comparing), `vgg`, `squeeze`
(what PIE-Bench takes). Each needs two files: the backbone's ImageNet weights as torchvision publishes them,
and the small file of learnt weights per channel. Two implementations are in use and differ where features are
nearly zero (in the sixth digit on the recorded cases), so their ways of normalising have names:

* `lpips`: the authors' package (richzhang/PerceptualSimilarity): x / (|x| + 1e-10);
* `torchmetrics`: x / sqrt(|x|² + 1e-8).

Checked against both packages with made-up weights (tests/features/test_lpips.py).
"""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from evalsuite.errors import CheckpointError, SampleError, SpecError, text_of
from evalsuite.features._torch import Described, batched, device_of, file_sha256
from evalsuite.features.base import NetworkSpec
from evalsuite.features.weights import find_file

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image as PilImage
    from torch import Tensor

_BATCH = 16
_SHIFT, _SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)


@dataclass(frozen=True, slots=True)
class _Conv:
    """A convolution with ReLU at a place in torchvision's `features`."""

    place: int
    read: int
    width: int
    kernel: int = 3
    stride: int = 1
    pad: int = 1


@dataclass(frozen=True, slots=True)
class _Fire:
    """SqueezeNet's block: squeeze by 1 × 1, then 1 × 1 and 3 × 3 side by side, each of `expand` channels."""

    place: int
    read: int
    squeeze: int
    expand: int


@dataclass(frozen=True, slots=True)
class _Pool:
    """Maximum pooling."""

    kernel: int
    stride: int
    ceil: bool = False


_TAP = "tap"
"""Here a layer's output is compared."""

Step = _Conv | _Fire | _Pool | str


def _vgg() -> tuple[Step, ...]:
    steps: list[Step] = []
    place, read = 0, 3
    for stage, (width, count) in enumerate(((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))):
        if stage:
            steps.append(_Pool(2, 2))
            place += 1
        for _ in range(count):
            steps.append(_Conv(place, read, width))
            place, read = place + 2, width
        steps.append(_TAP)
    return tuple(steps)


_ALEX: tuple[Step, ...] = (
    _Conv(0, 3, 64, 11, 4, 2), _TAP,
    _Pool(3, 2), _Conv(3, 64, 192, 5, 1, 2), _TAP,
    _Pool(3, 2), _Conv(6, 192, 384), _TAP,
    _Conv(8, 384, 256), _TAP,
    _Conv(10, 256, 256), _TAP,
)  # fmt: skip
_SQUEEZE: tuple[Step, ...] = (
    _Conv(0, 3, 64, 3, 2, 0), _TAP,
    _Pool(3, 2, ceil=True), _Fire(3, 64, 16, 64), _Fire(4, 128, 16, 64), _TAP,
    _Pool(3, 2, ceil=True), _Fire(6, 128, 32, 128), _Fire(7, 256, 32, 128), _TAP,
    _Pool(3, 2, ceil=True), _Fire(9, 256, 48, 192), _TAP,
    _Fire(10, 384, 48, 192), _TAP,
    _Fire(11, 384, 64, 256), _TAP,
    _Fire(12, 512, 64, 256), _TAP,
)  # fmt: skip

BACKBONES: Mapping[str, tuple[tuple[Step, ...], str]] = MappingProxyType(
    {
        "alex": (_ALEX, "alexnet-owt-7be5be79.pth"),
        "vgg": (_vgg(), "vgg16-397923af.pth"),
        "squeeze": (_SQUEEZE, "squeezenet1_1-b8a52dc0.pth"),
    }
)
"""Layers and file of torchvision's weights by the name of the backbone."""


def _of_lpips(features: Tensor) -> Tensor:
    return features / (features.pow(2).sum(dim=1, keepdim=True).sqrt() + 1e-10)


def _of_torchmetrics(features: Tensor) -> Tensor:
    return features / (features.pow(2).sum(dim=1, keepdim=True) + 1e-8).sqrt()


NORMALISATIONS: Mapping[str, Callable[[Tensor], Tensor]] = MappingProxyType(
    {"lpips": _of_lpips, "torchmetrics": _of_torchmetrics}
)


def weights_files(source: str) -> tuple[str, str]:
    """Names of the two files of a backbone. Raises SpecError for an unknown one."""
    if source not in BACKBONES:
        raise SpecError(f"LPIPS has no backbone {source!r}.", f"Known: {', '.join(BACKBONES)}.")
    return BACKBONES[source][1], f"lpips-v0.1-{source}.pth"


def state_dict_shapes(source: str) -> dict[str, tuple[int, ...]]:
    """Key -> shape of what is read from the backbone's file and the file of heads."""
    shapes: dict[str, tuple[int, ...]] = {}

    def add(name: str, *weight: int) -> None:
        shapes[f"{name}.weight"], shapes[f"{name}.bias"] = weight, weight[:1]

    taps = width = 0
    for step in BACKBONES[source][0]:
        match step:
            case _Conv(place, read, width, kernel):
                add(f"features.{place}", width, read, kernel, kernel)
            case _Fire(place, read, squeeze, expand):
                add(f"features.{place}.squeeze", squeeze, read, 1, 1)
                add(f"features.{place}.expand1x1", expand, squeeze, 1, 1)
                add(f"features.{place}.expand3x3", expand, squeeze, 3, 3)
                width = 2 * expand
            case str():
                shapes[f"lin{taps}.model.1.weight"] = (1, width, 1, 1)
                taps += 1
    return shapes


class Lpips(Described):
    """LPIPS with its weights, float32, linear heads, mean over positions.

    Args:
        spec: kind `lpips`; `source` the backbone (`alex`, `vgg`, `squeeze`), `preprocess` the normalisation
            (`lpips`, `torchmetrics`).
        device: torch device, `auto` for the first GPU.

    Raises:
        UnavailableError: a file of weights is not here; names it, its size and the command that fetches it.
        CheckpointError: a file is damaged or holds something else.
        SpecError: unknown backbone or normalisation.
    """

    def __init__(self, spec: NetworkSpec, device: str = "auto") -> None:
        if spec.preprocess not in NORMALISATIONS:
            raise SpecError(
                f"LPIPS has no normalisation {spec.preprocess!r}.", f"Known: {', '.join(NORMALISATIONS)}."
            )
        paths = [find_file(name) for name in weights_files(spec.source)]
        self._backbone = spec.source
        self._steps = BACKBONES[spec.source][0]
        self._least = _least_side(self._steps)
        self._normalise = NORMALISATIONS[spec.preprocess]
        self._device = device_of(device)
        self._weights = {
            key: tensor.to(self._device)
            for key, tensor in _read(paths, state_dict_shapes(spec.source)).items()
        }
        super().__init__(spec, hashlib.sha256("".join(map(file_sha256, paths)).encode()).hexdigest())

    def distances(self, first: Sequence[PilImage], second: Sequence[PilImage]) -> np.ndarray:
        """(n,) float64 distances of the pairs first[i], second[i], 0 for equal images.

        Raises SampleError when the counts differ, or the sizes of a pair: resize before, as the benchmark
        says.
        """
        import numpy as np

        _require_pairs(first, second)
        found = np.empty(len(first))
        for indices in _by_size(first):
            for batch in batched(indices, _BATCH):
                sides = (
                    np.stack([np.asarray(side[i].convert("RGB"), dtype=np.float32) / 255 for i in batch])
                    for side in (first, second)
                )
                found[list(batch)] = self.distances_of_arrays(*sides)
        return found

    def distances_of_arrays(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """(n,) float64 distances of pairs of arrays (n, height, width, 3), RGB in [0, 1].

        Raises SampleError for other shapes, or images too small for the backbone.
        """
        import numpy as np
        import torch

        if first.shape != second.shape or first.ndim != 4 or first.shape[3] != 3:
            raise SampleError(f"LPIPS got arrays of shapes {first.shape} and {second.shape}.")
        if first.size and min(first.shape[1:3]) < self._least:
            raise SampleError(
                f"Images of {first.shape[2]} × {first.shape[1]} pixels are too small for LPIPS "
                f"({self._backbone} needs {self._least} each way)."
            )
        pixels = torch.from_numpy(np.concatenate([first, second]).astype(np.float32)).permute(0, 3, 1, 2)
        with torch.inference_mode():
            differences = self._forward(pixels.to(self._device) * 2 - 1)
        return np.asarray(differences.double().cpu().numpy())

    def _forward(self, pixels: Tensor) -> Tensor:
        """(n,) distances; `pixels` (2n, 3, h, w) in [-1, 1], first sides before second ones."""
        import torch

        shift, scale = (pixels.new_tensor(values)[:, None, None] for values in (_SHIFT, _SCALE))
        x = (pixels - shift) / scale
        total = pixels.new_zeros(len(pixels) // 2)
        taps = 0
        for step in self._steps:
            match step:
                case _Conv(place, _, _, _, stride, pad):
                    x = self._conv(x, f"features.{place}", stride, pad)
                case _Fire(place):
                    squeezed = self._conv(x, f"features.{place}.squeeze")
                    x = torch.cat(
                        [
                            self._conv(squeezed, f"features.{place}.expand1x1"),
                            self._conv(squeezed, f"features.{place}.expand3x3", pad=1),
                        ],
                        dim=1,
                    )
                case _Pool(kernel, stride, ceil):
                    x = torch.nn.functional.max_pool2d(x, kernel, stride, ceil_mode=ceil)
                case _:
                    first, second = self._normalise(x).chunk(2)
                    head = self._weights[f"lin{taps}.model.1.weight"]
                    weighted = torch.nn.functional.conv2d((first - second) ** 2, head)
                    total = total + weighted.mean(dim=(1, 2, 3))
                    taps += 1
        return total

    def _conv(self, x: Tensor, name: str, stride: int = 1, pad: int = 0) -> Tensor:
        import torch

        weight, bias = self._weights[f"{name}.weight"], self._weights[f"{name}.bias"]
        return torch.relu(torch.nn.functional.conv2d(x, weight, bias, stride=stride, padding=pad))


def _require_pairs(first: Sequence[PilImage], second: Sequence[PilImage]) -> None:
    if len(first) != len(second):
        raise SampleError(
            f"LPIPS compares pairs, but there are {len(first)} and {len(second)} images.",
            "Every image needs its counterpart.",
        )
    for one, other in zip(first, second, strict=True):
        if one.size != other.size:
            raise SampleError(
                f"LPIPS got images of {one.size} and {other.size} pixels.", "Bring both to one size first."
            )


def _least_side(steps: Sequence[Step]) -> int:
    """The smallest image, in pixels each way, of which something is left after all steps."""

    def left(side: int) -> int:
        for step in steps:
            match step:
                case _Conv(_, _, _, kernel, stride, pad):
                    side = (side + 2 * pad - kernel) // stride + 1
                case _Pool(kernel, stride, ceil):
                    side = (side - kernel + (stride - 1 if ceil else 0)) // stride + 1
            if side < 1:
                break
        return side

    return next(side for side in range(1, 256) if left(side) >= 1)


def _by_size(images: Sequence[PilImage]) -> list[list[int]]:
    groups: dict[tuple[int, int], list[int]] = {}
    for index, image in enumerate(images):
        groups.setdefault(image.size, []).append(index)
    return list(groups.values())


def _read(paths: Sequence[Path], shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Tensor]:
    """The wanted tensors of both files. Raises CheckpointError where one is missing or of another shape."""
    import torch

    found: dict[str, Any] = {}
    for path in paths:
        try:
            found |= torch.load(path, map_location="cpu", weights_only=True)
        except (RuntimeError, ValueError, EOFError, OSError, TypeError, pickle.UnpicklingError) as error:
            raise CheckpointError(
                f"The weights {path} cannot be read ({text_of(error)}).", f"Fetch them again: {path.name}."
            ) from error
    for key, shape in shapes.items():
        if key not in found or tuple(found[key].shape) != shape:
            there = tuple(found[key].shape) if key in found else "nothing"
            raise CheckpointError(
                f"{' and '.join(map(str, paths))} are not these weights: {key} should be {shape}, "
                f"there is {there}.",
                "Take the files that `evalsuite weights list` names.",
            )
    return {key: found[key].float() for key in shapes}
