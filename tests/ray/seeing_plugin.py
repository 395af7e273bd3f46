"""Questions about images; a model that answers, after a while, with the digest of what it is shown."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Sequence
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

ACCURACY = Metric("accuracy", headline=True)


class Seen:
    """`count` questions about the file `image`."""

    info = TaskInfo("seen", "1", "text", "test", "plain", "official", (ACCURACY,))

    def __init__(self, options: TaskOptions) -> None:
        self._count = int(options.options.get("count", "12"))
        self._path = Path(options.options["image"])

    def fingerprint(self) -> str:
        return str(self._count)

    def samples(self) -> Iterator[Sample]:
        return (Sample(str(i), Image(path=self._path)) for i in range(self._count))

    def request(self, sample: Sample, earlier: Sequence[Response] = ()) -> Request | None:
        return None if earlier else Request((Message("user", (sample.record, Text("?"))),), GenerateText())

    def target(self, sample: Sample) -> Any:
        return ""

    def score(self, answered: Sequence[Answered]) -> Scores:
        rows = [SampleScore(one.sample.id, {"accuracy": 1.0}) for one in answered]
        return Scores(rows, mean_statistics(ACCURACY, rows))


class Digester:
    info = ModelInfo("digester", "1")
    independent_requests = True

    def __init__(self, options: ModelOptions) -> None:
        self._delay = float(options.options.get("delay", "0"))

    def prepare(self, request: Request) -> Prepared:
        return Prepared(request, hashlib.sha256(request.images[0].read()).hexdigest())

    def generate_text(self, batch: Sequence[Prepared]) -> list[TextResponse]:
        time.sleep(self._delay)
        return [TextResponse(str(prepared.payload)) for prepared in batch]


def tasks() -> list[TaskEntry]:
    return [TaskEntry("seen", "seen", "text", (ACCURACY,), ("plain",), ("official",), Seen)]


def models() -> list[ModelEntry]:
    return [ModelEntry("digester", "digests", frozenset({"text"}), Digester)]
