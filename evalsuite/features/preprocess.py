"""Named ways from an image to the tensor that a network sees.

The same network gives other scores under another resize, so each way has a name that scores carry:

* `openai`: what OpenAI's CLIP and DINO's evaluation do (torchvision on PIL): shorter side to `resize`, PIL
  bicubic (antialiased, 8-bit result), centre crop; a network made for fixed squares (no crop) is resized to
  them.
* `torchvision`: the same with torchvision's default, bilinear;
* `transformers`: the same as transformers' `CLIPProcessor` crops it (PickScore);
* `cmmd`: CMMD's code (sayakpaul/cmmd-pytorch): crop to the largest centred square first, then PIL bicubic;
* `tensor-bicubic`: InstructPix2Pix' `clip_similarity.py`: the whole image to a square, bicubic on floats
  without antialiasing, whatever its aspect.
* `tensor-bicubic-signed`: the same on pixels in [-1, 1] with the mean and deviation for [0, 1]: what
  InstructPix2Pix' `compute_metrics.py` gives that function.
* `padded`: LLaVA's (VQAScore): a square of the mean colour around the image, then as `transformers`;
* `hps`: HPSv2's (longer side, zeros around it), antialiased as torchvision does it from 0.17 on;
  `hps-without-antialias` is the same under older versions. Published numbers are of either.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalsuite.errors import CheckpointError, DataError, SpecError
from evalsuite.features.sharing import once

if TYPE_CHECKING:
    import numpy as np
    import torch
    from PIL.Image import Image as PilImage
    from PIL.Image import Resampling

CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True, slots=True)
class Geometry:
    """Sizes and scaling of a network's input.

    Args:
        size: side of the square that the network sees, pixels.
        resize: the shorter side before the centre crop; None resizes to the square at once, without a crop.
        mean, std: per channel, for pixels in [0, 1].
    """

    size: int
    resize: int | None
    mean: tuple[float, float, float]
    std: tuple[float, float, float]


def openai(image: PilImage, geometry: Geometry) -> np.ndarray:
    """(3, size, size) float32; torchvision's Resize and CenterCrop on PIL, to the pixel.

    Examples:
        >>> from PIL import Image
        >>> openai(Image.new("RGB", (10, 7)), Geometry(4, 4, (0, 0, 0), (1, 1, 1))).shape
        (3, 4, 4)
    """
    # torchvision rounds half to even, as Python's round does.
    return _cropped(image, geometry, round)


def transformers(image: PilImage, geometry: Geometry) -> np.ndarray:
    """(3, size, size) float32; as `openai`, the crop's place rounded down as by transformers' processor."""
    return _cropped(image, geometry, math.floor)


def torchvision(image: PilImage, geometry: Geometry) -> np.ndarray:
    """(3, size, size) float32; as `openai`, bilinear: torchvision's Resize as it comes."""
    from PIL import Image

    return _cropped(image, geometry, round, Image.Resampling.BILINEAR)


def _cropped(
    image: PilImage, geometry: Geometry, whole: Callable[[float], int], kind: int | None = None
) -> np.ndarray:
    from PIL import Image

    size, how = geometry.size, Image.Resampling.BICUBIC if kind is None else Image.Resampling(kind)
    if geometry.resize is None:
        return _scaled(_resized(image, (size, size), how), geometry)
    width, height = image.size
    short = geometry.resize
    if width <= height:
        target = (short, int(short * height / width))
    else:
        target = (int(short * width / height), short)
    left, top = whole((target[0] - size) / 2), whole((target[1] - size) / 2)
    box = (left, top, left + size, top + size)
    return once(
        ("cropped", target, how, box, geometry.mean, geometry.std),
        lambda: _scaled(_resized(image, target, how).crop(box), geometry),
        image,
    )


def _resized(image: PilImage, size: tuple[int, int], how: Resampling) -> PilImage:
    """An image at that size, made once for all networks that see it so."""
    return once(("resized", size, how), lambda: _rgb(image).resize(size, how), image)


def _rgb(image: PilImage) -> PilImage:
    """The image in RGB: itself where it is, without a copy."""
    return image if image.mode == "RGB" else image.convert("RGB")


def _pixels(image: PilImage) -> torch.Tensor:
    """(1, 3, height, width) float32 pixels in [0, 1], made once for all networks that resize floats."""
    import numpy as np
    import torch

    def made() -> torch.Tensor:
        # One pass: each byte as float32, divided by 255 as float32.
        values = np.true_divide(np.asarray(_rgb(image)), np.float32(255), dtype=np.float32)
        return torch.from_numpy(values).permute(2, 0, 1)[None]

    return once("pixels", made, image)


def tensor_bicubic(image: PilImage, geometry: Geometry) -> np.ndarray:
    """(3, size, size) float32; `F.interpolate(mode="bicubic", align_corners=False)` on [0, 1], not
    clipped."""
    import torch

    square = torch.nn.functional.interpolate(
        _pixels(image), size=(geometry.size, geometry.size), mode="bicubic", align_corners=False
    )
    return _normalised(square[0].numpy(), geometry)


def tensor_bicubic_signed(image: PilImage, geometry: Geometry) -> np.ndarray:
    """(3, size, size) float32: `tensor_bicubic` of pixels in [-1, 1] under a mean and a standard deviation
    that are meant for [0, 1], as InstructPix2Pix's `compute_metrics.py` feeds its network."""
    import numpy as np

    mean, std = np.array(geometry.mean), np.array(geometry.std)
    # 2 p - 1 normalised by (m, s) is p normalised by ((1 + m) / 2, s / 2).
    signed = Geometry(geometry.size, geometry.resize, _triple((1 + mean) / 2), _triple(std / 2))
    return tensor_bicubic(image, signed)


def cmmd(image: PilImage, geometry: Geometry) -> np.ndarray:
    """(3, size, size) float32; the largest centred square, then PIL bicubic to the network's size."""
    from PIL import Image

    short = min(image.size)
    left, top = (image.width - short) // 2, (image.height - short) // 2
    square = _rgb(image).crop((left, top, left + short, top + short))
    return _scaled(square.resize((geometry.size, geometry.size), Image.Resampling.BICUBIC), geometry)


def padded(image: PilImage, geometry: Geometry) -> np.ndarray:
    """(3, size, size) float32; the image on a square of the mean colour, then as `transformers`."""
    from PIL import Image

    image = _rgb(image)
    long = max(image.size)
    if image.width != image.height:
        red, green, blue = (int(255 * one) for one in geometry.mean)
        square = Image.new("RGB", (long, long), (red, green, blue))
        square.paste(image, ((long - image.width) // 2, (long - image.height) // 2))
        image = square
    return transformers(image, geometry)


def hps(image: PilImage, geometry: Geometry, *, antialias: bool = True) -> np.ndarray:
    """(3, size, size) float32; HPSv2's own: pixels in [0, 1] first, the longer side to `size` by bicubic
    interpolation of floats, not clipped, zeros around it, then mean and deviation, also of the zeros.

    An image that lacks only the padding gets it too; there the official network stops.
    """
    import torch

    size = geometry.size
    pixels = _pixels(image)
    height, width = pixels.shape[2:]
    scale = size / max(height, width)
    if scale != 1:
        target = (round(height * scale), round(width * scale))
        if not min(target):
            raise DataError(f"The image is {width}×{height}: at {size} pixels nothing is left of one side.")
        pixels = torch.nn.functional.interpolate(
            pixels, size=target, mode="bicubic", align_corners=False, antialias=antialias
        )
    high, wide = size - pixels.shape[2], size - pixels.shape[3]
    around = (wide // 2, wide - wide // 2, high // 2, high - high // 2)
    return _normalised(torch.nn.functional.pad(pixels, around)[0].numpy(), geometry)


def hps_without_antialias(image: PilImage, geometry: Geometry) -> np.ndarray:
    """As `hps`, interpolated as torchvision did before 0.17."""
    return hps(image, geometry, antialias=False)


PREPROCESSES: Mapping[str, Callable[[PilImage, Geometry], np.ndarray]] = {
    "openai": openai,
    "tensor-bicubic": tensor_bicubic,
    "tensor-bicubic-signed": tensor_bicubic_signed,
    "cmmd": cmmd,
    "hps": hps,
    "padded": padded,
    "torchvision": torchvision,
    "transformers": transformers,
    "hps-without-antialias": hps_without_antialias,
}


def preprocess(name: str) -> Callable[[PilImage, Geometry], np.ndarray]:
    """The preprocessing of that name. Raises SpecError for an unknown one."""
    if name not in PREPROCESSES:
        raise SpecError(f"There is no image preprocessing {name!r}.", f"Known: {', '.join(PREPROCESSES)}.")
    return PREPROCESSES[name]


def read_geometry(folder: Path, default: Geometry) -> Geometry:
    """The geometry in a checkpoint's `preprocessor_config.json`, `default` where it has none.

    Raises CheckpointError when the file cannot be read or its sizes make no square.
    """
    path = folder / "preprocessor_config.json"
    if not path.is_file():
        return default
    try:
        config: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        resize = _side(config.get("size"), default.resize or default.size)
        crops = bool(config.get("do_center_crop", True))
        return Geometry(
            size=_side(config.get("crop_size"), default.size) if crops else resize,
            resize=resize if crops else None,
            mean=_triple(config.get("image_mean", default.mean)),
            std=_triple(config.get("image_std", default.std)),
        )
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise CheckpointError(
            f"{path} cannot be used ({error}).", "Take the file from the original checkpoint again."
        ) from error


def _side(value: Any, default: int) -> int:
    if value is None:
        return default
    if isinstance(value, Mapping):
        sides = {int(side) for side in value.values() if side is not None}
        if len(sides) != 1:
            raise ValueError(f"{dict(value)} is not a square")
        return sides.pop()
    return int(value)


def _triple(values: Any) -> tuple[float, float, float]:
    red, green, blue = (float(v) for v in values)
    return red, green, blue


def _scaled(image: PilImage, geometry: Geometry) -> np.ndarray:
    import numpy as np

    return _normalised(np.asarray(image, dtype=np.float32).transpose(2, 0, 1) / np.float32(255), geometry)


def _normalised(pixels: np.ndarray, geometry: Geometry) -> np.ndarray:
    import numpy as np

    mean = np.array(geometry.mean, dtype=np.float32)[:, None, None]
    std = np.array(geometry.std, dtype=np.float32)[:, None, None]
    return ((pixels - mean) / std).astype(np.float32)
