"""Images of a prompt, the text that is read of each, and what that comes to by a rule that the file names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from evalsuite.content import Image, Message, Text
from evalsuite.errors import DataError, SampleError, SpecError
from evalsuite.request import GenerateImages, Request, Response
from evalsuite.task import (
    Answered,
    Judgement,
    Option,
    Plan,
    Sample,
    SampleScore,
    Scores,
    Statistic,
    TaskInfo,
    generated_images,
    row_of,
)
from evalsuite.task.images_as import chat_as_jpeg, shown_images
from evalsuite.task.judged import (
    Chat,
    JudgedFamilyTask,
    check_options,
    made_elsewhere,
    require_known,
    unjudged,
)

from .ocr import FileReadings, read_by, read_readings
from .readers import READERS
from .records import TextPrompt
from .rules import READINGS, Part, added, pooled
from .settings import Settings

_FILE = "readings.jsonl"
OPTIONS = (
    Option("readings", "texts read elsewhere; by default readings.jsonl in the data folder", Path),
    Option("judge", "which model or OCR engine read them, as it is to stand beside the number"),
)


def build(plan: Plan) -> TextTask:
    """The task of a text-rendering benchmark. Raises SpecError for readings without a reader's name."""
    name = plan.benchmark.name
    check_options(plan, "readings", "PaddleOCR")
    settings = plan.settings(Settings)
    output = plan.output()
    if not isinstance(output, GenerateImages):
        raise SpecError(f"{name}: text is read in images.", "Correct the benchmark's capability.")
    plan.source.paths(next(iter(plan.source.files)))
    return TextTask(plan, settings, output.count)


class TextTask(JudgedFamilyTask):
    """A text-rendering benchmark in one protocol; template field: `prompt`.

    Readings are a judge's (`evalsuite judge`), or those of a file (option `readings`).
    """

    def __init__(self, plan: Plan, settings: Settings, count: int) -> None:
        super().__init__(plan)
        self._settings = settings
        self._count = count
        self._rule = READINGS[settings.reading]
        self._read = partial(plan.reader(READERS), plan.source)
        plan.check_metrics((*self._rule.columns, *self._rule.made))

    @property
    def info(self) -> TaskInfo:
        path = self._given
        told = super().info
        return told if path is None or told.judge else replace(told, judge=read_by(path))

    @property
    def judge(self) -> str:
        return self._settings.judge

    @cached_property
    def _given(self) -> Path | None:
        """The file that the user named, or the one beside the data."""
        return made_elsewhere(self.plan, "readings", _FILE)

    @cached_property
    def _file(self) -> FileReadings | None:
        if self._given is None:
            return None
        found = read_readings(self._given)
        require_known(self._given, (key[0] for key in found), (one.id for one in self._read()))
        return found

    def _samples(self) -> Iterator[Sample]:
        for one in self._read():
            yield Sample(one.id, one, labels=dict(one.labels))

    def request(self, sample: Sample, earlier: Sequence[Response] = ()) -> Request | None:
        return None if earlier else self.plan.request({"prompt": sample.record.prompt})

    def target(self, sample: Sample) -> Any:
        return list(sample.record.texts)

    def question(self, answered: Answered, said: Sequence[Judgement]) -> Chat | None:
        prompt: TextPrompt = answered.sample.record
        shown = self._shown(answered)
        if len(said) >= len(shown):
            return None
        settings = self._settings
        return Chat(
            (Message("user", (shown[len(said)][1], Text(self._ask))),),
            max_tokens=settings.max_tokens if prompt.max_tokens is None else prompt.max_tokens,
            temperature=settings.temperature,
        )

    @cached_property
    def _ask(self) -> str:
        ask = self._settings.ask
        return ask if isinstance(ask, str) else ask.text(self.plan.source)

    def prepared(self, answered: Answered, chat: Chat) -> Chat:
        return chat_as_jpeg(chat) if self._settings.jpeg else chat

    def _shown(self, one: Answered) -> list[tuple[int, Image]]:
        """Place and image of those that are read. Raises SampleError where there is none."""
        images = generated_images(one.response, self._count)
        return shown_images(images, skip_black=self._settings.skip_black)

    def score(self, answered: Sequence[Answered]) -> Scores:
        rows: list[SampleScore] = []
        parts: dict[int, Mapping[str, Part]] = {}
        runs = max((len(one.judgements) for one in answered), default=0)
        runs = max(runs, int(self._file is not None))
        for place, one in enumerate(answered):
            row, found = self._row(one)
            rows.append(row)
            if found is not None:
                parts[place] = found
        if not runs:
            bare = [replace(row, failure="") for row in rows]
            return Scores(bare, (), {metric.name: unjudged(self) for metric in self.plan.info.metrics})
        details = {"runs of the judge": runs}
        return Scores(rows, self._statistics(rows, parts), {}, details)

    def _statistics(
        self, rows: Sequence[SampleScore], parts: Mapping[int, Mapping[str, Part]]
    ) -> list[Statistic]:
        groups: dict[str, list[int]] = {"": list(parts)}
        for label in self.plan.benchmark.by:
            name = label if isinstance(label, str) else label.of
            for value in sorted({rows[i].labels[name] for i in parts if name in rows[i].labels}):
                groups[f"{name}={value}"] = [i for i in parts if rows[i].labels.get(name) == value]
        return [
            Statistic(spec.metric(), kept, self._value(spec.name, [parts[i] for i in kept]), group=group)
            for spec in self.plan.benchmark.metrics
            for group, kept in groups.items()
            if kept
        ]

    def _value(self, column: str, parts: Sequence[Mapping[str, Part]]) -> Any:
        if column in self._rule.columns:
            return pooled(parts, column)
        each = {name: pooled(parts, name) for name in self._rule.columns}

        def combined(places: Any) -> float:
            means = {name: mean(places) for name, mean in each.items()}
            return self._rule.combined(means, self._settings.language)[column]

        return combined

    def _row(self, one: Answered) -> tuple[SampleScore, Mapping[str, Part] | None]:
        made, prompt = row_of(one), one.sample.record
        try:
            readings = list(self._readings(one))
            if not readings:
                raise SampleError("nobody has read this image")
            found = [
                self._rule.parts(prompt, text, self._settings.language) for run in readings for text in run
            ]
            total = added(found)
        except (SampleError, DataError) as error:
            return made(failure=str(error)), None
        values = {name: value / count for name, (value, count) in total.items() if count}
        return made(values=values, parsed=" | ".join(" ".join(text.split()) for text in readings[0])), total

    def _readings(self, one: Answered) -> Iterator[list[str]]:
        """Of each run of the judge. Raises SampleError."""
        prompt, shown = one.sample.record, self._shown(one)
        if self._file is not None:
            found = []
            for place, _ in shown:
                if (prompt.id, place) not in self._file:
                    raise SampleError(f"the file of readings has none of image {place + 1}")
                found.append(self._file[prompt.id, place])
            yield found
            return
        for said in one.judgements:
            for judgement in said:
                if judgement.failure:
                    raise SampleError(f"the judge gave nothing: {judgement.failure}")
            if len(said) < len(shown):
                raise SampleError(f"the judge has read {len(said)} of {len(shown)} images")
            yield [judgement.text for judgement in said]
