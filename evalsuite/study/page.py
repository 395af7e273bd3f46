"""The page of a study: static, without a server or network; what models wrote is text in it, never code."""

from __future__ import annotations

import base64
import hashlib
import io
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from evalsuite.content import Document, Image
from evalsuite.data.images import decode
from evalsuite.study.key import PAGE, Key

if TYPE_CHECKING:
    from jinja2 import Environment

ASSETS = Path(__file__).parent / "assets"


@dataclass(frozen=True, slots=True)
class Shown:
    """An item as raters see it: its id, what was asked, and one document or two."""

    id: str
    prompt: Document
    documents: tuple[Document, ...]


def write_page(study: Key, items: Sequence[Shown], out: Path, rng: random.Random) -> None:
    """Writes `page/index.html` and its images into the folder `out`.

    Images get names drawn at random and are re-encoded as PNG, so that neither name, format nor metadata
    reveals where they come from. The page allows no script but its own and no address but its folder.

    Raises:
        OSError: the folder cannot be written.
        DataError: an image is broken.
    """
    folder = out / PAGE
    (folder / "images").mkdir(parents=True)
    copies = _Copies(folder, rng)
    shown = [
        {
            "id": item.id,
            "prompt": copies.parts(item.prompt),
            "documents": [copies.parts(document) for document in item.documents],
        }
        for item in items
    ]
    script = (ASSETS / "study.js").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    page = _environment().from_string((ASSETS / "study.html").read_text(encoding="utf-8"))
    html = page.render(
        study=study,
        items=shown,
        script=script,
        digest=digest,
        style=(ASSETS / "study.css").read_text(encoding="utf-8"),
    )
    (folder / "index.html").write_text(html, encoding="utf-8", errors="backslashreplace")


class _Copies:
    """Copies of images under random names, each image of each place once."""

    def __init__(self, folder: Path, rng: random.Random) -> None:
        self._folder, self._rng = folder, rng

    def parts(self, document: Document) -> list[dict[str, str]]:
        """The document for the template: texts, and images by their place in the folder."""
        return [
            {"image": self._copy(part)} if isinstance(part, Image) else {"text": part.text}
            for part in document
        ]

    def _copy(self, image: Image) -> str:
        name = f"images/{self._rng.getrandbits(64):016x}.png"
        decoded = decode(image)
        buffer = io.BytesIO()
        decoded.save(buffer, "PNG")
        (self._folder / name).write_bytes(buffer.getvalue())
        return name


def _environment() -> Environment:
    from jinja2 import Environment, StrictUndefined

    return Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined)
