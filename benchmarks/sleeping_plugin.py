"""A simulated device for the scale benchmark: a batch takes a fixed time, in which the processor is free."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evalsuite.content import Image, Message, Text
from evalsuite.model import ModelEntry, ModelInfo, ModelOptions, Prepared
from evalsuite.request import GenerateText, Request, Response, TextResponse
from evalsuite.task import (
    Answered,
    Metric,
    Sample,
    SampleScore,
    Scores,
    TaskEntry,
    TaskInfo,
    TaskOptions,
    mean_statistics,
)

ACCURACY = Metric("accuracy", scale=100.0, headline=True)


@dataclass(frozen=True)
class Shown:
    """A question about one image."""

    image: Image


class Many:
    """`count` questions about one image file of about 100 KiB, as a path or (`bytes=yes`) as bytes."""

    def __init__(self, options: TaskOptions) -> None:
        self._count = int(options.options.get("count", "2000"))
        path = Path(options.options["image"])
        whole = options.options.get("bytes") == "yes"
        self._image = Image(data=path.read_bytes(), name=path.name) if whole else Image(path=path)
        self.info = TaskInfo("many", "1", "text", "test", "plain", "official", (ACCURACY,))

    def fingerprint(self) -> str:
        return f"many {self._count}"

    def samples(self) -> Iterator[Sample]:
        data = self._image.data
        for i in range(self._count):
            # Bytes of their own for every sample, as a table has them.
            image = self._image if data is None else Image(data=bytes(bytearray(data)), name=self._image.name)
            yield Sample(str(i), Shown(image))

    def sample_ids(self) -> Iterator[str]:
        return (str(i) for i in range(self._count))

    def request(self, sample: Sample, earlier: Sequence[Response] = ()) -> Request | None:
        if earlier:
            return None
        return Request((Message("user", (sample.record.image, Text("Is there a dog?"))),), GenerateText())

    def target(self, sample: Sample) -> Any:
        return "yes"

    def score(self, answered: Sequence[Answered]) -> Scores:
        rows = [SampleScore(one.sample.id, {"accuracy": 1.0}) for one in answered]
        return Scores(rows, mean_statistics(ACCURACY, rows))


class Sleeping:
    """Answers a batch after `seconds`."""

    def __init__(self, options: ModelOptions) -> None:
        self._seconds = float(options.options.get("seconds", "0.1"))
        self.info = ModelInfo("sleeping", "1")
        self.independent_requests = True

    def prepare(self, request: Request) -> Prepared:
        return Prepared(request, None)

    def generate_text(self, batch: Sequence[Prepared]) -> list[TextResponse]:
        time.sleep(self._seconds)
        return [TextResponse("yes", tokens=1) for _ in batch]


def tasks() -> list[TaskEntry]:
    """The task."""
    return [TaskEntry("many", "many questions", "text", (ACCURACY,), ("plain",), ("official",), Many)]


def models() -> list[ModelEntry]:
    """The device."""
    return [ModelEntry("sleeping", "a simulated device", frozenset({"text"}), Sleeping)]
