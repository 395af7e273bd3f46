"""A plugin with a model that answers every question about an image with `x = -N`, N the question's last
number."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from evalsuite.model import ModelInfo, Prepared
from evalsuite.model.entry import ModelEntry
from evalsuite.request import Request, TextResponse


class Answering:
    info = ModelInfo("answering", fingerprint="1", parameters=0)

    def prepare(self, request: Request) -> Prepared:
        return Prepared(request, re.findall(r"\d+", request.messages[-1].text)[-1])

    def generate_text(self, batch: Sequence[Prepared]) -> list[TextResponse]:
        return [TextResponse(f"x = -{prepared.payload}") for prepared in batch]


def models() -> Iterator[ModelEntry]:
    yield ModelEntry("answering", "answers x = -N", frozenset({"text"}), lambda options: Answering())
