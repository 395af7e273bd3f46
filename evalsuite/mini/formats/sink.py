"""Where writers put files, and the fingerprint of what they wrote."""

import hashlib
import io
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image


class Sink:
    """A folder being filled.

    It keeps two records: the sha256 of every file as it lies on this disk, and one fingerprint of what the
    files mean, taken over texts and decoded pixels. PNG bytes depend on the compression library that Pillow
    was built with; the fingerprint does not, so that two machines can show that they have the same world.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.files: dict[str, str] = {}
        self._content = hashlib.sha256()

    @property
    def content(self) -> str:
        """Hex sha256 of everything written so far, in the order of writing."""
        return self._content.hexdigest()

    def image(self, name: str, image: np.ndarray) -> None:
        """Write (H, W, 3 or 4) uint8 pixels as PNG."""
        self._content.update(f"{name}\0{image.shape}\0".encode() + np.ascontiguousarray(image).tobytes())
        self._write(name, png(image))

    def text(self, name: str, text: str, meaning: str | None = None) -> None:
        """Write UTF-8 text; `meaning` stands for it in the fingerprint where it embeds PNG bytes."""
        self._content.update(f"{name}\0{text if meaning is None else meaning}\0".encode())
        self._write(name, text.encode())

    def json(self, name: str, value: Any) -> None:
        """Write a value as one line of JSON, keys in the order given."""
        self.text(name, json.dumps(value) + "\n")

    def jsonl(self, name: str, rows: Iterable[Any]) -> None:
        """Write one JSON value per line."""
        self.text(name, "".join(json.dumps(row) + "\n" for row in rows))

    def _write(self, name: str, data: bytes) -> None:
        if name in self.files:
            raise ValueError(f"{name} was already written")
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        self.files[name] = hashlib.sha256(data).hexdigest()


def png(image: np.ndarray) -> bytes:
    """(H, W, 3 or 4) uint8 pixels as PNG bytes."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "png")
    return buffer.getvalue()
