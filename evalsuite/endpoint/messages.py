"""Our conversation as chat-completions messages."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from typing import Any

from evalsuite.content import Image, Message, Text
from evalsuite.errors import SampleError

_SIGNATURES = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
)
"""What OpenAI's documentation lists, WebP besides; servers need not read anything else."""


def chat_messages(messages: Sequence[Message], *, image_detail: str = "") -> list[dict[str, Any]]:
    """The `messages` of a chat-completions request.

    A turn of text alone is a string, which every server takes; one with images is a list of `text` and
    `image_url` parts in their order, images as data URIs.

    Raises:
        SampleError: an image in a system or assistant turn: the protocol has no place for it.
        DataError: an image that cannot be read.
    """
    return [_message(message, image_detail) for message in messages]


def sendable(text: str) -> str:
    """The text with U+FFFD in place of halves of surrogate pairs, which UTF-8 cannot carry, and so neither a
    request nor a database. An answer cut in the middle of an emoji may end in one.

    >>> sendable("a\\ud83d") == "a\\ufffd"
    True
    """
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _message(message: Message, image_detail: str) -> dict[str, Any]:
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
            address = {"url": data_uri(part)}
            parts.append(
                {
                    "type": "image_url",
                    "image_url": address | ({"detail": image_detail} if image_detail else {}),
                }
            )
    return {"role": message.role, "content": parts}


def data_uri(image: Image) -> str:
    """The image as `data:image/…;base64,…`: its own bytes, or as PNG where servers may not read its format.

    Raises DataError for an image that cannot be read.
    """
    kind, data = encoded(image)
    return f"data:{kind};base64,{base64.b64encode(data).decode('ascii')}"


def encoded(image: Image) -> tuple[str, bytes]:
    """Media type and bytes of an image in a format that servers read (PNG, JPEG, GIF, WebP)."""
    data = image.read()
    for signature, kind in _SIGNATURES:
        if data.startswith(signature):
            return kind, data
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp", data
    from evalsuite.data.images import decode

    stream = io.BytesIO()
    decode(image).save(stream, "PNG")
    return "image/png", stream.getvalue()
