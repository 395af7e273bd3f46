"""The chance baseline."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np

from evalsuite.content import Image
from evalsuite.model import ModelInfo, Prepared
from evalsuite.request import (
    ChoiceResponse,
    GenerateImages,
    ImageResponse,
    Request,
    ScoreChoices,
    TextResponse,
)

from .bounds import LOWER_BOUND
from .prompts import options_of, question_of
from .training_answers import TrainingAnswers

NOISE_SIZE = 64
"""Side in pixels of a noise image when the request names no size."""


class RandomAnswers:
    """Samples uniformly: an option's letter, a training answer or caption, log-likelihoods, noise pixels.

    All randomness comes from the request's seed.
    """

    def __init__(self, known: TrainingAnswers) -> None:
        self._known = known
        self._answers = known.answers
        self._captions = tuple(known.captions)
        self._info = ModelInfo(
            "random", known.fingerprint("random"), details={"answers": known.source, **LOWER_BOUND}
        )

    @property
    def info(self) -> ModelInfo:
        return self._info

    def prepare(self, request: Request) -> Prepared:
        return Prepared(request, question_of(request))

    def generate_text(self, batch: Sequence[Prepared]) -> list[TextResponse]:
        return [TextResponse(self._draw(item), tokens=1) for item in batch]

    def score_choices(self, batch: Sequence[Prepared]) -> list[ChoiceResponse]:
        responses = []
        for item in batch:
            assert isinstance(item.request.output, ScoreChoices)
            draws = np.log(_rng(item).random(len(item.request.output.choices)) + 1e-12)
            responses.append(ChoiceResponse(tuple(float(draw) for draw in draws)))
        return responses

    def generate_images(self, batch: Sequence[Prepared]) -> list[ImageResponse]:
        return [
            ImageResponse(tuple(_noise(item.request.output, _rng(item, i)) for i in range(_count(item))))
            for item in batch
        ]

    def _draw(self, item: Prepared) -> str:
        rng = _rng(item)
        options = options_of(item.payload)
        if options:
            return options[rng.integers(len(options))][0]
        pool = self._answers if "?" in item.payload or not self._captions else self._captions
        return str(pool[rng.integers(len(pool))]) if pool else ""


def _rng(item: Prepared, offset: int = 0) -> np.random.Generator:
    return np.random.default_rng(item.request.seed + offset)


def _count(item: Prepared) -> int:
    assert isinstance(item.request.output, GenerateImages)
    return item.request.output.count


def _noise(output: object, rng: np.random.Generator) -> Image:
    from PIL import Image as PilImage

    assert isinstance(output, GenerateImages)
    size = (output.height or NOISE_SIZE, output.width or NOISE_SIZE, 3)
    buffer = io.BytesIO()
    PilImage.fromarray(rng.integers(0, 256, size, dtype=np.uint8)).save(buffer, format="PNG")
    return Image(buffer.getvalue(), name="noise.png")
