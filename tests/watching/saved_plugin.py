"""A model that answers as a checkpoint's folder says: of the tensor `skill`, the share of right answers."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from pathlib import Path

from evalsuite.errors import CheckpointError
from evalsuite.model import ModelInfo, Prepared
from evalsuite.model.entry import ModelEntry, ModelOptions
from evalsuite.request import Request, TextResponse
from tests.comparison.numbers_plugin import tasks as number_tasks


class Saved:
    def __init__(self, options: ModelOptions) -> None:
        from safetensors.numpy import load_file

        file = Path(options.argument) / "model.safetensors"
        if not file.exists():
            raise CheckpointError(f"{file} is not there.")
        tensors = load_file(file)
        first = tensors.get("skill", next(iter(tensors.values())))
        self.skill = float(abs(first).mean())
        self.delay = float(options.options.get("delay", "0"))
        self.asked = Path(options.options["asked"]) if "asked" in options.options else None
        self.info = ModelInfo("saved", hashlib.sha256(file.read_bytes()).hexdigest())
        self.name = Path(options.argument).name

    def prepare(self, request: Request) -> Prepared:
        return Prepared(request, int(request.messages[-1].text.split()[-1]))

    def generate_text(self, batch: Sequence[Prepared]) -> list[TextResponse]:
        time.sleep(self.delay)
        if self.asked is not None:
            with self.asked.open("a") as log:
                log.writelines(f"{self.name} {one.payload}\n" for one in batch)
        return [TextResponse(str(int((one.payload * 7919 % 100) / 100 < self.skill))) for one in batch]


def tasks() -> list[object]:
    return list(number_tasks())


def models() -> list[ModelEntry]:
    return [ModelEntry("saved", "answers by its weights", frozenset({"text"}), Saved, takes_argument=True)]
