"""Images to pixels: as the vision tower wants them, and as the VAE does. PIL and numpy only, no
torchvision."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from evalsuite.errors import SpecError

Augment = Literal["none", "square_resize", "padding_square_resize", "center_crop"]
"""What upstream's evaluation may do to an image first (`--img_aug`); its paper scripts use `none`."""


def to_rgb(image: Image.Image) -> Image.Image:
    """Three channels; what is transparent becomes white, as upstream loads images."""
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        image = image.convert("RGBA")
        white = Image.new("RGB", image.size, (255, 255, 255))
        white.paste(image, mask=image.getchannel("A"))
        return white
    return image.convert("RGB")


def resized(image: Image.Image, short_side: int, resample: int) -> Image.Image:
    """The image scaled so that its shorter side is `short_side`; the longer is rounded down."""
    width, height = image.size
    if width <= height:
        size = (short_side, int(short_side * height / width))
    else:
        size = (int(short_side * width / height), short_side)
    return image if size == image.size else image.resize(size, Image.Resampling(resample))


def augmented(image: Image.Image, mode: Augment, side: int = 224) -> Image.Image:
    """Upstream's optional first step, to `side` x `side` pixels; `none` gives the image back.

    `square_resize` distorts; `padding_square_resize` keeps the aspect and fills black at the right or bottom;
    `center_crop` distorts to 8/7 of the side and cuts the middle.

    Raises:
        SpecError: unknown mode.
    """
    if mode == "none":
        return image
    if mode == "square_resize":
        return image.resize((side, side))
    if mode == "center_crop":
        margin = side // 14
        large = side + 2 * margin
        return image.resize((large, large)).crop((margin, margin, margin + side, margin + side))
    if mode == "padding_square_resize":
        width, height = image.size
        if width > height:
            size = (side, int(height * side / width))
        else:
            size = (int(width * side / height), side)
        canvas = Image.new("RGB", (side, side))
        canvas.paste(image.resize(size), (0, 0))
        return canvas
    raise SpecError(f"Unknown image preparation {mode!r}.", f"Known: {', '.join(get_args(Augment))}.")


@dataclass(frozen=True, slots=True)
class ImagePreprocessor:
    """CLIP's image preprocessing: shorter side to `size`, middle `crop` x `crop`, normalised.

    Args:
        size, crop: pixels.
        mean, std: per channel, of values in [0, 1].
        resample: PIL's number of the filter (3: bicubic).
    """

    size: int = 224
    crop: int = 224
    mean: tuple[float, float, float] = (0.48145466, 0.4578275, 0.40821073)
    std: tuple[float, float, float] = (0.26862954, 0.26130258, 0.27577711)
    resample: int = 3

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> ImagePreprocessor:
        """From a `preprocessor_config.json`, whose sizes may be numbers (old) or tables (new)."""

        def side(value: Any, default: int) -> int:
            if isinstance(value, Mapping):
                return int(value.get("shortest_edge") or value.get("height") or default)
            return default if value is None else int(value)

        size = side(config.get("size"), 224)
        return cls(
            size=size,
            crop=side(config.get("crop_size"), size),
            mean=tuple(config.get("image_mean") or cls().mean),
            std=tuple(config.get("image_std") or cls().std),
            resample=int(config.get("resample", 3)),
        )

    def to_config(self) -> dict[str, Any]:
        """A `preprocessor_config.json` that CLIPImageProcessor reads as well."""
        values = asdict(self)
        return {
            "image_processor_type": "CLIPImageProcessor",
            "do_resize": True,
            "size": {"shortest_edge": values["size"]},
            "do_center_crop": True,
            "crop_size": {"height": values["crop"], "width": values["crop"]},
            "do_rescale": True,
            "do_normalize": True,
            "do_convert_rgb": True,
            "image_mean": list(values["mean"]),
            "image_std": list(values["std"]),
            "resample": values["resample"],
        }

    def __call__(self, image: Image.Image) -> Tensor:
        """(3, crop, crop), float32, normalised."""
        image = resized(to_rgb(image), self.size, self.resample)
        width, height = image.size
        left, top = (width - self.crop) // 2, (height - self.crop) // 2
        pixels = np.asarray(image.crop((left, top, left + self.crop, top + self.crop)))
        scaled = (pixels * (1 / 255)).astype(np.float32)
        normal = (scaled - np.array(self.mean, np.float32)) / np.array(self.std, np.float32)
        return torch.from_numpy(np.ascontiguousarray(normal.transpose(2, 0, 1)))


def pixels_to_draw(image: Image.Image, side: int, *, flip: bool = False) -> Tensor:
    """What the image loss learns to generate: shorter side to `side` (bilinear), middle square, in [-1, 1].

    Args:
        flip: mirror left and right, upstream's only augmentation in training.

    Returns:
        (3, side, side), float32.
    """
    image = resized(to_rgb(image), side, Image.Resampling.BILINEAR)
    left, top = round((image.size[0] - side) / 2.0), round((image.size[1] - side) / 2.0)
    image = image.crop((left, top, left + side, top + side))
    if flip:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    pixels = np.asarray(image).astype(np.float32) / 255
    return torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1))) * 2 - 1
