"""The ways in which FID tools bring an image to 299 × 299, by name. They change FID by points; name yours.

All take one image of shape (height, width, 3), uint8, and return (299, 299, 3) float32 with values 0..255:

* ``torch-fidelity``: TensorFlow 1's bilinear resize (corner-aligned origin, no antialiasing), as in the
  original graph; also what clean-fid calls legacy_tensorflow;
* ``pytorch-fid``: torch's bilinear interpolation without antialiasing; clean-fid's legacy_pytorch;
* ``torchmetrics``: torch's bilinear interpolation with antialiasing, torchmetrics' default since 1.9;
* ``clean``: clean-fid's recommendation, PIL bicubic with antialiasing on float channels, not rounded;
* ``pil-bilinear``, ``pil-lanczos``: PIL with antialiasing, rounded to 8 bits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from evalsuite.errors import SampleError, SpecError

__all__ = ["RESIZERS", "SIDE", "resize"]

SIDE = 299
"""Input height and width of the Inception network."""

Pixels = NDArray[np.uint8]
Resized = NDArray[np.float32]


def _tensorflow(image: Pixels) -> Resized:
    values = image.astype(np.float32)

    def positions(size: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
        exact = np.arange(SIDE, dtype=np.float32) * np.float32(size / SIDE)
        low = exact.astype(np.int64)
        return low, np.minimum(low + 1, size - 1), exact - low.astype(np.float32)

    top, bottom, down = positions(image.shape[0])
    left, right, across = positions(image.shape[1])
    upper, lower, across = values[top], values[bottom], across[None, :, None]
    upper = upper[:, left] + (upper[:, right] - upper[:, left]) * across
    lower = lower[:, left] + (lower[:, right] - lower[:, left]) * across
    return upper + (lower - upper) * down[:, None, None]


def _torch(antialias: bool) -> Callable[[Pixels], Resized]:
    def resize_image(image: Pixels) -> Resized:
        import torch

        tensor = torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1)[None].float()
        resized = torch.nn.functional.interpolate(
            tensor, (SIDE, SIDE), mode="bilinear", align_corners=False, antialias=antialias
        )
        result: Resized = resized[0].permute(1, 2, 0).clamp(0, 255).numpy()
        return result

    return resize_image


def _clean(image: Pixels) -> Resized:
    from PIL import Image

    planes = [Image.fromarray(image[:, :, channel].astype(np.float32)) for channel in range(3)]
    resized = [np.asarray(plane.resize((SIDE, SIDE), Image.Resampling.BICUBIC)) for plane in planes]
    # clean-fid clips afterwards, before the network.
    clipped: NDArray[np.float32] = np.clip(np.stack(resized, axis=2), 0, 255)
    return clipped


def _pil(filter_name: str) -> Callable[[Pixels], Resized]:
    def resize_image(image: Pixels) -> Resized:
        from PIL import Image

        resized = Image.fromarray(image).resize((SIDE, SIDE), Image.Resampling[filter_name])
        return np.asarray(resized).astype(np.float32)

    return resize_image


RESIZERS: Mapping[str, Callable[[Pixels], Resized]] = MappingProxyType(
    {
        "torch-fidelity": _tensorflow,
        "pytorch-fid": _torch(antialias=False),
        "torchmetrics": _torch(antialias=True),
        "clean": _clean,
        "pil-bilinear": _pil("BILINEAR"),
        "pil-lanczos": _pil("LANCZOS"),
    }
)


def resize(image: Pixels, mode: str) -> Resized:
    """`image` at 299 × 299 by the named way. Raises SampleError when it is not an RGB image of bytes."""
    if mode not in RESIZERS:
        raise SpecError(f"There is no resize mode {mode!r}.", f"Choose from {', '.join(RESIZERS)}.")
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or not image.size:
        raise SampleError(f"Expected an RGB image of bytes, got {image.dtype} of shape {image.shape}.")
    return RESIZERS[mode](image)
