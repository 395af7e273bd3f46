"""A model that answers at once, decoding every image as real adapters do."""

from __future__ import annotations

from collections.abc import Sequence

from evalsuite.data.images import decode
from evalsuite.model import ModelInfo, Prepared
from evalsuite.model.entry import ModelEntry, ModelOptions
from evalsuite.request import Request, TextResponse


class Instant:
    """Answers `yes`."""

    def __init__(self) -> None:
        self.info = ModelInfo("instant", "1")

    def prepare(self, request: Request) -> Prepared:
        pictures = [decode(image) for image in request.images]
        return Prepared(request, pictures, cost=1.0)

    def generate_text(self, batch: Sequence[Prepared]) -> list[TextResponse]:
        return [TextResponse("yes", tokens=1) for _ in batch]


def _build(options: ModelOptions) -> Instant:
    return Instant()


def models() -> list[ModelEntry]:
    return [ModelEntry("instant", "answers at once", frozenset({"text"}), _build)]
