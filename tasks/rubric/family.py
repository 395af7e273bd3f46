"""Images made from a prompt, or by editing, that a judge grades along the benchmark's rubrics."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property, partial
from typing import Any

from evalsuite.content import Document, Image, Message, Part, Text
from evalsuite.errors import DataError, SampleError, SpecError
from evalsuite.request import GenerateImages, Request, Response
from evalsuite.task import (
    Answered,
    Judgement,
    Metric,
    Plan,
    Sample,
    SampleScore,
    Scores,
    Statistic,
    generated_images,
    row_of,
)
from evalsuite.task.judged import Chat, JudgedFamilyTask, unjudged
from evalsuite.task.readers import decode
from evalsuite.task.wording import Wording, filled

from .readers import READERS
from .records import RubricItem, RubricQuestion
from .rubrics import RUBRICS, Graded
from .settings import Settings, Weighted


def build(plan: Plan) -> RubricTask:
    """The task of a rubric benchmark. Raises SpecError where it does not ask for one image."""
    output = plan.output()
    if not isinstance(output, GenerateImages) or output.count != 1:
        raise SpecError(f"{plan.benchmark.name}: one image is graded.", "Correct the protocol's decoding.")
    settings = plan.settings(Settings)
    plan.source.paths(next(iter(plan.source.files)))
    return RubricTask(plan, settings)


class RubricTask(JudgedFamilyTask):
    """A rubric benchmark in one protocol; template fields: `instruction`, and `images` for editing."""

    def __init__(self, plan: Plan, settings: Settings) -> None:
        super().__init__(plan)
        self._settings = settings
        self._rubric = RUBRICS[settings.rubric]
        self._read = partial(plan.reader(READERS), plan.source)
        self._metrics = [spec for spec in plan.benchmark.metrics if spec.name not in settings.weighted]
        plan.check_metrics(self._rubric.columns, self._metrics)

    @property
    def judge(self) -> str:
        return self._settings.judge

    def _samples(self) -> Iterator[Sample]:
        for item in self._read():
            yield Sample(item.id, item, labels=dict(item.labels))

    def request(self, sample: Sample, earlier: Sequence[Response] = ()) -> Request | None:
        item: RubricItem = sample.record
        if earlier:
            return None
        values: dict[str, Any] = {"instruction": item.instruction}
        return self.plan.request(values | ({"images": item.sources} if item.sources else {}))

    def target(self, sample: Sample) -> Any:
        item: RubricItem = sample.record
        return {
            "instruction": item.instruction,
            **item.fields,
            "graded": [one.name for one in item.questions],
        }

    def question(self, answered: Answered, said: Sequence[Judgement]) -> Chat | None:
        item: RubricItem = answered.sample.record
        (result,) = generated_images(answered.response, 1)
        asked = self._next(item.questions, said)
        return None if asked is None else self._chat(item, asked, result)

    def _next(self, questions: Sequence[RubricQuestion], said: Sequence[Judgement]) -> RubricQuestion | None:
        place, tried = 0, 0
        if self._settings.every_round:
            place = (
                len(said)
                if len(said) >= len(questions) * self._settings.tries
                else len(said) % len(questions)
            )
            return questions[place] if place < len(questions) else None
        for judgement in said:
            tried += 1
            if tried == self._settings.tries or self._rubric.readable(judgement.text):
                place, tried = place + 1, 0
        return questions[place] if place < len(questions) else None

    def _chat(self, item: RubricItem, asked: RubricQuestion, result: Image) -> Chat:
        settings = self._settings
        images = {"source": item.sources, "reference": item.references, "result": (result,)}
        shown: Document = tuple(image for name in asked.shows for image in images[name])
        text = filled(self._text(asked.wording), item.fields)
        system = self._system
        head = (Message("system", (Text(system),)),) if system else ()
        return Chat(
            (*head, Message("user", (Text(text), *shown))),
            max_tokens=settings.max_tokens,
            temperature=settings.temperature,
        )

    def _text(self, key: str) -> str:
        if key not in self._settings.wording:
            raise SpecError(f"{self.plan.benchmark.name}: settings.wording has no {key!r}.")
        return self._worded(self._settings.wording[key])

    @cached_property
    def _system(self) -> str:
        return self._worded(self._settings.system)

    def _worded(self, wording: str | Wording | tuple[Wording, ...]) -> str:
        if isinstance(wording, tuple):
            return "".join(part.text(self.plan.source) for part in wording)
        return wording if isinstance(wording, str) else wording.text(self.plan.source)

    def prepared(self, answered: Answered, chat: Chat) -> Chat:
        settings = self._settings
        if not settings.jpeg and settings.longest_side is None and settings.source_pixels is None:
            return chat
        *head, last = chat.messages
        (result,) = generated_images(answered.response, 1)
        parts = tuple(self._encoded(part, given=part is not result) for part in last.parts)
        return replace(chat, messages=(*head, Message(last.role, parts)))

    def _encoded(self, part: Part, *, given: bool) -> Part:
        if isinstance(part, Text):
            return part
        picture = decode(part, apply_orientation=True)
        longest, most = self._settings.longest_side, self._settings.source_pixels
        if longest is not None:
            picture.thumbnail((longest, longest))
        if given and most is not None:
            width, height = picture.size
            ratio = min(1.0, math.sqrt(most / (width * height)))
            width, height = (max(16, int(side * ratio) // 16 * 16) for side in (width, height))
            picture = picture.resize((width, height))
        stream = io.BytesIO()
        picture.convert("RGB").save(stream, "JPEG" if self._settings.jpeg else "PNG")
        return Image(stream.getvalue(), name=part.label)

    def score(self, answered: Sequence[Answered]) -> Scores:
        runs = max((len(one.judgements) for one in answered), default=0)
        rows = [self._row(one) for one in answered]
        if not runs:
            bare = [replace(row, failure="") for row in rows]
            return Scores(bare, (), {metric.name: unjudged(self) for metric in self.plan.info.metrics})
        more, missing = self._weighted(rows)
        return self.scores(
            rows, self._metrics, more=more, missing=missing, details={"runs of the judge": runs}
        )

    def _weighted(self, rows: Sequence[SampleScore]) -> tuple[list[Statistic], dict[str, str]]:
        found: list[Statistic] = []
        missing: dict[str, str] = {}
        for spec in self.plan.benchmark.metrics:
            how = self._settings.weighted.get(spec.name)
            if how is None:
                continue
            members = [i for i, row in enumerate(rows) if not row.failure and how.of in row.values]
            lacking = [
                name for name in how.weights if not any(rows[i].labels.get(how.by) == name for i in members)
            ]
            if lacking:
                missing[spec.name] = f"no image of {how.by} {', '.join(lacking)} is graded"
            else:
                found.append(_weighted(spec.metric(), how, rows, members))
        return found, missing

    def _row(self, one: Answered) -> SampleScore:
        made = row_of(one)
        try:
            graded = [self._grade(one.sample.record, said) for said in one.judgements]
            if not graded:
                raise SampleError("the judge has not graded this image")
        except (SampleError, DataError) as error:
            return made(failure=str(error))
        columns = {name: None for run in graded for name in run.values}
        values = {}
        for name in columns:
            given = [run.values[name] for run in graded if name in run.values]
            values[name] = sum(given) / len(given)
        told = ", ".join(f"{name} {value:g}" for name, value in values.items())
        return made(values=values, parsed=told, unread=any(run.unread for run in graded))

    def _grade(self, item: RubricItem, said: Sequence[Judgement]) -> Graded:
        """Raises SampleError where the judge gave nothing, or has not graded to the end."""
        replies: dict[str, list[str]] = {}
        for place, judgement in enumerate(said):
            if judgement.failure:
                raise SampleError(f"the judge gave nothing: {judgement.failure}")
            asked = self._next(item.questions, said[:place])
            assert asked is not None
            replies.setdefault(asked.name, []).append(judgement.text)
        if self._next(item.questions, said) is not None:
            raise SampleError("the judge has not graded this image to the end")
        return self._rubric.grade(item, replies)


def _weighted(
    metric: Metric, how: Weighted, rows: Sequence[SampleScore], members: Sequence[int]
) -> Statistic:
    import numpy as np

    names = list(how.weights)
    kept = [i for i in members if rows[i].labels.get(how.by) in how.weights]
    values = np.asarray([rows[i].values[how.of] for i in kept], dtype=np.float64)
    codes = np.asarray([names.index(rows[i].labels[how.by]) for i in kept], dtype=np.int64)
    weights = np.asarray([how.weights[name] for name in names], dtype=np.float64)

    def mean(places: Any) -> float:
        counts = np.bincount(codes[places], minlength=len(names))
        sums = np.bincount(codes[places], values[places], minlength=len(names))
        present = counts > 0  # a resample may lack a group: the weights of the others then share its own
        return float((weights[present] * sums[present] / counts[present]).sum() / weights[present].sum())

    return Statistic(metric, kept, mean)
