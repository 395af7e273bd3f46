"""Images as official scripts see them: encoded as JPEG, or black and so none."""

from __future__ import annotations

import io

from evalsuite.content import Image
from evalsuite.data.images import decode


def as_jpeg(image: Image) -> Image:
    """The image as a JPEG file of PIL's default quality. Raises DataError where it cannot be read."""
    stream = io.BytesIO()
    decode(image).convert("RGB").save(stream, "JPEG")
    return Image(stream.getvalue(), name=image.label)


def wholly_black(image: Image) -> bool:
    """Whether every pixel is black: an empty tile of a grid. Raises DataError where it cannot be read."""
    return decode(image).convert("RGB").getbbox() is None
