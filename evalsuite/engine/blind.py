"""`--blind`: the same model without images, for any adapter."""

from __future__ import annotations

from dataclasses import replace

from evalsuite.content import Image
from evalsuite.model import ModelInfo
from evalsuite.request import Request

MARK = " (blind)"


def without_images(request: Request) -> Request:
    """The request with its images taken out, examples' images too; not a letter of its text changes."""
    return replace(
        request,
        messages=tuple(
            replace(message, parts=tuple(part for part in message.parts if not isinstance(part, Image)))
            for message in request.messages
        ),
    )


def blinded(info: ModelInfo) -> ModelInfo:
    """A row of its own: the name says so, and the fingerprint differs from the sighted model's."""
    return replace(
        info,
        name=info.name + MARK,
        fingerprint=f"blind:{info.fingerprint}",
        details={**info.details, "blind": True},
    )
