"""Small images that differ."""

from __future__ import annotations

import io


def photo(number: int, side: int = 48) -> bytes:
    """A PNG of one shape on a ground of another colour."""
    from PIL import Image, ImageDraw

    colours = ["red", "green", "blue", "yellow", "white"]
    made = Image.new("RGB", (side + 8, side), colours[(number + 2) % 5])
    draw = ImageDraw.Draw(made)
    (draw.ellipse if number % 2 else draw.rectangle)((8, 8, 30, 30), fill=colours[number % 5])
    stream = io.BytesIO()
    made.save(stream, "PNG")
    return stream.getvalue()
