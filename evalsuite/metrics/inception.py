"""The Inception network of FID: TensorFlow's "inception-2015-12-05" graph with 1,008 classes, in torch.

Weights are the state dict that pytorch-fid and torch-fidelity publish (566 tensors, the same file under two
names), or NVIDIA's TorchScript file, which clean-fid runs. They are not part of this package:
`load_inception` takes the path of the file, checks every shape and records the digest. The graph differs from
torchvision's in its average pools (padding does not count) and in one block that takes the maximum; with
torchvision's ImageNet weights the distance would simply be another one.

Checked with made-up weights against torch-fidelity's recorded features (tests/metrics/test_inception.py).
"""

from __future__ import annotations

import hashlib
import pickle
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from evalsuite.errors import CheckpointError, SampleError, SpecError, UnavailableError, text_of
from evalsuite.metrics.resize import SIDE, resize

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["FEATURES", "WEIGHTS_FILE", "Inception", "load_inception", "state_dict_shapes"]

FEATURES = ("64", "192", "768", "2048", "logits_unbiased", "logits")
"""What the network gives: pooled layers by their width, class scores without and with bias."""

WEIGHTS_FILE = "pt_inception-2015-12-05-6726825d.pth"
_WEIGHTS_SHA256_START = "6726825d"
_WEIGHTS_REMEDY = (
    f"Download {WEIGHTS_FILE} (91 MB, SHA-256 begins with {_WEIGHTS_SHA256_START}) from "
    "https://github.com/mseitzer/pytorch-fid/releases/tag/fid_weights and give its path."
)


@dataclass(frozen=True, slots=True)
class _Conv:
    """One convolution with batch norm and ReLU; `pad` is (rows, columns)."""

    name: str
    width: int
    kernel: tuple[int, int] = (1, 1)
    stride: int = 1
    pad: tuple[int, int] = (0, 0)


@dataclass(frozen=True, slots=True)
class _Block:
    """Branches side by side, concatenated. The first step of a branch may be "average", "maximum" or
    "shrink"; a last step that is a tuple runs its convolutions side by side."""

    name: str
    branches: tuple[tuple[Any, ...], ...]


def _same(name: str, width: int, rows: int, columns: int) -> _Conv:
    return _Conv(name, width, (rows, columns), pad=(rows // 2, columns // 2))


def _chain(prefix: str, *steps: tuple[int, int, int]) -> tuple[_Conv, ...]:
    """Convolutions prefix_1, prefix_2 … of (width, rows, columns)."""
    return tuple(_same(f"{prefix}_{number}", *step) for number, step in enumerate(steps, start=1))


def _block_a(name: str, pool: int) -> _Block:
    return _Block(
        name,
        (
            (_Conv("branch1x1", 64),),
            _chain("branch5x5", (48, 1, 1), (64, 5, 5)),
            _chain("branch3x3dbl", (64, 1, 1), (96, 3, 3), (96, 3, 3)),
            ("average", _Conv("branch_pool", pool)),
        ),
    )


def _block_c(name: str, width: int) -> _Block:
    return _Block(
        name,
        (
            (_Conv("branch1x1", 192),),
            _chain("branch7x7", (width, 1, 1), (width, 1, 7), (192, 7, 1)),
            _chain("branch7x7dbl", (width, 1, 1), (width, 7, 1), (width, 1, 7), (width, 7, 1), (192, 1, 7)),
            ("average", _Conv("branch_pool", 192)),
        ),
    )


def _block_e(name: str, pool: str) -> _Block:
    fork = (_same("branch3x3_2a", 384, 1, 3), _same("branch3x3_2b", 384, 3, 1))
    double = (_same("branch3x3dbl_3a", 384, 1, 3), _same("branch3x3dbl_3b", 384, 3, 1))
    return _Block(
        name,
        (
            (_Conv("branch1x1", 320),),
            (_Conv("branch3x3_1", 384), fork),
            (*_chain("branch3x3dbl", (448, 1, 1), (384, 3, 3)), double),
            (pool, _Conv("branch_pool", 192)),
        ),
    )


_LAYERS: tuple[_Conv | _Block | str, ...] = (
    _Conv("Conv2d_1a_3x3", 32, (3, 3), stride=2),
    _Conv("Conv2d_2a_3x3", 32, (3, 3)),
    _Conv("Conv2d_2b_3x3", 64, (3, 3), pad=(1, 1)),
    "shrink",
    "64",
    _Conv("Conv2d_3b_1x1", 80),
    _Conv("Conv2d_4a_3x3", 192, (3, 3)),
    "shrink",
    "192",
    _block_a("Mixed_5b", 32),
    _block_a("Mixed_5c", 64),
    _block_a("Mixed_5d", 64),
    _Block(
        "Mixed_6a",
        (
            (_Conv("branch3x3", 384, (3, 3), stride=2),),
            (
                *_chain("branch3x3dbl", (64, 1, 1), (96, 3, 3)),
                _Conv("branch3x3dbl_3", 96, (3, 3), stride=2),
            ),
            ("shrink",),
        ),
    ),
    _block_c("Mixed_6b", 128),
    _block_c("Mixed_6c", 160),
    _block_c("Mixed_6d", 160),
    _block_c("Mixed_6e", 192),
    "768",
    _Block(
        "Mixed_7a",
        (
            (_Conv("branch3x3_1", 192), _Conv("branch3x3_2", 320, (3, 3), stride=2)),
            (
                *_chain("branch7x7x3", (192, 1, 1), (192, 1, 7), (192, 7, 1)),
                _Conv("branch7x7x3_4", 192, (3, 3), stride=2),
            ),
            ("shrink",),
        ),
    ),
    _block_e("Mixed_7b", "average"),
    # The original graph takes the maximum here, alone among the blocks.
    _block_e("Mixed_7c", "maximum"),
    "2048",
)
_CLASSES = 1008


def _convolutions() -> Iterator[tuple[str, _Conv, int]]:
    """(full name, convolution, channels it reads) of all 94."""
    channels = 3
    for layer in _LAYERS:
        if isinstance(layer, _Conv):
            yield layer.name, layer, channels
            channels = layer.width
        elif isinstance(layer, _Block):
            total = 0
            for branch in layer.branches:
                width = channels
                for step in branch:
                    if step == "shrink" or isinstance(step, str):
                        continue
                    group = step if isinstance(step, tuple) else (step,)
                    for conv in group:
                        yield f"{layer.name}.{conv.name}", conv, width
                    width = sum(conv.width for conv in group)
                total += width
            channels = total


def state_dict_shapes() -> dict[str, tuple[int, ...]]:
    """Key -> shape of every tensor of the published state dict (566 of them)."""
    shapes: dict[str, tuple[int, ...]] = {}
    for name, conv, channels in _convolutions():
        shapes[f"{name}.conv.weight"] = (conv.width, channels, *conv.kernel)
        for key in ("weight", "bias", "running_mean", "running_var"):
            shapes[f"{name}.bn.{key}"] = (conv.width,)
        shapes[f"{name}.bn.num_batches_tracked"] = ()
    shapes["fc.weight"] = (_CLASSES, 2048)
    shapes["fc.bias"] = (_CLASSES,)
    return shapes


class Inception:
    """The network with its weights.

    Args:
        weights: the published state dict; num_batches_tracked may be absent.
        sha256: digest of the file it came from, for the run's record.
        device: where it computes.

    Raises CheckpointError when a tensor is missing or has another shape.
    """

    def __init__(self, weights: Mapping[str, Tensor], sha256: str = "", device: str = "cpu") -> None:
        self.sha256, self.device = sha256, device
        for key, shape in state_dict_shapes().items():
            if key.endswith("num_batches_tracked"):
                continue
            if key not in weights or tuple(weights[key].shape) != shape:
                found = tuple(weights[key].shape) if key in weights else "nothing"
                raise CheckpointError(
                    f"These are not the FID Inception weights: {key} should be {shape}, there is {found}.",
                    _WEIGHTS_REMEDY,
                )
        self._weights = {key: tensor.to(device).float() for key, tensor in weights.items()}

    def _conv(self, x: Tensor, name: str, conv: _Conv) -> Tensor:
        import torch.nn.functional as functional

        weights = self._weights
        x = functional.conv2d(x, weights[f"{name}.conv.weight"], stride=conv.stride, padding=conv.pad)
        mean, variance, scale, bias = (
            weights[f"{name}.bn.{key}"] for key in ("running_mean", "running_var", "weight", "bias")
        )
        return functional.relu(functional.batch_norm(x, mean, variance, scale, bias, eps=0.001), inplace=True)

    def _branch(self, x: Tensor, block: str, steps: Sequence[Any]) -> Tensor:
        import torch

        for step in steps:
            if isinstance(step, str):
                x = _pool(x, step)
            elif isinstance(step, tuple):
                x = torch.cat([self._conv(x, f"{block}.{conv.name}", conv) for conv in step], dim=1)
            else:
                x = self._conv(x, f"{block}.{step.name}", step)
        return x

    def forward(self, pixels: Tensor, features: Sequence[str] = ("2048",)) -> dict[str, Tensor]:
        """Named features of images that are scaled already.

        Args:
            pixels: (B, 3, 299, 299) float32, about -1..1.
            features: names in `FEATURES`.

        Returns:
            name -> (B, width) float32, on the network's device.
        """
        import torch

        if unknown := set(features) - set(FEATURES):
            raise SpecError(f"Inception has no features {sorted(unknown)}.", f"Choose from {FEATURES}.")
        found: dict[str, Tensor] = {}
        with torch.inference_mode():
            x = pixels.to(self.device)
            for layer in _LAYERS:
                if isinstance(layer, _Conv):
                    x = self._conv(x, layer.name, layer)
                elif isinstance(layer, _Block):
                    x = torch.cat([self._branch(x, layer.name, branch) for branch in layer.branches], dim=1)
                elif layer == "shrink":
                    x = _pool(x, layer)
                else:
                    found[layer] = x.mean(dim=(2, 3))
                    if set(features) <= set(found):
                        return {name: found[name] for name in features}
            found["logits_unbiased"] = found["2048"] @ self._weights["fc.weight"].T
            found["logits"] = found["logits_unbiased"] + self._weights["fc.bias"]
        return {name: found[name] for name in features}

    def extract(
        self, images: Sequence[NDArray[np.uint8]], mode: str = "torch-fidelity", feature: str = "2048"
    ) -> NDArray[np.float32]:
        """(B, width) features of a batch of images.

        Args:
            images: RGB arrays of shape (height, width, 3), of any sizes.
            mode: how they are resized and scaled, a name in `resize.RESIZERS`.
            feature: a name in `FEATURES`.
        """
        return self.extract_resized([resize(image, mode) for image in images], mode, feature)

    def extract_resized(
        self, resized: Sequence[NDArray[np.float32]], mode: str, feature: str = "2048"
    ) -> NDArray[np.float32]:
        """As `extract`, of images that `resize.resize` has brought to (299, 299, 3) in that mode."""
        return np.asarray(self.forward(scaled_input(resized, mode), (feature,))[feature].cpu().numpy())


class ScriptedInception:
    """NVIDIA's TorchScript file of the same network, run as clean-fid runs it; gives the 2,048 only.

    Args:
        module: the loaded script; its `layers` take scaled pixels.
    """

    def __init__(self, module: Any, sha256: str = "", device: str = "cpu") -> None:
        self.sha256, self.device = sha256, device
        self._layers = module.layers

    def extract(
        self, images: Sequence[NDArray[np.uint8]], mode: str = "clean", feature: str = "2048"
    ) -> NDArray[np.float32]:
        """(B, 2048) features, as `Inception.extract`. Raises SpecError for other features."""
        return self.extract_resized([resize(image, mode) for image in images], mode, feature)

    def extract_resized(
        self, resized: Sequence[NDArray[np.float32]], mode: str, feature: str = "2048"
    ) -> NDArray[np.float32]:
        """As `Inception.extract_resized`. Raises SpecError for other features."""
        import torch

        if feature != "2048":
            raise SpecError(f"The TorchScript network has no features {feature!r}.", _WEIGHTS_REMEDY)
        with torch.inference_mode():
            found = self._layers.forward(scaled_input(resized, mode).to(self.device))
        return np.asarray(found.reshape(len(resized), 2048).float().cpu().numpy())


def network_input(images: Sequence[NDArray[np.uint8]], mode: str) -> Tensor:
    """(B, 3, 299, 299) float32: resized by the named way; only ``pytorch-fid`` scales to x / 127.5 - 1, the
    others to (x - 128) / 128. Raises SampleError for no images."""
    return scaled_input([resize(image, mode) for image in images], mode)


def scaled_input(resized: Sequence[NDArray[np.float32]], mode: str) -> Tensor:
    """`network_input` of images that are resized already."""
    import torch

    if not resized:
        raise SampleError("Feature extraction got no images.")
    stacked = np.stack(resized).transpose(0, 3, 1, 2)
    assert stacked.shape[2:] == (SIDE, SIDE)
    pixels = torch.from_numpy(np.ascontiguousarray(stacked))
    return pixels / 255 * 2 - 1 if mode == "pytorch-fid" else (pixels - 128) / 128


def _pool(x: Tensor, kind: str) -> Tensor:
    import torch.nn.functional as functional

    if kind == "shrink":
        return functional.max_pool2d(x, 3, stride=2)
    if kind == "maximum":
        return functional.max_pool2d(x, 3, stride=1, padding=1)
    return functional.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)


def load_inception(path: Path | str | None, device: str = "cpu") -> Inception | ScriptedInception:
    """The FID network with the weights in `path`: a state dict or NVIDIA's TorchScript file.

    Raises:
        UnavailableError: no path, or no such file; says which file, how large, and where to get it.
        CheckpointError: the file is damaged or holds something else.
    """
    import torch

    if path is None or not Path(path).is_file():
        where = "no path was given" if path is None else f"there is no file {path}"
        raise UnavailableError(f"FID needs the Inception weights, and {where}.", _WEIGHTS_REMEDY)
    with Path(path).open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    try:
        if _is_script(Path(path)):
            load: Any = torch.jit.load  # without types
            return ScriptedInception(load(path, map_location=device).eval(), digest, device)
        weights = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, ValueError, EOFError, OSError, AttributeError, pickle.UnpicklingError) as error:
        what = f"The Inception weights {path} cannot be read ({text_of(error)})."
        raise CheckpointError(what, _WEIGHTS_REMEDY) from error
    if not isinstance(weights, Mapping):
        raise CheckpointError(f"The Inception weights {path} hold no state dict.", _WEIGHTS_REMEDY)
    return Inception(weights, digest, device)


def _is_script(path: Path) -> bool:
    """Whether a file is a TorchScript archive, which holds code beside its tensors."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any(name.endswith("/constants.pkl") for name in archive.namelist())
