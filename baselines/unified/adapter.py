"""The adapter: what an image-text model does, and images from image tokens."""

from __future__ import annotations

from collections.abc import Sequence

from evalsuite.errors import CheckpointError, SampleError, suggest
from evalsuite.model import ModelOptions, Prepared
from evalsuite.request import GenerateImages, ImageResponse, Request

from ..image_text.adapter import ImageTextModel
from ..images import encoded
from .drawing import DRAWERS


class UnifiedModel(ImageTextModel):
    """Text, likelihoods and images from one checkpoint.

    An image is sampled token by token. Every image is generated alone under its own seed, because a sampled
    token would otherwise depend on the batch.
    """

    def __init__(self, options: ModelOptions) -> None:
        super().__init__(options, "unified", ("image_area",))
        kind = self.model.config.model_type
        if kind not in DRAWERS:
            raise CheckpointError(
                f"transformers cannot generate images with a {kind} ({options.argument}). "
                f"{suggest(kind, DRAWERS)}",
                f"To measure its text alone, use transformers:{options.argument}.",
            )
        self._draw = DRAWERS[kind]

    def prepare(self, request: Request) -> Prepared:
        output = request.output
        if not isinstance(output, GenerateImages):
            return super().prepare(request)
        if request.images:
            raise SampleError(f"{self.info.name} generates images from text alone; the prompt has an image.")
        if output.negative:
            raise SampleError(f"{self.info.name} takes no negative prompt.", "Use another protocol.")
        return Prepared(request, (self._render(request, []), []), float(output.count), output)

    def generate_images(self, batch: Sequence[Prepared]) -> list[ImageResponse]:
        return [self._pictures(item) for item in batch]

    def _pictures(self, item: Prepared) -> ImageResponse:
        import torch

        output = item.request.output
        assert isinstance(output, GenerateImages)
        aside = self.decoding_aside
        guidance = output.guidance_scale
        if guidance is None:
            guidance = float(aside.get("guidance_scale") or self._draw.guidance)
        # the checkpoint's own sampling; without one, all tokens (transformers would take the best 50)
        sampling = {"top_k": 0} | {n: aside[n] for n in ("temperature", "top_p", "top_k") if n in aside}
        images = []
        for i in range(output.count):
            torch.manual_seed(item.request.seed + i)
            with torch.inference_mode():
                images.append(encoded(self._draw.draw(self, item, guidance, sampling)))
        return ImageResponse(tuple(images), {"guidance_scale": guidance, **sampling})
