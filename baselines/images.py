"""Images as answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalsuite.content import Image, RawImage

if TYPE_CHECKING:
    from PIL.Image import Image as PilImage


def encoded(image: PilImage, name: str = "generated.png") -> Image:
    """An image as lossless PNG, which the engine has encoded by other threads than the device's."""
    return RawImage(name=name, pixels=image)
