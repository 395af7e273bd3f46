"""A small real benchmark of colours with two protocols and two rules, a model that errs on purpose, and
published numbers of both."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from evalsuite.data.images import decode
from evalsuite.model import ModelInfo, Prepared
from evalsuite.model.entry import ModelEntry, ModelOptions
from evalsuite.published import Publication, read_publication
from evalsuite.request import Request, TextResponse
from evalsuite.task import BrokenEntry
from evalsuite.task.benchmark import entries
from evalsuite.task.entry import TaskEntry

HERE = Path(__file__).parent / "colours"
COLOURS = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255)}
FORMS = ("{}", "{}.", "{}, I think", "not {}")
"""How the model says a colour, in turn: right, right but for the period, right but for the rest, wrong."""


class Colours:
    """Names the image's colour in one of four forms, told by the number of the image."""

    info = ModelInfo(
        "colours", fingerprint="v1", parameters=7_000_000_000, details={"image processor": "pil"}
    )

    def prepare(self, request: Request) -> Prepared:
        return Prepared(request, np.asarray(decode(request.images[-1]), dtype=float), group=request.output)

    def generate_text(self, batch: Sequence[Prepared]) -> list[TextResponse]:
        return [self._answer(prepared) for prepared in batch]

    def _answer(self, prepared: Prepared) -> TextResponse:
        pixels = prepared.payload
        name = min(COLOURS, key=lambda colour: np.abs(pixels[0, 0] - COLOURS[colour]).sum())
        form = FORMS[pixels.shape[1] - 1]
        return TextResponse(form.format(name), truncated=form == FORMS[3])


def tasks() -> list[TaskEntry | BrokenEntry]:
    return entries(HERE)


def models() -> Iterator[ModelEntry]:
    def build(options: ModelOptions) -> Colours:
        return Colours()

    yield ModelEntry("colours", "names the colour of an image", frozenset({"text"}), build)


def published() -> list[Publication]:
    return [read_publication(HERE / "published" / "paper.yml")]
