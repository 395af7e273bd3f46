"""Generated images as files named by their content: `images/ab/abcdef….png`."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from evalsuite.errors import AdapterError, StoreError
from evalsuite.store.layout import IMAGES, reporting, write_durably

_SIGNATURES = ((b"\x89PNG\r\n\x1a\n", ".png"), (b"\xff\xd8\xff", ".jpg"), (b"RIFF", ".webp"))
_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class ImageReference:
    """A stored image: hex sha256 of its bytes and its file suffix."""

    sha256: str
    suffix: str

    @property
    def file_name(self) -> str:
        return self.sha256 + self.suffix


def locate(root: Path, reference: ImageReference) -> Path:
    """The image's file in the run at `root`. Raises StoreError for a reference that is not one of ours."""
    if not _DIGEST.fullmatch(reference.sha256) or reference.suffix not in {s for _, s in _SIGNATURES}:
        raise StoreError(
            f"{root} refers to an image {reference.file_name!r}, which is not an image's file name.",
            "The database was changed by hand; restore it from a copy.",
        )
    return root / IMAGES / reference.sha256[:2] / reference.file_name


def reference_of(data: bytes) -> ImageReference:
    """The reference of an encoded image. Raises AdapterError for bytes that are not PNG, JPEG or WebP."""
    suffix = next((suffix for signature, suffix in _SIGNATURES if data.startswith(signature)), None)
    if suffix is None:
        raise AdapterError(
            f"The model returned an image that is not PNG, JPEG or WebP (begins {data[:8]!r}).",
            "Adapters return encoded images, PNG where it must be lossless.",
        )
    return ImageReference(hashlib.sha256(data).hexdigest(), suffix)


def store(root: Path, data: bytes, reference: ImageReference | None = None) -> ImageReference:
    """Writes and syncs an encoded image unless it is there already.

    Args:
        reference: what refers to the image, where it is known: it takes a digest of the whole.

    Raises AdapterError for bytes that are not PNG, JPEG or WebP, StoreError when the disk is full.
    """
    reference = reference or reference_of(data)
    target = locate(root, reference)
    if not target.exists():
        with reporting(target):
            (root / IMAGES).mkdir(exist_ok=True)
        write_durably(target, data)
    return reference


def check(root: Path, reference: ImageReference) -> str:
    """What is wrong with a stored image, one line; empty when it is present and intact."""
    target = locate(root, reference)
    if not target.exists():
        return f"{target} is missing"
    with reporting(target):
        digest = hashlib.sha256(target.read_bytes()).hexdigest()
    return "" if digest == reference.sha256 else f"{target} has changed (its digest is {digest[:12]}…)"
