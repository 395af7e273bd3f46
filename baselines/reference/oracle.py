"""The upper bound: what people answered, or what is right, by the benchmark's own annotations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from evalsuite.model import ModelInfo, Prepared
from evalsuite.request import ImageResponse, Request, Response
from evalsuite.task.readers import decode

from ..images import encoded


class Oracle:
    """Gives the answer that the task itself takes from its annotations.

    It is no model: the engine hands it answers only because its entry says `reads_annotations`, and that
    stands in the run. What it scores is what a metric grants to people: less than everything wherever they
    disagree.
    """

    @property
    def info(self) -> ModelInfo:
        return ModelInfo("oracle", "1", details={"reference": "upper bound"})

    def prepare(self, request: Request) -> Prepared:
        raise AssertionError("the engine calls prepare_annotated for an entry that reads annotations")

    def prepare_annotated(self, request: Request, answer: Response) -> Prepared:
        return Prepared(request, answer)

    def generate_text(self, batch: Sequence[Prepared]) -> list[Any]:
        return [item.payload for item in batch]

    score_choices = generate_text

    def generate_images(self, batch: Sequence[Prepared]) -> list[ImageResponse]:
        return [
            ImageResponse(tuple(encoded(decode(image)) for image in item.payload.images)) for item in batch
        ]
