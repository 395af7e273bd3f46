"""A small real plugin: benchmarks of sums, and models that add, draw, choose and misbehave on request.

Given to runs as a plugin file. Sizes and data come from the environment, because tasks take only strings.
"""

from __future__ import annotations

import hashlib
import io
import os
import random
import signal
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from evalsuite.content import Image, RawImage, Text, user
from evalsuite.errors import CheckpointError, SampleError, UnavailableError
from evalsuite.model import ModelInfo, Prepared
from evalsuite.model.entry import ModelEntry, ModelOptions
from evalsuite.request import (
    Capability,
    ChoiceResponse,
    DocumentResponse,
    GenerateDocument,
    GenerateImages,
    GenerateText,
    ImageResponse,
    Request,
    Response,
    ScoreChoices,
    TextResponse,
)
from evalsuite.task import (
    Answered,
    Metric,
    Sample,
    SampleScore,
    Scores,
    TaskInfo,
    mean_statistics,
)
from evalsuite.task.entry import TaskEntry, TaskOptions

ACCURACY = Metric("accuracy", scale=100.0, headline=True)


@dataclass(frozen=True)
class Sum:
    a: int
    b: int


class Sums:
    """`a + b` for `count` pairs; with `turns`, the model is asked again to confirm its answer."""

    def __init__(self, name: str, capability: Capability, options: TaskOptions, turns: int = 1) -> None:
        self._options = dict(options.options)
        self._turns = turns
        self.info = TaskInfo(
            name,
            self._options.get("version", "1"),
            capability,
            "test",
            options.protocol or "plain",
            options.rules or "official",
            (ACCURACY,),
        )

    def fingerprint(self) -> str:
        return hashlib.sha256(repr(sorted(self._options.items())).encode()).hexdigest()

    def samples(self) -> Iterator[Sample]:
        for i in range(int(self._options.get("count", "20"))):
            name = "same" if "twice" in self._options else f"{self.info.name}-{i}"
            labels = {"parity": "even" if i % 2 == 0 else "odd"}
            yield Sample(name, Sum(i, i * i % 17), cluster=str(i // 2), labels=labels)

    def request(self, sample: Sample, earlier: Sequence[Response] = ()) -> Request | None:
        if len(earlier) >= self._turns:
            return None
        said = "".join(f" {r.text}?" for r in earlier if isinstance(r, TextResponse))
        question = f"{self.info.name}: {sample.record.a}+{sample.record.b}={said}"
        match self.info.capability:
            case "text":
                return Request((user(question),), GenerateText())
            case "choices":
                right = sample.record.a + sample.record.b
                return Request((user(question),), ScoreChoices(tuple(str(right + d) for d in (0, 1, 2))))
            case "interleaved":
                return Request((user(question),), GenerateDocument())
            case _:
                return Request((user(question),), GenerateImages(width=8, height=8))

    def target(self, sample: Sample) -> Any:
        return sample.record.a + sample.record.b

    def score(self, answered: Sequence[Answered]) -> Scores:
        if os.environ.get("SUMS_SCORER_CRASHES") == self.info.name:
            raise ZeroDivisionError("the scorer has a bug")
        rows = [self._row(one) for one in answered]
        return Scores(rows, mean_statistics(ACCURACY, rows, by=["parity"]))

    def _row(self, one: Answered) -> SampleScore:
        match one.response:
            case TextResponse(text=text):
                value = float(text == str(self.target(one.sample)))
                if self.info.rules == "lenient":
                    value = 1.0
            case ChoiceResponse() as response:
                value = float(response.best == 0)
            case ImageResponse(images=images):
                value = float(len(images[0].read()) > 0)
            case DocumentResponse(parts=parts):
                value = float(len(parts) == 2)
        return SampleScore(one.sample.id, {"accuracy": value}, one.sample.cluster, one.sample.labels)


class Adder:
    """Adds, with every request it answers written to the file `log`; wrong for every seventh sum.

    Options: `log`, `delay` (seconds per batch), `slow_while` (a file; slow as long as it exists),
    `memory` (largest batch that fits), `guilty` (a text that
    raises), `batchy` (answers depend on the batch), `short` (drops a response), `weights` (changes the
    fingerprint), `unprepared` (a text that cannot be prepared), `kills` (a text that kills the process),
    `pids` (a file for the numbers of the processes that loaded it), `unloadable_first` (so many of those
    cannot load it), `weights=own` (other weights in every process), `out` (a text that makes it unavailable),
    `stops` (a text at which it hangs, once, for `hang` seconds).
    """

    def __init__(self, options: ModelOptions) -> None:
        self._o = dict(options.options)
        if "unloadable" in self._o:
            raise CheckpointError("The adder is broken.")
        self._log = Path(self._o["log"]) if "log" in self._o else None
        if "pids" in self._o:
            with Path(self._o["pids"]).open("a") as pids:
                pids.write(f"{os.getpid()}\n")
            before = Path(self._o["pids"]).read_text().split().index(str(os.getpid()))
            if before < int(self._o.get("unloadable_first", "0")):
                raise CheckpointError("The adder is broken here.")
        weights = self._o.get("weights", "v1")
        self.info = ModelInfo("adder", f"of process {os.getpid()}" if weights == "own" else weights)
        self.batches: list[list[str]] = []

    def prepare(self, request: Request) -> Prepared:
        text = request.messages[-1].text
        if self._o.get("unprepared") and self._o["unprepared"] in text:
            raise SampleError(f"{text!r} has no tokens.")
        return Prepared(request, text, cost=len(text))

    def generate_text(self, batch: Sequence[Prepared]) -> list[TextResponse]:
        texts = self._answers(batch)
        return [TextResponse(text, tokens=len(text)) for text in texts]

    def score_choices(self, batch: Sequence[Prepared]) -> list[ChoiceResponse]:
        self._answers(batch)
        drift = 0.01 * (len(batch) > 1) if "batchy" in self._o else 0.0
        return [ChoiceResponse((-1.0 + drift, -2.0, float("-inf"))) for _ in batch]

    def generate_images(self, batch: Sequence[Prepared]) -> list[ImageResponse]:
        from PIL import Image as pil

        self._answers(batch)
        found = []
        for prepared in batch:
            rng = random.Random(prepared.request.seed)
            picture = pil.frombytes("RGB", (8, 8), bytes(rng.randrange(256) for _ in range(192)))
            stream = io.BytesIO()
            picture.save(stream, "PNG")
            found.append(ImageResponse((Image(stream.getvalue()),)))
        return found

    def generate_documents(self, batch: Sequence[Prepared]) -> list[DocumentResponse]:
        from PIL import Image as pil

        found = []
        for prepared, text in zip(batch, self._answers(batch), strict=True):
            rng = random.Random(prepared.request.seed)
            pixels = pil.frombytes("RGB", (8, 8), bytes(rng.randrange(256) for _ in range(192)))
            found.append(DocumentResponse((Text(text), RawImage(pixels=pixels))))
        return found

    def _answers(self, batch: Sequence[Prepared]) -> list[str]:
        questions = [str(prepared.payload) for prepared in batch]
        self.batches.append(questions)
        if len(batch) > int(self._o.get("memory", "1000000")):
            raise MemoryError
        if "kills" in self._o and any(self._o["kills"] in question for question in questions):
            os.kill(os.getpid(), signal.SIGKILL)
        if "stops" in self._o and any(self._o["stops"] in question for question in questions):
            marker = Path(self._o["pids"] + ".hung")
            if not marker.exists():
                marker.touch()
                time.sleep(float(self._o["hang"]))
        if "out" in self._o and any(self._o["out"] in question for question in questions):
            raise UnavailableError("The server is gone.", "Start it again.")
        if "guilty" in self._o and any(self._o["guilty"] in question for question in questions):
            raise ValueError("cannot add this")
        time.sleep(float(self._o.get("delay", "0")))
        if "slow_while" in self._o and Path(self._o["slow_while"]).exists():
            time.sleep(0.3)
        if self._log is not None:
            with self._log.open("a") as log:
                log.writelines(f"{question}\n" for question in questions)
        answers = []
        for question in questions:
            a, b = question.split(": ")[1].split("=")[0].split("+")
            answers.append(str(int(a) + int(b) + (int(a) % 7 == 3)))
        if "batchy" in self._o and len(batch) > 1:
            answers = [answer + "!" for answer in answers]
        return answers[:-1] if "short" in self._o and len(batch) > 1 else answers


def _task(name: str, capability: Capability, turns: int = 1) -> TaskEntry:
    return TaskEntry(
        name,
        name,
        capability,
        (ACCURACY,),
        ("plain", "fancy"),
        ("official", "lenient"),
        lambda options: Sums(name, capability, options, turns),
    )


def tasks() -> list[TaskEntry]:
    return [
        _task("sums", "text"),
        _task("more-sums", "text"),
        _task("twice-asked", "text", turns=2),
        _task("sum-choices", "choices"),
        _task("sum-images", "image"),
        _task("sum-documents", "interleaved"),
    ]


MADE: list[Adder] = []
"""The models made in this process, for tests that look at what one was asked."""


def _adder(options: ModelOptions) -> Adder:
    MADE.append(Adder(options))
    return MADE[-1]


def models() -> list[ModelEntry]:
    can = frozenset[Capability]({"text", "choices", "image", "interleaved"})
    plain = ModelEntry("adder", "adds", can, _adder)
    return [plain, replace(plain, name="speaker", capabilities=frozenset[Capability]({"text"}))]
