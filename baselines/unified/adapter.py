"""The adapter: what an image-text model does, and images from image tokens."""

from __future__ import annotations

from collections.abc import Sequence

from evalsuite.errors import CheckpointError, SampleError, suggest
from evalsuite.model import ModelOptions, Prepared
from evalsuite.request import GenerateImages, GenerateText, ImageResponse, Request

from ..generation import Sampled
from ..image_text.adapter import ImageTextModel
from ..images import encoded
from .drawing import DRAWERS


class UnifiedModel(ImageTextModel):
    """Text, likelihoods and images from one checkpoint.

    An image is sampled token by token, by a generator of its own on the CPU: neither the batch nor the device
    changes what a seed means.
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
        import torch

        output = batch[0].request.output
        assert isinstance(output, GenerateImages)
        aside = self.decoding_aside
        guidance = output.guidance_scale
        if guidance is None:
            guidance = float(aside.get("guidance_scale") or self._draw.guidance)
        # the checkpoint's own sampling; without one, all tokens (transformers would take the best 50)
        sampling = {"top_k": 0} | {n: aside[n] for n in ("temperature", "top_p", "top_k") if n in aside}
        rows = [item for item in batch for _ in range(output.count)]
        seeds = [item.request.seed + i for item in batch for i in range(output.count)]
        how = GenerateText(temperature=sampling.get("temperature", 1.0), top_p=sampling.get("top_p", 1.0))
        with torch.inference_mode():
            drawn = self._draw.draw(self, rows, Sampled(seeds, how, int(sampling["top_k"])), guidance)
        images = [encoded(one) for one in drawn]
        return [
            ImageResponse(
                tuple(images[start : start + output.count]), {"guidance_scale": guidance, **sampling}
            )
            for start in range(0, len(images), output.count)
        ]
