"""Our conversation as chat-completions messages."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

from evalsuite.content import Image, Message, Text
from evalsuite.endpoint.pixels import Encoded, ImageFormat, Orientation, encoded
from evalsuite.errors import SampleError


def chat_messages(
    messages: Sequence[Message],
    *,
    image_detail: str = "",
    image_format: ImageFormat = "auto",
    orientation: Orientation = "stored",
    changes: list[str] | None = None,
) -> list[dict[str, Any]]:
    """The `messages` of a chat-completions request.

    A turn of text alone is a string, which every server takes; one with images is a list of `text` and
    `image_url` parts in their order, images as data URIs.

    Args:
        image_format: how images are encoded; see `pixels.ImageFormat`.
        orientation: see `pixels.Orientation`.
        changes: is given what was done to each image that is not sent as it is.

    Raises:
        SampleError: an image in a system or assistant turn: the protocol has no place for it.
        DataError: an image that cannot be read.
    """
    return [
        _message(message, image_detail, image_format, orientation, [] if changes is None else changes)
        for message in messages
    ]


def sendable(text: str) -> str:
    """The text with U+FFFD in place of halves of surrogate pairs, which UTF-8 cannot carry, and so neither a
    request nor a database. An answer cut in the middle of an emoji may end in one.

    >>> sendable("a\\ud83d") == "a\\ufffd"
    True
    """
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _message(
    message: Message,
    image_detail: str,
    image_format: ImageFormat,
    orientation: Orientation,
    changes: list[str],
) -> dict[str, Any]:
    if not message.images:
        return {"role": message.role, "content": sendable(message.text)}
    if message.role != "user":
        raise SampleError(
            f"There is an image in a turn of the {message.role}.",
            "The chat-completions protocol takes images from the user only: choose another protocol.",
        )
    parts: list[dict[str, Any]] = []
    for part in message.parts:
        if isinstance(part, Text):
            if part.text:
                parts.append({"type": "text", "text": sendable(part.text)})
        else:
            made = encoded(part, image_format, orientation)
            if made.change:
                changes.append(made.change)
            address = {"url": _uri(made)}
            parts.append(
                {
                    "type": "image_url",
                    "image_url": address | ({"detail": image_detail} if image_detail else {}),
                }
            )
    return {"role": message.role, "content": parts}


def data_uri(image: Image, image_format: ImageFormat = "auto") -> str:
    """The image as `data:image/…;base64,…`: its own bytes where all readers see the same in them, else
    PNG.

    Raises DataError for an image that cannot be read.
    """
    return _uri(encoded(image, image_format))


def _uri(made: Encoded) -> str:
    return f"data:{made.kind};base64,{base64.b64encode(made.data).decode('ascii')}"
