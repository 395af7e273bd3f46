"""A plugin of models for likelihood questions: `squares` generates squares, each of another colour; `chooser`
gives log-likelihoods of choices, `teller` writes text only.

Options of `chooser`: `log`, a file that gets a line per question; `slow`, seconds per batch.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from PIL import Image as pil

from evalsuite.content import RawImage
from evalsuite.model import ModelEntry, ModelInfo, ModelOptions, Option, Prepared
from evalsuite.request import (
    ChoiceResponse,
    GenerateImages,
    ImageResponse,
    Request,
    ScoreChoices,
    TextResponse,
)

OPTIONS = (
    Option("log", "file for every question", Path),
    Option("slow", "seconds per batch", float, 0.0),
)


class Squares:
    info = ModelInfo("squares", "1")

    def __init__(self, options: ModelOptions) -> None:
        pass

    def prepare(self, request: Request) -> Prepared:
        return Prepared(request, None)

    def generate_images(self, batch: Sequence[Prepared]) -> list[ImageResponse]:
        responses = []
        for prepared in batch:
            output = prepared.request.output
            assert isinstance(output, GenerateImages)
            colours = [(prepared.request.seed + i) % 2**24 for i in range(output.count)]
            images = [RawImage(pixels=pil.new("RGB", (64, 64), f"#{colour:06x}")) for colour in colours]
            responses.append(ImageResponse(tuple(images)))
        return responses


class Chooser:
    """Yes with 0.75 to questions about squares, else with 0.25; the blank before a choice changes nothing."""

    info = ModelInfo("chooser", "12345678")

    def __init__(self, options: ModelOptions) -> None:
        self._log = options.options.get("log", "")
        self._slow = float(options.options.get("slow", 0.0))

    def prepare(self, request: Request) -> Prepared:
        return Prepared(request, request.messages[-1].text)

    def score_choices(self, batch: Sequence[Prepared]) -> list[ChoiceResponse]:
        time.sleep(self._slow)
        if self._log:
            with Path(self._log).open("a") as stream:
                stream.write("".join(f"{prepared.payload}\n" for prepared in batch))
        return [self._choose(prepared) for prepared in batch]

    def _choose(self, prepared: Prepared) -> ChoiceResponse:
        output = prepared.request.output
        assert isinstance(output, ScoreChoices)
        yes = 0.75 if "square" in prepared.payload else 0.25
        values = {"yes": yes, "no": 1 - yes}
        return ChoiceResponse(tuple(math.log(values[choice.strip()]) for choice in output.choices))

    def generate_text(self, batch: Sequence[Prepared]) -> list[TextResponse]:
        return [TextResponse("yes" if "square" in prepared.payload else "no") for prepared in batch]


class Teller:
    info = ModelInfo("teller", "87654321")

    def __init__(self, options: ModelOptions) -> None:
        pass

    def prepare(self, request: Request) -> Prepared:
        return Prepared(request, None)

    def generate_text(self, batch: Sequence[Prepared]) -> list[TextResponse]:
        return [TextResponse("yes") for _ in batch]


def models() -> Iterator[ModelEntry]:
    yield ModelEntry("squares", "generates squares", frozenset({"image"}), Squares)
    yield ModelEntry("chooser", "scores choices", frozenset({"text", "choices"}), Chooser, options=OPTIONS)
    yield ModelEntry("teller", "says yes", frozenset({"text"}), Teller)
