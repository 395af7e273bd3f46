"""Responses to JSON and back; images stand in it as references to files of the run."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from evalsuite.content import Document, Image, Part, Text
from evalsuite.errors import reason_of
from evalsuite.request import ChoiceResponse, DocumentResponse, ImageResponse, Response, TextResponse
from evalsuite.store.images import ImageReference, locate

Put = Callable[[Image], ImageReference]
Find = Callable[[ImageReference], Image]


def encode(response: Response, put: Put) -> str:
    """JSON text of a response. `put` stores an image and gives its reference.

    What in `details` JSON cannot hold is written as its `str`; details that cannot be written at all are left
    out, never the answer.
    """
    value = _to_json(response, put)
    try:
        return json.dumps(value, separators=(",", ":"), default=str)
    except Exception:  # keys that JSON cannot hold, cycles; rare, and only looked for when it happens
        value["details"] = storable(value["details"])
        return json.dumps(value, separators=(",", ":"), default=str)


def storable(details: Mapping[Any, Any]) -> dict[str, Any]:
    """The details as JSON can hold them; what cannot be is replaced by the reason.

    >>> cyclic = {}; cyclic["self"] = cyclic
    >>> storable({"a": 1, "b": cyclic})
    {'a': 1, 'b': 'not stored (ValueError: Circular reference detected)'}
    """
    found: dict[str, Any] = {}
    for key, value in details.items():
        try:
            plain = _with_text_keys(value)
            found[str(key)] = json.loads(json.dumps(plain, default=str))
        except Exception as error:
            with suppress(Exception):
                found[str(key)] = f"not stored ({_why(value, error)})"
    return found


def _why(value: Any, error: Exception) -> str:
    if isinstance(error, RecursionError):
        try:
            json.dumps(value, default=str, skipkeys=True)
        except Exception as found:
            return reason_of(found, 200)
    return reason_of(error, 200)


def decode(text: str, root: Path, find: Find | None = None) -> Response:
    """The response written as `text` in the run at `root`; its images are read when they are needed.

    `find` gives the image of a reference; None: images are files of their own.
    """
    return _from_json(json.loads(text), find or (lambda reference: image_file(root, reference)))


def references(text: str) -> list[ImageReference]:
    """The images a stored response refers to."""
    value = json.loads(text)
    if value["kind"] == "images":
        return [ImageReference(*item) for item in value["images"]]
    if value["kind"] == "document":
        return [ImageReference(*part["image"]) for part in value["parts"] if "image" in part]
    return []


def _to_json(response: Response, put: Put) -> dict[str, Any]:
    match response:
        case TextResponse(text, tokens, truncated, details):
            return {
                "kind": "text",
                "text": text,
                "tokens": tokens,
                "truncated": truncated,
                "details": details,
            }
        case ChoiceResponse(values, counts, details):
            return {
                "kind": "choices",
                "log_likelihoods": [float(v) for v in values],
                "token_counts": [int(c) for c in counts],
                "details": details,
            }
        case ImageResponse(images, details):
            return {
                "kind": "images",
                "images": [_reference(image, put) for image in images],
                "details": details,
            }
        case DocumentResponse(parts, truncated, details):
            return {
                "kind": "document",
                "parts": [_part(part, put) for part in parts],
                "truncated": truncated,
                "details": details,
            }


def _part(part: Part, put: Put) -> dict[str, Any]:
    return {"text": part.text} if isinstance(part, Text) else {"image": _reference(part, put)}


def _with_text_keys(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _with_text_keys(item) for key, item in value.items()}
    return [_with_text_keys(item) for item in value] if isinstance(value, list | tuple) else value


def _reference(image: Image, put: Put) -> list[str]:
    reference = put(image)
    return [reference.sha256, reference.suffix]


def _from_json(value: dict[str, Any], find: Find) -> Response:
    details = value["details"]
    match value["kind"]:
        case "text":
            return TextResponse(value["text"], value["tokens"], value["truncated"], details)
        case "choices":
            return ChoiceResponse(tuple(value["log_likelihoods"]), tuple(value["token_counts"]), details)
        case "images":
            return ImageResponse(tuple(find(ImageReference(*item)) for item in value["images"]), details)
        case "document":
            return DocumentResponse(_document(value["parts"], find), value["truncated"], details)
        case kind:
            raise ValueError(f"unknown kind of response: {kind!r}")


def _document(parts: list[dict[str, Any]], find: Find) -> Document:
    return tuple(
        Text(part["text"]) if "text" in part else find(ImageReference(*part["image"])) for part in parts
    )


def image_file(root: Path, reference: ImageReference) -> Image:
    """The image of a reference as a file of the run at `root`. Raises StoreError for no name of ours."""
    return Image(path=locate(root, reference), name=reference.file_name)
