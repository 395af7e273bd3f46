"""Benchmarks of every kind on a handful of images, and models whose answers are known beforehand.

`shapes` asks about images, `edits` changes them, `stories` are documents, `picks` scores choices. Model
`exact` answers right; `odd` answers with what a hostile or broken model might, and fails now and then.
"""

from __future__ import annotations

import io
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from evalsuite.content import Image, Text, assistant, system, user
from evalsuite.errors import DataError, SampleError
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
    Output,
    Request,
    Response,
    ScoreChoices,
    TextResponse,
)
from evalsuite.task import Answered, Metric, Sample, SampleScore, Scores, TaskInfo, mean_statistics
from evalsuite.task.entry import TaskEntry, TaskOptions

COLOURS = {"red": (214, 39, 40), "green": (44, 160, 44), "blue": (31, 119, 180), "grey": (127, 127, 127)}
NAMES = list(COLOURS)
COUNT = 24

HOSTILE = [
    "<script>window.executed = 1</script>",
    '<img src=x onerror="window.executed = 2">',
    "javascript:window.executed=3",
    "</script><script>window.executed = 4</script>",
    "line\u2028separator\u2029paragraph",
    "a lone \ud83d surrogate",
    "nul \x00 and escape \x1b[31m",
    "right \u202eot tfel\u202c override",
    "x" * 100_000,
    "'); window.executed = 5; ('",
    "{{ 7 * 7 }} ${window.executed = 6} \\u003cscript\\u003e \\",
    "__proto__",
]


def picture(colour: str, size: int = 48, kind: str = "PNG") -> Image:
    from PIL import Image as pil

    stream = io.BytesIO()
    drawn = pil.new("RGB", (size, size), "white")
    drawn.paste(COLOURS[colour], (size // 4, size // 4, size * 3 // 4, size * 3 // 4))
    drawn.save(stream, kind)
    return Image(stream.getvalue(), name=f"../../{colour}<b>.{kind.lower()}")


@dataclass(frozen=True)
class Shape:
    number: int
    colour: str
    picture: Image
    target: Image


OUTPUTS: dict[str, Output] = {
    "shapes": GenerateText(),
    "edits": GenerateImages(),
    "stories": GenerateDocument(),
    "picks": ScoreChoices(tuple(NAMES)),
}


class Pages:
    def __init__(self, name: str, capability: Capability, options: TaskOptions) -> None:
        if options.data is not None and not options.data.is_dir():
            raise DataError(f"{options.data} does not exist.", "Fetch it.")
        self._options = dict(options.options)
        accuracy = Metric("accuracy", scale=100.0, headline=True)
        self.info = TaskInfo(
            name, self._options.get("version", "1"), capability, "test", options.protocol or "plain",
            options.rules or "official", (accuracy, Metric("length", higher_is_better=False, digits=0)),
            title=f"The benchmark {name} <i>of</i> tests", source="javascript:window.executed=7",
        )  # fmt: skip

    def fingerprint(self) -> str:
        return f"{self.info.name}-{self.info.version}".ljust(64, "0")

    def explain(self) -> dict[str, str]:
        return {"template": "{image}Which colour? </pre><script>window.executed = 8</script>"}

    def samples(self) -> Iterator[Sample]:
        for i in range(COUNT):
            colour = NAMES[i % len(NAMES)]
            shape = Shape(i, colour, picture(colour), picture(NAMES[(i + 1) % len(NAMES)], 400))
            labels = {"colour": colour, "third": str(i % 3), "__proto__": "x" if i % 2 else "y"}
            yield Sample(f"{self.info.name}/{i} <b>", shape, cluster=str(i // 2), labels=labels)

    def request(self, sample: Sample, earlier: Sequence[Response] = ()) -> Request | None:
        steps = int(self._options.get("steps", "1"))
        if len(earlier) >= steps:
            return None
        shape: Shape = sample.record
        again = f" (asked for the {len(earlier) + 1}. time)" if earlier else ""
        head = (system("Answer with one word."), user("A stop sign?"), assistant("red"))
        asked = user(shape.picture, f"{shape.number}: which colour is it{again}?")
        messages = (*head, asked) if self.info.capability == "text" else (asked,)
        return Request(messages, OUTPUTS[self.info.name], prefill="The colour is")

    def target(self, sample: Sample) -> Any:
        shape: Shape = sample.record
        if self.info.capability == "edit":
            seen = {"image": shape.target.label, "sha256": shape.target.sha256()}
            return {"picture": seen, "description": f"now {shape.colour}"}
        return [shape.colour, shape.colour, "any"]

    def score(self, answered: Sequence[Answered]) -> Scores:
        rows = [self._row(one) for one in answered]
        statistics = [s for m in self.info.metrics for s in mean_statistics(m, rows, by=["colour", "third"])]
        return Scores(rows, statistics, missing={"FID": "no weights here <b>"})

    def _row(self, one: Answered) -> SampleScore:
        shape: Shape = one.sample.record
        sample, parsed, failure = one.sample, "", ""
        match one.response:
            case TextResponse(text=text):
                right, parsed = text == shape.colour, text
                failure = "cannot be parsed: <b>" if text == "__proto__" else ""
            case ChoiceResponse() as response:
                right = NAMES[response.best] == shape.colour
            case ImageResponse(images=images):
                right = len(images[0].read()) > 0
            case _:
                right = True
        values = {"accuracy": float(right or self.info.rules == "lenient"), "length": float(len(parsed))}
        return SampleScore(
            sample.id, {} if failure else values, sample.cluster, sample.labels, parsed, failure
        )


class Known:
    """`style` is `exact` or `odd`; a text it says is the colour in the image, or one of HOSTILE."""

    def __init__(self, style: str) -> None:
        self._odd = style == "odd"
        self.info = ModelInfo(style, f"fingerprint-{style}", details={"source": "/home/somebody/models/it"})

    def prepare(self, request: Request) -> Prepared:
        number = int(request.messages[-1].text.split(":")[0])
        time.sleep(float(os.environ.get("REPORT_PLUGIN_PAUSE", "0")))
        if self._odd and number == 20:
            raise SampleError("The image /data/secret/20.png is <b>broken</b>.")
        return Prepared(request, number)

    def _say(self, number: int) -> str:
        right = NAMES[number % len(NAMES)]
        return HOSTILE[number] if self._odd and number < len(HOSTILE) else right

    def generate_text(self, batch: Sequence[Prepared]) -> list[TextResponse]:
        details = {"stopped": float("nan"), "</script>": "</script>"}
        return [TextResponse(self._say(p.payload), tokens=1, details=details) for p in batch]

    def score_choices(self, batch: Sequence[Prepared]) -> list[ChoiceResponse]:
        found = []
        for prepared in batch:
            right = prepared.payload % len(NAMES) if not self._odd else 0
            found.append(
                ChoiceResponse(tuple(-0.5 if i == right else float("-inf") for i in range(len(NAMES))))
            )
        return found

    def generate_images(self, batch: Sequence[Prepared]) -> list[ImageResponse]:
        return [
            ImageResponse((picture(NAMES[(p.payload + 1 + self._odd) % len(NAMES)], 400, "JPEG"),))
            for p in batch
        ]

    def generate_documents(self, batch: Sequence[Prepared]) -> list[DocumentResponse]:
        return [
            DocumentResponse(
                (
                    Text("Once upon a time:\n"),
                    picture("red"),
                    Text("and then\n"),
                    picture("blue", 64),
                    Text("."),
                )
            )
            for _ in batch
        ]


def _task(name: str, capability: Capability) -> TaskEntry:
    return TaskEntry(
        name, name, capability, (Metric("accuracy", headline=True),), ("plain", "fancy"),
        ("official", "lenient"), lambda options: Pages(name, capability, options),
    )  # fmt: skip


def tasks() -> list[TaskEntry]:
    kinds: dict[str, Capability] = {
        "shapes": "text", "edits": "edit", "stories": "interleaved", "picks": "choices",
    }  # fmt: skip
    return [_task(name, capability) for name, capability in kinds.items()]


def _model(style: str) -> ModelEntry:
    can = frozenset[Capability]({"text", "choices", "edit", "interleaved"})

    def build(options: ModelOptions) -> Known:
        return Known(style)

    return ModelEntry(style, style, can, build)


def models() -> list[ModelEntry]:
    return [_model("exact"), _model("odd")]
