"""A model that generates one small image and answers `(A)`, both at once."""

from __future__ import annotations

import io
from collections.abc import Sequence

from evalsuite.content import Image
from evalsuite.model import ModelInfo, Prepared
from evalsuite.model.entry import ModelEntry, ModelOptions
from evalsuite.request import GenerateImages, ImageResponse, Request, TextResponse


def small_image() -> bytes:
    """A PNG of 16 x 16 pixels."""
    from PIL import Image as Pillow

    stream = io.BytesIO()
    Pillow.new("RGB", (16, 16), (200, 30, 30)).save(stream, "PNG")
    return stream.getvalue()


class InstantUnified:
    """Needs no time, so that what a run costs is the harness's."""

    def __init__(self) -> None:
        self.info = ModelInfo("instant-unified", "1")
        self._image = Image(small_image(), name="own")

    def prepare(self, request: Request) -> Prepared:
        return Prepared(request, None, cost=1.0, group=request.output)

    def generate_images(self, batch: Sequence[Prepared]) -> list[ImageResponse]:
        counts = [output.count for one in batch if isinstance(output := one.request.output, GenerateImages)]
        return [ImageResponse((self._image,) * count) for count in counts]

    def generate_text(self, batch: Sequence[Prepared]) -> list[TextResponse]:
        return [TextResponse("(A)", tokens=1) for _ in batch]


def _build(options: ModelOptions) -> InstantUnified:
    return InstantUnified()


def models() -> list[ModelEntry]:
    title = "generates and answers at once"
    return [ModelEntry("instant-unified", title, frozenset({"text", "image"}), _build)]
