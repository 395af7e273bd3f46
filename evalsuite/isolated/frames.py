"""The wire format between evalsuite and an isolated adapter: JSON and raw bytes in length-prefixed frames.

A frame is `EVS1`, the length of a JSON object as four bytes (big endian), the object in UTF-8, and the blobs
whose lengths its list `blobs` gives. There is no pickle: what comes back is data.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from typing import Any, BinaryIO

from evalsuite.content import Image
from evalsuite.errors import AdapterError
from evalsuite.request import Request

MAGIC = b"EVS1"
LARGEST_TEXT = 64 * 2**20
LARGEST_FRAME = 1024 * 2**20
"""Bytes of a frame beyond which the other side is not believed."""


class BrokenFrameError(AdapterError):
    """The other side ended in the middle of a frame, or sent something that is none."""


def pack(value: dict[str, Any], blobs: Sequence[bytes] = ()) -> list[bytes]:
    """The parts of a frame, to be written one after the other.

    >>> pack({"a": 1})[0][:4]
    b'EVS1'
    """
    text = json.dumps({**value, "blobs": [len(blob) for blob in blobs]}).encode()
    return [MAGIC + struct.pack(">I", len(text)) + text, *blobs]


def read(stream: BinaryIO) -> tuple[dict[str, Any], list[bytes]] | None:
    """The next frame; None where the stream ends between two frames. Raises BrokenFrameError."""
    head = stream.read(8)
    if not head:
        return None
    if len(head) < 8 or head[:4] != MAGIC:
        raise BrokenFrameError(
            f"not a frame: {head[:8]!r}", "The child must not write to its pipe by itself."
        )
    (size,) = struct.unpack(">I", head[4:])
    if size > LARGEST_TEXT:
        raise BrokenFrameError(f"a frame announces {size} bytes of JSON, more than {LARGEST_TEXT}")
    try:
        value = json.loads(_exactly(stream, size))
        sizes = [int(one) for one in value["blobs"]]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise BrokenFrameError(f"a frame is not JSON ({type(error).__name__})") from error
    if any(one < 0 for one in sizes) or sum(sizes) > LARGEST_FRAME:
        raise BrokenFrameError(f"a frame announces {sum(sizes)} bytes, more than {LARGEST_FRAME}")
    return value, [_exactly(stream, one) for one in sizes]


def encode_requests(requests: Sequence[Request]) -> tuple[list[dict[str, Any]], list[bytes]]:
    """Requests for the wire: images by number of their blob, each image once."""
    blobs: list[bytes] = []
    places: dict[int, int] = {}

    def place(image: Image) -> int:
        if id(image) not in places:
            places[id(image)] = len(blobs)
            blobs.append(image.read())
        return places[id(image)]

    found = []
    for request in requests:
        described = request.describe(digest=lambda image: "")
        for message, sent in zip(request.messages, described["messages"], strict=True):
            sent["parts"] = [
                {"image": place(part), "name": part.label} if isinstance(part, Image) else {"text": part.text}
                for part in message.parts
            ]
        found.append(described)
    return found, blobs


def _exactly(stream: BinaryIO, size: int) -> bytes:
    data = stream.read(size)
    if len(data) != size:
        raise BrokenFrameError("the child ended in the middle of a frame")
    return data
