"""The adapter: requests, jobs and images of a described API, many at once."""

from __future__ import annotations

import asyncio
import base64
import binascii
import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from evalsuite.content import Image
from evalsuite.errors import DataError, SampleError, SpecError, UnavailableError
from evalsuite.model import (
    REQUEST_OPTIONS,
    ConcurrentRequests,
    ModelInfo,
    ModelOptions,
    Prepared,
    RequestLimits,
)
from evalsuite.request import GenerateImages, ImageResponse, Request, fingerprint
from evalsuite.task.readers import decode

from ..images import encoded
from ..options import check_known, number
from .protocol import PLACEHOLDER, Protocol, address, at, filled, first, read
from .transport import fetch, fetch_json

PRICES = ("price_image", "price_in", "price_out")
OWN = ("name", "model", "base_url", "key_env", "max_reply", "longest_job", *PRICES)
MAX_REPLY, LONGEST_JOB = 512.0, 600.0
_WAYS = {"width": "size", "steps": "steps", "guidance": "guidance", "negative": "negative prompt"}
"""Placeholder -> what it is called where a protocol sets it and the description has no place for it."""


class HttpImages:
    """Generates and edits by an API that a YAML file describes (`Protocol`).

    What a benchmark's protocol sets and the description has no place for is refused, because its result would
    pass for something that it is not. Every HTTP request is retried by itself: a job that was accepted is
    never sent again because a question about it failed.
    """

    independent_requests = True

    def __init__(self, options: ModelOptions) -> None:
        given = dict(options.options)
        names = [option.name for option in REQUEST_OPTIONS]
        check_known(given, (*OWN, *names), "http-images")
        self._protocol = read(options.argument)
        self._fixed = {
            "model": given.get("model", self._protocol.model) or None,
            "base_url": (given.get("base_url", self._protocol.base_url)).rstrip("/") or None,
            "key": _key(self._protocol, given),
        }
        self._most = number(given, "max_reply") or MAX_REPLY
        self._longest = number(given, "longest_job") or LONGEST_JOB
        limits = {name: value for name, value in given.items() if name in names}
        self._limits = RequestLimits.of(limits)
        self._requests = ConcurrentRequests(self._limits)
        self._headers = {k: str(v) for k, v in filled(self._protocol.headers, self._fixed).items()}
        server = address(self._protocol.url, {**self._fixed, "key": ""})
        model = str(self._fixed["model"] or Path(options.argument).stem)
        prices = {name: number(given, name) for name in PRICES if name in given}
        self._info = ModelInfo(
            given.get("name", model),
            fingerprint([server, model, self._protocol.model_dump_json()]),
            None,
            {
                "server": server,
                "model": model,
                "description": fingerprint(self._protocol.model_dump_json())[:12],
                "seeds": "sent" if self._has_place("seed", editing=False) else "not under our control",
                **prices,
            },
        )

    @property
    def info(self) -> ModelInfo:
        return self._info

    def prepare(self, request: Request) -> Prepared:
        output = request.output
        assert isinstance(output, GenerateImages)
        sources = request.images
        if len(sources) > 1:
            raise SampleError(f"{self._info.name} takes one image in a prompt, not {len(sources)}.")
        if sources and self._protocol.edit_body is None:
            raise SampleError(f"{self._info.name} cannot edit images.", "Its description has no edit_body.")
        values: dict[str, Any] = {
            "prompt": "".join(message.text for message in request.messages).strip(),
            "width": output.width, "height": output.height, "steps": output.steps,
            "guidance": output.guidance_scale, "negative": output.negative or None,
        }  # fmt: skip
        for name, called in _WAYS.items():
            if values[name] is not None and not self._has_place(name, editing=bool(sources)):
                raise SampleError(f"The protocol sets what the description has no place for: {called}.")
        if output.scheduler:
            raise SampleError("The protocol sets what the description has no place for: scheduler.")
        if sources:
            data, kind = _sent(sources[0])
            coded = base64.b64encode(data).decode()
            values |= {"image": coded, "image_type": kind, "image_uri": f"data:{kind};base64,{coded}"}
            values["_file"] = (data, kind)
        return Prepared(request, values)

    def generate_images(
        self, batch: Sequence[Prepared]
    ) -> list[ImageResponse | SampleError | UnavailableError]:
        return self._requests.in_order(self._answer, batch)

    async def _answer(self, item: Prepared) -> ImageResponse:
        output = item.request.output
        assert isinstance(output, GenerateImages)
        at_once = self._has_place("count", editing=bool(item.request.images))
        images: list[Image] = []
        details: dict[str, Any] = {}
        for place in range(1 if at_once else output.count):
            values = {
                **self._fixed, **item.payload, "seed": item.request.seed + place,
                "count": output.count if at_once else None,
            }  # fmt: skip
            some, told = await self._job(values)
            images += some
            for name, value in told.items():
                counted = name in details and isinstance(value, int)
                details[name] = details[name] + value if counted else value
        if len(images) != output.count:
            raise SampleError(
                f"The service returned {len(images)} images where {output.count} were requested."
            )
        return ImageResponse(tuple(images), details)

    async def _job(self, values: dict[str, Any]) -> tuple[list[Image], dict[str, Any]]:
        """One request, followed until its images are here; with usage and retries."""
        protocol, retries = self._protocol, 0
        file = values.pop("_file", None)
        if file is not None and protocol.upload is not None:
            form = (protocol.upload.field, *file)
            sent, tried = await self._ask(address(protocol.upload.url, values), form=form)
            values["image"], retries = first(sent, protocol.upload.result), retries + tried
            if values["image"] is None:
                raise SampleError(
                    f"The reply to the upload has no {protocol.upload.result!r}: {_brief(sent)}"
                )
        editing = file is not None
        body = filled(protocol.edit_body if editing else protocol.body, values)
        url = address((editing and protocol.edit_url) or protocol.url, values)
        reply, tried = await self._ask(url, body=body)
        retries += tried
        model = first(reply, protocol.served)
        if protocol.poll is not None:
            reply, tried = await self._followed(reply, values)
            retries += tried
        found = [one for one in at(reply, protocol.images) if one]
        flat = [one for each in found for one in (each if isinstance(each, list) else [each])]
        if not flat:
            said = first(reply, protocol.refusal)
            raise SampleError(
                f"The service generated no image{f': {said}' if said else f' ({_brief(reply)})'}."
            )
        images = []
        for one in flat:
            image, tried = await self._image(one, values)
            images.append(image)
            retries += tried
        numbers = {name: first(reply, path) for name, path in protocol.usage.items()}
        told = {name: value for name, value in numbers.items() if isinstance(value, int)}
        named = {"model": str(first(reply, protocol.served) or model or self._info.details["model"])}
        return images, {**told, **named, **({"retries": retries} if retries else {})}

    async def _followed(self, reply: Any, values: dict[str, Any]) -> tuple[Any, int]:
        """The reply of a job that is done. Raises SampleError where it failed or takes too long."""
        poll, retries = self._protocol.poll, 0
        assert poll is not None
        fields = {**values, **reply} if isinstance(reply, dict) else values
        if any(fields.get(name) in (None, "") for name in PLACEHOLDER.findall(poll.url) if name != "key"):
            raise SampleError(f"The service accepted no job: {_brief(reply)}")
        try:
            async with asyncio.timeout(self._longest):
                while not self._is_done(reply):
                    await asyncio.sleep(poll.every)
                    reply, tried = await self._ask(address(poll.url, fields))
                    retries += tried
        except TimeoutError as error:
            raise SampleError(
                f"The job was not done after {self._longest:g} s (state {first(reply, poll.status)!r}).",
                "Raise --option longest_job=….",
            ) from error
        return reply, retries

    def _is_done(self, reply: Any) -> bool:
        poll = self._protocol.poll
        assert poll is not None
        if not poll.status:
            return first(reply, self._protocol.images) is not None
        state = str(first(reply, poll.status) or "")
        if state in poll.failed:
            said = first(reply, poll.error)
            raise SampleError(f"The job ended as {state!r}: {_brief(said) if said else 'no reason given'}.")
        return state in poll.done

    async def _image(self, found: Any, values: dict[str, Any]) -> tuple[Image, int]:
        retries = 0
        if isinstance(found, dict) and self._protocol.image_url:
            found = address(self._protocol.image_url, {**values, **found})
        if not isinstance(found, str):
            raise SampleError(f"What stands in the place of an image is none: {_brief(found)}")
        if found.startswith(("http://", "https://")):
            data, retries = await self._bytes(found)
        else:
            try:
                data = base64.b64decode(
                    found.partition(",")[2] if found.startswith("data:") else found, validate=True
                )
            except (binascii.Error, ValueError) as error:
                raise SampleError(f"The image is neither base64 nor an address: {found[:60]!r}") from error
        try:
            return encoded(decode(Image(data))), retries
        except DataError as error:
            raise SampleError(f"The service's image cannot be used: {error.what}") from error

    async def _ask(self, url: str, **more: Any) -> tuple[Any, int]:
        made = await self._requests.call(
            lambda: asyncio.to_thread(
                fetch_json, url, headers=self._headers, timeout=self._limits.timeout, most=self._most, **more
            )
        )
        return made.value, made.retries

    async def _bytes(self, url: str) -> tuple[bytes, int]:
        """An image by its address; the key goes to the service's own host only."""
        own = urlsplit(address(self._protocol.url, self._fixed)).netloc == urlsplit(url).netloc
        made = await self._requests.call(
            lambda: asyncio.to_thread(
                fetch,
                url,
                headers=self._headers if own else {},
                timeout=self._limits.timeout,
                most=self._most,
            )
        )
        return made.value, made.retries

    def _has_place(self, name: str, *, editing: bool) -> bool:
        protocol = self._protocol
        body = protocol.edit_body if editing else protocol.body
        return f"{{{name}}}" in str(body) or f"{{{name}}}" in protocol.url


def _key(protocol: Protocol, given: dict[str, str]) -> str | None:
    variable = given.get("key_env", protocol.key_env)
    if not variable:
        return None
    if not os.environ.get(variable):
        raise SpecError(
            f"The environment variable {variable} with the API key is not set.", f"export {variable}=…"
        )
    return os.environ[variable]


def _sent(image: Image) -> tuple[bytes, str]:
    """A source image as PNG, whatever it was: the pixels that local adapters show to their models."""
    stream = io.BytesIO()
    decode(image).save(stream, "PNG")
    return stream.getvalue(), "image/png"


def _brief(value: Any) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= 200 else f"{text[:200]}…"
