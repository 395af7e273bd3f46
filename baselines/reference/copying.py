"""The editing baseline that edits nothing."""

from __future__ import annotations

import io
from collections.abc import Sequence

from evalsuite.errors import SampleError
from evalsuite.model import ModelInfo, Prepared
from evalsuite.request import GenerateImages, ImageResponse, Request
from evalsuite.task.readers import decode

from .bounds import LOWER_BOUND


class CopySource:
    """Returns the last image of the prompt. Metrics that reward similarity must be read beside this row."""

    @property
    def info(self) -> ModelInfo:
        return ModelInfo("copy-source", "1", details=dict(LOWER_BOUND))

    def prepare(self, request: Request) -> Prepared:
        if not request.images:
            raise SampleError("copy-source was asked for an image, but the prompt holds none.")
        return Prepared(request, decode(request.images[-1]))

    def generate_images(self, batch: Sequence[Prepared]) -> list[ImageResponse]:
        from evalsuite.content import Image

        responses = []
        for item in batch:
            assert isinstance(item.request.output, GenerateImages)
            buffer = io.BytesIO()
            item.payload.save(buffer, format="PNG")
            responses.append(
                ImageResponse((Image(buffer.getvalue(), name="copy.png"),) * item.request.output.count)
            )
        return responses
