"""Images of a site: copied once, named by the digest of their bytes, with thumbnails of the large ones."""

from __future__ import annotations

import hashlib
import io
from collections import OrderedDict, deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evalsuite.content import Image
from evalsuite.data.images import MAX_PIXELS, decode, raster_formats
from evalsuite.errors import DataError, EvalsuiteError
from evalsuite.report.output import Output
from evalsuite.report.privacy import without_folders

_SUFFIXES = {"PNG": ".png", "JPEG": ".jpg", "WEBP": ".webp", "GIF": ".gif", "BMP": ".bmp"}
"""What browsers show and what cannot hold a script; other formats are written as PNG."""

THUMBNAIL = 320
"""Longest edge of a thumbnail in pixels; smaller images are their own."""

_ORIENTATION = 0x0112
"""The EXIF tag that says how a photograph is to be turned."""

_RECENT = 8
"""Image objects whose reference is at hand: those of one sample are asked for several times."""

_REMEMBERED = 50_000
"""References kept: the image that many questions share is read once; more only costs time."""


class ImageWriter:
    """Puts images into a site.

    Args:
        output: the site; None leaves all images out, and references say so.
    """

    def __init__(self, output: Output | None) -> None:
        self.output = output
        self.count = 0
        """Different images written."""
        self._recent: deque[tuple[Image, dict[str, Any]]] = deque(maxlen=_RECENT)
        self._known: OrderedDict[str | Path, dict[str, Any]] = OrderedDict()

    def refer(self, image: Image) -> dict[str, Any]:
        """The image as pages refer to it: `s`ha256 and suffix `x`, `w`idth and `h`eight, `t` for a thumbnail.

        One that is missing or broken is `e`, the reason. `n` is what the data set calls it, for display only.
        """
        if self.output is None:
            return {"n": image.label, "e": "left out (--no-images)"}
        for recent, found in self._recent:
            if recent is image:
                return found
        found = self._refer(self.output, image)
        self._recent.append((image, found))
        return found

    def _refer(self, output: Output, image: Image) -> dict[str, Any]:
        key = image.path if image.path is not None else None
        if key is not None and key in self._known:
            return _named(image, self._known[key])
        try:
            data = image.read()
            digest = hashlib.sha256(data).hexdigest()
            found = self._known.get(digest) or self._add(output, image, data, digest)
        except EvalsuiteError as error:
            found = {"e": without_folders(error.what)}
            digest = ""
        for name in (key, digest):
            if name:
                self._known[name] = found
        while len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
        return _named(image, found)

    def _add(self, output: Output, image: Image, data: bytes, digest: str) -> dict[str, Any]:
        from PIL import Image as pil

        try:
            with pil.open(io.BytesIO(data), formats=raster_formats()) as opened:
                (width, height), suffix = opened.size, _SUFFIXES.get(opened.format or "", "")
                if opened.getexif().get(_ORIENTATION, 1) != 1:
                    suffix = ""  # browsers would turn it; models see it as it is stored
        except (OSError, ValueError, SyntaxError, RuntimeError, pil.DecompressionBombError):
            decode(image)  # says in our words what is wrong
            raise DataError(f"Image {image.label!r} cannot be read.") from None
        if width * height > MAX_PIXELS:
            decode(image)
        found: dict[str, Any] = {"s": digest, "x": suffix or ".png", "w": width, "h": height}
        name = f"{digest[:2]}/{digest}"
        decoded = None
        if not suffix or max(width, height) > THUMBNAIL:
            decoded = decode(image)
        if decoded is not None and not suffix:
            data = _encoded(decoded, "PNG")
        if not output.has(f"images/{name}{found['x']}"):
            output.write(f"images/{name}{found['x']}", data)
            self.count += 1
        if decoded is not None and max(width, height) > THUMBNAIL:
            decoded.thumbnail((THUMBNAIL, THUMBNAIL))
            output.write(f"thumbnails/{name}.webp", _encoded(decoded, "WEBP", quality=82))
            found["t"] = 1
        return found


def _named(image: Image, found: Mapping[str, Any]) -> dict[str, Any]:
    """The reference with the image's name, unless that is only its digest again."""
    known = "s" in found and image.label == f"{found['s']}{found['x']}"
    return dict(found) if known else {"n": image.label, **found}


def _encoded(decoded: Any, kind: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    decoded.save(stream, kind, **options)
    return stream.getvalue()
