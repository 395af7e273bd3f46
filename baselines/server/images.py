"""An image model on a server."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from evalsuite.errors import DataError, SampleError, UnavailableError
from evalsuite.model import ModelInfo, ModelOptions, Prepared
from evalsuite.model.endpoint import Endpoint, ImageReply, ImageRequest
from evalsuite.request import GenerateImages, ImageResponse, Request

from ..images import encoded
from .serving import info_of, server_of, usage_of

MAX_REPLY = "512"
"""MiB of a reply: images are large, several of them more so."""


class ServedImages:
    """Generates by `images/generations`, edits by `images/edits`; a batch's requests at once.

    Options: those of `serving.OPTIONS`; `size` (`1024x1024`), where the protocol leaves it open;
    `response_format` (servers that give addresses by default want `b64_json`).

    The protocol of images knows no seed, no steps and no guidance: a request that sets guidance, steps or a
    negative prompt is refused, because its result would pass for something that it is not.
    """

    independent_requests = True

    def __init__(self, options: ModelOptions) -> None:
        given = options.options
        server = server_of(
            replace(options, options={"max_reply": MAX_REPLY, **given}),
            "openai-images",
            ("size", "response_format"),
        )
        self._size = given.get("size", "")
        self._extra = {"response_format": given["response_format"]} if "response_format" in given else {}
        self._endpoint = Endpoint(server)
        self._info = info_of(server, given, size=self._size, seeds="not under our control")

    @property
    def info(self) -> ModelInfo:
        return self._info

    def prepare(self, request: Request) -> Prepared:
        output = request.output
        assert isinstance(output, GenerateImages)
        asked = {
            "guidance_scale": output.guidance_scale,
            "steps": output.steps,
            "scheduler": output.scheduler,
        }
        set_here = [name for name, value in asked.items() if value is not None]
        if output.negative or set_here:
            named = ", ".join([*set_here, *(["negative prompt"] if output.negative else [])])
            raise SampleError(f"The protocol sets what image servers do not take: {named}.")
        size = f"{output.width}x{output.height}" if output.width and output.height else self._size
        prompt = "".join(message.text for message in request.messages).strip()
        return Prepared(request, ImageRequest(prompt, request.images, size, output.count, self._extra))

    def generate_images(
        self, batch: Sequence[Prepared]
    ) -> list[ImageResponse | SampleError | UnavailableError]:
        found = self._endpoint.in_order([item.payload for item in batch], self._endpoint.draw)
        return [
            _response(drawn, item.payload.count) if isinstance(drawn, ImageReply) else drawn
            for item, drawn in zip(batch, found, strict=True)
        ]


def _response(drawn: ImageReply, count: int) -> ImageResponse | SampleError:
    from evalsuite.task.readers import decode

    if len(drawn.images) != count:
        return SampleError(f"The server returned {len(drawn.images)} images where {count} were requested.")
    try:
        images = tuple(encoded(decode(image)) for image in drawn.images)
    except DataError as error:
        return SampleError(f"The server's image cannot be used: {error.what}")
    revised = [text for text in drawn.revised_prompts if text]
    details = usage_of(drawn) | ({"revised_prompts": revised} if revised else {})
    return ImageResponse(images, details)
