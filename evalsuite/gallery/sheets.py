"""Pieces of contact sheets: thumbnails, and text cut and wrapped to a width in pixels."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from evalsuite.content import Image
from evalsuite.data.images import decode
from evalsuite.errors import DataError

if TYPE_CHECKING:
    from PIL.Image import Image as PilImage
    from PIL.ImageFont import FreeTypeFont, ImageFont

    Font = FreeTypeFont | ImageFont

GAP = 6
INK, FAINT, PAPER = (27, 31, 36), (110, 116, 125), (255, 255, 255)


def font_for(size: int) -> tuple[Font, int]:
    """A font that goes with images of `size` pixels, and the height of its lines."""
    from PIL import ImageFont

    font = ImageFont.load_default(size=max(11, size // 10))
    return font, int(font.size * 1.3) if hasattr(font, "size") else 14


def thumbnail(image: Image, size: int) -> PilImage:
    """The image in a square: small ones by whole pixels, so that the sheet shows what was generated.

    A file that is no image is crossed out.
    """
    from PIL import Image as pil
    from PIL import ImageDraw

    try:
        decoded = decode(image)
    except DataError:
        decoded = pil.new("RGB", (size, size), PAPER)
        ends = (0, 0, size - 1, size - 1)
        pen = ImageDraw.Draw(decoded)
        pen.rectangle(ends, outline=FAINT)
        pen.line(ends, fill=FAINT)
    scale = size / max(decoded.size)
    target = (max(1, round(decoded.width * scale)), max(1, round(decoded.height * scale)))
    decoded = decoded.resize(target, pil.Resampling.NEAREST if scale > 1 else pil.Resampling.LANCZOS)
    square = pil.new("RGB", (size, size), PAPER)
    square.paste(decoded, ((size - target[0]) // 2, (size - target[1]) // 2))
    return square


def fit(text: str, font: Font, width: float) -> str:
    """The text, cut with an ellipsis where it is wider than `width`."""
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(text + "…") > width:
        text = text[:-1]
    return text + "…"


def wrapped(text: str, font: Font, width: float, lines: int) -> list[str]:
    """At most `lines` lines of the text, the last one cut with an ellipsis where there is more."""
    per_line = max(8, int(width / max(font.getlength("n"), 1.0) * 1.05))
    found = textwrap.wrap(text, per_line, max_lines=lines, placeholder=" …")
    return [fit(line, font, width) for line in found]
