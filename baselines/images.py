"""Images as answers."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from evalsuite.content import Image

if TYPE_CHECKING:
    from PIL.Image import Image as PilImage


def encoded(picture: PilImage, name: str = "generated.png") -> Image:
    """An image as lossless PNG."""
    buffer = io.BytesIO()
    picture.convert("RGB").save(buffer, format="PNG")
    return Image(buffer.getvalue(), name=name)
