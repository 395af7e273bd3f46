"""Decoding of images: complete or refused, within limits, always RGB."""

from __future__ import annotations

import io
import logging
from functools import cache
from typing import TYPE_CHECKING

from evalsuite.content import Image
from evalsuite.data import in_flight
from evalsuite.data.folders import images_in as images_in
from evalsuite.errors import DataError

if TYPE_CHECKING:
    from PIL.Image import Image as PILImage

MAX_PIXELS = 89_478_485
"""Pillow's own bound (a quarter of a GiB of RGB): larger images are refused unless the caller allows more."""

FORMATS = (
    "PNG", "JPEG", "WEBP", "GIF", "BMP", "DIB", "TIFF", "PPM", "AVIF", "JPEG2000", "TGA", "ICO", "PCX",
)  # fmt: skip
"""Raster formats that are decoded, by PIL's names. What PIL knows besides (PostScript, which it hands to
another program, WMF, fonts, scientific arrays …) is no image of a data set, whatever its name says."""

_log = logging.getLogger(__name__)

_DAMAGED = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    IndexError,
    TypeError,
    OverflowError,
    RuntimeError,
)
"""What PIL's decoders raise for broken files: OSError (truncated), SyntaxError (PNG), EOFError (GIF),
RuntimeError (AVIF, DDS) …"""


@cache
def raster_formats() -> tuple[str, ...]:
    """Those of `FORMATS` that this build of PIL has; JPEG includes MPO."""
    from PIL import Image as pil

    pil.init()
    return tuple(name for name in FORMATS if name in pil.OPEN)


def decode(image: Image, *, max_pixels: int = MAX_PIXELS, apply_orientation: bool = False) -> PILImage:
    """The image as RGB, 8 bits per channel, fully loaded.

    Greyscale, palette, CMYK and images with alpha become RGB as `PIL.Image.convert("RGB")` does it, because
    that is what the official loaders call: alpha is dropped (the colours below it show), 16-bit grey is
    clipped at 255. A truncated file is refused, never filled with grey.

    Args:
        image: the encoded image.
        max_pixels: width × height above which the image is refused before its pixels are decoded.
        apply_orientation: turn the image as its EXIF orientation says. Off by default: the official loaders
            of VQAv2, COCO, MMBench and POPE do not, so models see a rotated photograph as it is stored.

    Raises:
        DataError: the file is missing, not an image, truncated, or too large; the message names it.
    """
    from PIL import Image as pil
    from PIL import ImageFile, ImageOps, UnidentifiedImageError

    if ImageFile.LOAD_TRUNCATED_IMAGES:
        _log.warning("Some library switched on PIL's LOAD_TRUNCATED_IMAGES; it is off again.")
        ImageFile.LOAD_TRUNCATED_IMAGES = False
    data = image.read()
    if not data:
        raise DataError(f"Image {image.where} is empty (0 bytes).", "Fetch it again.")
    try:
        with pil.open(io.BytesIO(data), formats=raster_formats()) as opened:
            width, height = opened.size
            if width * height > max_pixels:
                raise DataError(
                    f"Image {image.where} is {width}×{height}, more than {max_pixels:,} pixels.",
                    "Raise max_pixels if the file is to be trusted.",
                )
            with in_flight.held(width * height * _BYTES, image.where):
                opened.load()
                upright: PILImage = ImageOps.exif_transpose(opened) if apply_orientation else opened
                if upright.mode == "RGB" and width * height > _LARGE:
                    return upright  # a copy, which `convert` would make, takes as much memory again
                return upright.convert("RGB")
    except UnidentifiedImageError as error:
        raise DataError(
            f"Image {image.where} is not an image that can be decoded "
            f"({len(data):,} bytes, {_looks_like(data)}).",
            "Fetch it again, or convert it to PNG or JPEG.",
        ) from error
    except (pil.DecompressionBombError, pil.DecompressionBombWarning) as error:
        raise DataError(f"Image {image.where} is too large to be decoded safely: {error}") from error
    except _DAMAGED as error:
        raise DataError(
            f"Image {image.where} is damaged or truncated ({error}).", "Fetch it again."
        ) from error


_BYTES = 8
"""Memory that decoding takes per pixel: as decoded and as RGB, four bytes each."""
_LARGE = 16 * 2**20
_STARTS = (
    (b"%!", "PostScript"), (b"\xc5\xd0\xd3\xc6", "PostScript"), (b"%PDF", "PDF"), (b"<svg", "SVG"),
    (b"<?xml", "XML"), (b"<!DOCTYPE", "a web page"), (b"<html", "a web page"), (b"PK", "a zip archive"),
    (b"version https://git-lfs", "a Git LFS pointer"), (b"{", "JSON"), (b"\x1f\x8b", "gzipped"),
)  # fmt: skip


def _looks_like(data: bytes) -> str:
    head = data[:64].lstrip()
    return next((name for start, name in _STARTS if head.startswith(start)), f"begins {data[:8]!r}")


def image_size(image: Image) -> tuple[int, int]:
    """Width and height in pixels, from the header alone. Raises DataError for a file that is no image."""
    from PIL import Image as pil

    try:
        with pil.open(io.BytesIO(image.read()), formats=raster_formats()) as opened:
            return opened.size
    except (*_DAMAGED, pil.DecompressionBombError) as error:
        raise DataError(f"Image {image.where} cannot be read ({error}).", "Fetch it again.") from error


def lossy(image: Image) -> str:
    """What of an encoded image has lost detail in compression: "JPEG", "lossy WebP", "" for a lossless one.

    Compression moves distances between distributions by points, so generated images must not have seen any.
    """
    data = image.read()
    if data.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP" and _webp_chunks(data) & {b"VP8 "}:
        return "lossy WebP"
    return ""


def _webp_chunks(data: bytes) -> set[bytes]:
    """Names of the chunks of a WebP file, those inside animation frames included."""
    found, at = set(), 12
    while at + 8 <= len(data):
        name, size = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        found.add(name)
        at += 8 + (16 if name == b"ANMF" else size + size % 2)
    return found
