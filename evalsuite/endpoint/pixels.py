"""Images as they are sent: what a local adapter shows to its model, in a format that servers read."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from evalsuite.content import Image
from evalsuite.errors import DataError

if TYPE_CHECKING:
    from PIL.Image import Image as PILImage

ImageFormat = Literal["auto", "png", "jpeg", "webp", "original"]
"""How images are sent.

- `auto`: their own bytes where every reader sees the same in them (8-bit JPEG, PNG or WebP, grey or RGB,
  without transparency, orientation or animation), else PNG of what local adapters see;
- `png`, `webp`: all re-encoded, without loss;
- `jpeg`: all re-encoded at quality 95, with loss, for servers that limit the size of requests;
- `original`: their own bytes, whatever servers make of alpha, CMYK, 16 bits and EXIF.
"""

Orientation = Literal["upright", "stored"]
"""A photograph whose EXIF data say how it was held is sent `upright`, as people and viewers see it, or as it
is `stored`, which is what the official loaders of VQAv2, COCO, MMBench and POPE, and so our local adapters,
show to a model."""

_KINDS = {"PNG": "image/png", "JPEG": "image/jpeg", "WEBP": "image/webp", "GIF": "image/gif"}
_ORIENTATION = 0x0112
_SETTINGS: dict[str, dict[str, Any]] = {
    "JPEG": {"quality": 95, "subsampling": 0},
    "WEBP": {"lossless": True},
}


@dataclass(frozen=True, slots=True)
class Encoded:
    """An image ready to be sent.

    Args:
        kind: media type.
        change: what was done to it, e.g. "PNG of a CMYK JPEG"; empty where its own bytes are sent.
    """

    kind: str
    data: bytes
    change: str = ""


def encoded(image: Image, wanted: ImageFormat = "auto", orientation: Orientation = "stored") -> Encoded:
    """The image as it is sent. Raises DataError for one that cannot be read, exactly as local adapters do."""
    from evalsuite.data.images import decode

    pixels = decode(image, apply_orientation=orientation == "upright")
    data = image.read()
    form, odd = _described(data)
    if wanted == "original" and form in _KINDS:
        return Encoded(_KINDS[form], data)
    if wanted == "auto" and form in _KINDS and not odd:
        return Encoded(_KINDS[form], data)
    target = {"jpeg": "JPEG", "webp": "WEBP"}.get(wanted, "PNG")
    described = " ".join(part for part in (odd, form) if part)
    return Encoded(_KINDS[target], _written(pixels, target), f"{target} of {described}")


def _written(pixels: PILImage, target: str) -> bytes:
    stream = io.BytesIO()
    pixels.info.clear()  # a transparent colour, EXIF and the like would be written again
    pixels.save(stream, target, **_SETTINGS.get(target, {}))
    return stream.getvalue()


def _described(data: bytes) -> tuple[str, str]:
    """Format of an encoded image, and in what readers differ about its pixels; "" for nothing.

    Raises DataError where it is no image.
    """
    from PIL import Image as pil

    try:
        with pil.open(io.BytesIO(data)) as opened:
            form = opened.format or ""
            animated = getattr(opened, "n_frames", 1) > 1
            turned = opened.getexif().get(_ORIENTATION, 1) not in (0, 1)
            mode, transparent = opened.mode, "transparency" in opened.info
            if mode in ("RGBA", "LA") and opened.getchannel("A").getextrema() == (255, 255):
                mode = "RGB"  # opaque: nobody sees what is below
            deep = form == "PNG" and data[24:25] == b"\x10"  # IHDR: bits per channel
    except Exception as error:  # decoded a moment ago; its metadata may still be damaged
        raise DataError(f"An image's metadata cannot be read ({error}).", "Fetch it again.") from error
    odd = [
        "animated" if animated else "",
        "rotated by EXIF" if turned else "",
        "16-bit" if deep or mode.startswith("I") else "",
        mode if mode not in ("RGB", "L") else "",
        "transparent" if transparent else "",
        "" if form in ("PNG", "JPEG", "WEBP") else "other",
    ]
    return form, " ".join(word for word in odd if word and word != "other") or ("unread" if odd[-1] else "")
