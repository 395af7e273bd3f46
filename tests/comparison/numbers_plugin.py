"""A benchmark whose samples are numbers to be said, and a model that says what a file tells it to.

Real runs with any scores one likes: `mark` is the mean of what was said, `median` a function of
the whole corpus, `distance` is told by half-samples, lower is better.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from evalsuite.content import user
from evalsuite.errors import DataError, SampleError
from evalsuite.model import ModelInfo, Prepared
from evalsuite.model.entry import ModelEntry, ModelOptions
from evalsuite.request import GenerateText, Request, Response, TextResponse, fingerprint
from evalsuite.task import Answered, Metric, Sample, SampleScore, Scores, Statistic, TaskInfo, mean_statistics
from evalsuite.task.entry import TaskEntry, TaskOptions

MARK = Metric("mark", scale=100.0, headline=True)
MEDIAN = Metric("median", scale=100.0)
DISTANCE = Metric("distance", higher_is_better=False, digits=3)


class Numbers:
    def __init__(self, name: str, options: TaskOptions) -> None:
        self.options = dict(options.options)
        if "gone" in self.options and Path(self.options["gone"]).exists():
            raise DataError("The numbers are gone.", "Fetch them again.")
        self.info = TaskInfo(
            name, self.options.get("version", "1"), "text", "test", options.protocol or "plain",
            options.rules or "official", (MARK, MEDIAN, DISTANCE),
        )  # fmt: skip

    def fingerprint(self) -> str:
        return fingerprint([self.options.get("count", "60"), self.options.get("edition", "1")])

    def samples(self) -> Iterator[Sample]:
        each = int(self.options.get("per_cluster", "1"))
        for i in range(int(self.options.get("count", "60"))):
            cluster = "" if each == 1 else str(i // each)
            yield Sample(f"{i:05}", i, cluster=cluster, labels={"parity": "even" if i % 2 == 0 else "odd"})

    def request(self, sample: Sample, earlier: Sequence[Response] = ()) -> Request | None:
        return None if earlier else Request((user(f"say number {sample.record}"),), GenerateText())

    def target(self, sample: Sample) -> Any:
        return f"<b>number</b> {sample.record}"

    def score(self, answered: Sequence[Answered]) -> Scores:
        import numpy as np

        rows: list[SampleScore] = []
        for one in answered:
            text = one.response.text
            common: Any = {"id": one.sample.id, "cluster": one.sample.cluster, "labels": one.sample.labels}
            if text == "unscorable":
                rows.append(SampleScore(failure="the answer is no number", **common))
            else:
                rows.append(SampleScore(values={"mark": float(text)}, parsed=text, **common))
        means = mean_statistics(MARK, rows, by=["parity"])
        kept = list(means[0].rows)
        values = np.array([rows[i].values["mark"] for i in kept])
        return Scores(
            rows,
            [
                *means,
                Statistic(MEDIAN, kept, lambda at: float(np.median(values[at]))),
                Statistic(DISTANCE, kept, lambda at: float((values[at].mean() - 1) ** 2), "subsample"),
            ],
        )


class Script:
    """Says the texts of the JSON file `values`, by sample; null fails, anything else is said as it is."""

    def __init__(self, options: ModelOptions) -> None:
        self.values = json.loads(Path(options.options["values"]).read_text())
        self.info = ModelInfo(options.options.get("name", "script"), options.options.get("weights", "v1"))

    def prepare(self, request: Request) -> Prepared:
        value = self.values[int(request.messages[-1].text.split()[-1])]
        if value is None:
            raise SampleError("nothing to say")
        return Prepared(request, str(value))

    def generate_text(self, batch: Sequence[Prepared]) -> list[TextResponse]:
        return [TextResponse(prepared.payload) for prepared in batch]


def tasks() -> list[TaskEntry]:
    return [
        TaskEntry(
            name, name, "text", (MARK, MEDIAN, DISTANCE), ("plain", "fancy"), ("official", "lenient"),
            partial(Numbers, name),
        )
        for name in ("numbers", "more-numbers", "further-numbers")
    ]  # fmt: skip


def models() -> list[ModelEntry]:
    return [ModelEntry("script", "says what it is told", frozenset({"text"}), Script)]
