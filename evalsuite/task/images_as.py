"""Images as official scripts see them: encoded as JPEG, or black and so none."""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import replace

from evalsuite.content import Image, Message
from evalsuite.data.images import decode
from evalsuite.endpoint import Chat
from evalsuite.errors import SampleError


def as_jpeg(image: Image) -> Image:
    """The image as a JPEG file of PIL's default quality. Raises DataError where it cannot be read."""
    stream = io.BytesIO()
    decode(image).convert("RGB").save(stream, "JPEG")
    return Image(stream.getvalue(), name=image.label)


def wholly_black(image: Image) -> bool:
    """Whether every pixel is black: an empty tile of a grid. Raises DataError where it cannot be read."""
    return decode(image).convert("RGB").getbbox() is None


def chat_as_jpeg(chat: Chat) -> Chat:
    """A question whose images are sent as JPEG files, as official scripts save them first."""
    *head, last = chat.messages
    parts = tuple(as_jpeg(part) if isinstance(part, Image) else part for part in last.parts)
    return replace(chat, messages=(*head, Message(last.role, parts)))


def shown_images(images: Iterable[Image], *, skip_black: bool) -> list[tuple[int, Image]]:
    """Place and image of the images that a judge is shown.

    Args:
        skip_black: leave out those that are wholly black.

    Raises SampleError where none is left.
    """
    shown = [(place, one) for place, one in enumerate(images) if not (skip_black and wholly_black(one))]
    if skip_black and not shown:
        raise SampleError("every image is wholly black: officially there is none")
    return shown
