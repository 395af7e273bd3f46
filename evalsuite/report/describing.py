"""Requests, answers and references as the sample browser shows them: plain JSON, images by reference."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from evalsuite.content import Document, Image, Text, images_within
from evalsuite.report.encoding import plain
from evalsuite.report.images import ImageWriter
from evalsuite.report.walking import Visit
from evalsuite.request import (
    ChoiceResponse,
    DocumentResponse,
    ImageResponse,
    Request,
    Response,
    ScoreChoices,
    TextResponse,
)


class Describer:
    """Turns what the store and the task give into JSON.

    A text stands as a string; an image as `{"i": reference}` (see `Images.refer`).
    """

    def __init__(self, images: ImageWriter) -> None:
        self._images = images

    def prompt(self, request: Request) -> dict[str, Any]:
        """The conversation as the model saw it: `m`essages of role and parts, `f` the answer's prefilled
        beginning, `c`hoices to score."""
        found: dict[str, Any] = {"m": [[m.role, self.document(m.parts)] for m in request.messages]}
        if request.prefill:
            found["f"] = request.prefill
        if isinstance(request.output, ScoreChoices):
            found["c"] = list(request.output.choices)
        return found

    def document(self, parts: Document) -> list[Any]:
        """Text and images in their order."""
        return [part.text if isinstance(part, Text) else self.image(part) for part in parts]

    def image(self, image: Image) -> dict[str, Any]:
        return {"i": self._images.refer(image)}

    def response(self, response: Response) -> dict[str, Any]:
        """The answer, by `k`ind."""
        found: dict[str, Any]
        match response:
            case TextResponse(text, tokens, truncated, details):
                found = {"k": "text", "x": text, "n": tokens, "cut": truncated}
            case ChoiceResponse(values, counts, details):
                found = {"k": "choices", "l": plain(values), "n": list(counts)}
            case ImageResponse(images, details):
                found = {"k": "images", "i": [self._images.refer(image) for image in images]}
            case DocumentResponse(parts, truncated, details):
                found = {"k": "document", "x": self.document(parts), "cut": truncated}
        if details:
            found["d"] = json.dumps(details, indent=1, default=str)
        return found

    def target(self, visit: Visit) -> Any:
        """The reference; an image that the task names by its digest is the sample's own."""
        if visit.sample is None or visit.target is None:
            return None
        known: dict[str, Image] = {}

        def shown(value: Any) -> Any:
            if isinstance(value, str):
                return value
            if isinstance(value, Mapping):
                if set(value) == {"image", "sha256"}:
                    if not known:
                        known.update({image.sha256(): image for image in images_within(visit.sample)})
                    image = known.get(value["sha256"])
                    return self.image(image) if image else {"i": {"n": value["image"], "e": "not found"}}
                return {str(key): shown(item) for key, item in value.items()}
            if isinstance(value, list | tuple):
                return [shown(item) for item in value]
            return plain(value)

        return shown(visit.target)


def words_of(request: Request) -> str:
    """The last turn's text on one line."""
    last = request.messages[-1]
    return " ".join(" ".join(part.text for part in last.parts if isinstance(part, Text)).split())


def brief(response: Response) -> str:
    """An answer on one line; empty where it is only images."""
    match response:
        case TextResponse(text=text):
            return " ".join(text.split())
        case ChoiceResponse():
            return f"choice {response.best + 1}" if response.log_likelihoods else ""
        case DocumentResponse(parts=parts):
            return " ".join(" ".join(part.text for part in parts if isinstance(part, Text)).split())
    return ""


def first_image(response: Response | None) -> Image | None:
    """What a gallery shows of an answer."""
    match response:
        case ImageResponse(images=images) if images:
            return images[0]
        case DocumentResponse(parts=parts):
            return next((part for part in parts if isinstance(part, Image)), None)
    return None


def first_reference(target: Any) -> Mapping[str, Any] | None:
    """The first image of a described reference; None where it has none that can be shown."""
    if isinstance(target, Mapping):
        shown = target.get("i")
        if isinstance(shown, Mapping):
            return shown if "s" in shown else None
        return next((found for item in target.values() if (found := first_reference(item))), None)
    if isinstance(target, list):
        return next((found for item in target if (found := first_reference(item))), None)
    return None
