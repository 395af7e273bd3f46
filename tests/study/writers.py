"""A plugin of models that write documents and draw: what they write is hostile on purpose."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence

from PIL import Image as pil
from PIL.PngImagePlugin import PngInfo

from evalsuite.content import Image, Text
from evalsuite.model import ModelInfo, Prepared
from evalsuite.model.entry import ModelEntry, ModelOptions
from evalsuite.request import DocumentResponse, GenerateImages, ImageResponse, Request

HOSTILE = "<script>document.title = 'owned'</script><img src=x onerror=\"document.title='owned'\"> {{ 7*7 }}"


class Writer:
    """Writes the instruction back with hostile text and an image whose metadata names the model."""

    def __init__(self, name: str, shade: int) -> None:
        self.info = ModelInfo(name, f"{name} {shade}")
        self._shade = shade

    def prepare(self, request: Request) -> Prepared:
        return Prepared(request, None)

    def generate_documents(self, batch: Sequence[Prepared]) -> list[DocumentResponse]:
        return [
            DocumentResponse((Text(f"About {item.request.messages[-1].text} {HOSTILE}"), self._picture(item)))
            for item in batch
        ]

    def generate_images(self, batch: Sequence[Prepared]) -> list[ImageResponse]:
        return [ImageResponse((self._picture(item),)) for item in batch]

    def _picture(self, item: Prepared) -> Image:
        size = 16
        if isinstance(item.request.output, GenerateImages):
            size = item.request.output.width or size
        told = PngInfo()
        told.add_text("Software", self.info.name)
        buffer = io.BytesIO()
        pil.new("RGB", (size, size), (sum(map(ord, self.info.name)) % 256, self._shade, 90)).save(
            buffer, "PNG", pnginfo=told
        )
        return Image(buffer.getvalue(), name=f"{self.info.name}.png")


def models() -> Iterator[ModelEntry]:
    for name in ("writer-one", "writer-two"):

        def build(options: ModelOptions, name: str = name) -> Writer:
            chosen = options.options
            return Writer(chosen.get("name", name), int(chosen.get("shade", "90")))

        yield ModelEntry(name, "writes for tests", frozenset({"interleaved", "edit"}), build)
