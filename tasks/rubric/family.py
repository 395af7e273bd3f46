"""Images and documents that a judge grades along the benchmark's rubrics."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from evalsuite.content import Document, Text
from evalsuite.errors import DataError, SampleError, SpecError
from evalsuite.request import DocumentResponse, GenerateDocument, GenerateImages, Request, Response
from evalsuite.task import (
    Answered,
    Judgement,
    Option,
    Plan,
    Sample,
    SampleScore,
    Scores,
    TaskInfo,
    generated_images,
    networks,
    row_of,
)
from evalsuite.task.judged import Chat, JudgedFamilyTask, unjudged
from evalsuite.task.miniature import SceneTruth
from evalsuite.task.networks import Columns, choose_columns
from evalsuite.task.readers import decode

from .chats import Chats
from .mini import TARGET
from .readers import READERS
from .records import RubricItem, RubricQuestion
from .rivals import AGAINST, Rivals
from .rubrics import RUBRICS, Graded
from .scoring import own_statistics
from .settings import ProtocolSettings, Settings
from .similarities import similarities

OPTIONS = (
    Option(AGAINST, "runs whose documents are compared with the model's: RUN,RUN"),
    *networks.OPTIONS,
)
TRUTH, AGREEMENT = "truth", "agreement"
"""Where the data know what the image must show: whether it does, and whether the judge says the same."""


def build(plan: Plan) -> RubricTask:
    """The task of a rubric benchmark. Raises SpecError where it asks for neither one image nor a document."""
    output = plan.output()
    settings = plan.settings(Settings)
    if settings.layout and not isinstance(output, GenerateDocument):
        raise SpecError(f"{plan.benchmark.name}: a layout shows documents.", "Correct its capability.")
    if not settings.layout and not (isinstance(output, GenerateImages) and output.count == 1):
        raise SpecError(f"{plan.benchmark.name}: one image is graded.", "Correct the protocol's decoding.")
    if settings.layout and settings.similarities:
        raise SpecError(f"{plan.benchmark.name}: similarities are of images.", "Remove them, or the layout.")
    if bool(settings.against) != (AGAINST in plan.options):
        raise SpecError(
            f"{plan.benchmark.name} compares "
            + ("documents with those of other runs." if settings.against else "nothing with other runs."),
            f"Name them: {AGAINST}=RUN,RUN." if settings.against else f"Leave out {AGAINST}=.",
        )
    needs = {name: (one.network,) for name, one in settings.similarities.items()}
    columns = choose_columns(plan, settings.networks, needs)
    plan.source.paths(next(iter(plan.source.files)))
    return RubricTask(plan, settings, columns)


class RubricTask(JudgedFamilyTask):
    """A rubric benchmark in one protocol; template fields: `instruction`, `images` for editing, and
    `document` where the model is given text and images in an order of their own."""

    def __init__(self, plan: Plan, settings: Settings, columns: Columns) -> None:
        super().__init__(plan)
        self._settings = settings
        self._columns = columns
        runs = [Path(one).expanduser() for one in plan.options.get(AGAINST, "").split(",") if one]
        self._rivals = Rivals(runs, settings.against) if runs else None
        self._rubric = RUBRICS[settings.rubric]
        self._read = partial(plan.reader(READERS), plan.source)
        self._where = plan.settings(ProtocolSettings, protocol=True).where
        self._chats = Chats(plan.benchmark.name, settings, plan.source)
        self._metrics = [spec for spec in plan.benchmark.metrics if spec.name not in settings.own_columns]
        more = (TRUTH, AGREEMENT) if settings.truth else ()
        plan.check_metrics((*self._rubric.columns, *more, *settings.similarities), self._metrics)

    @property
    def info(self) -> TaskInfo:
        found = replace(super().info, metrics=self._columns.info.metrics)
        if self._rivals is None:
            return found
        return replace(found, protocol=f"{found.protocol}, against {', '.join(self._rivals.models)}")

    @property
    def judge(self) -> str:
        return self._settings.judge

    def _samples(self) -> Iterator[Sample]:
        for item in self._read():
            if self._rivals is not None:
                item = replace(item, labels={**item.labels, **self._rivals.labels(item.id)})
            if all(item.labels.get(name) == value for name, value in self._where.items()):
                yield Sample(item.id, item, labels=dict(item.labels))

    def request(self, sample: Sample, earlier: Sequence[Response] = ()) -> Request | None:
        item: RubricItem = sample.record
        if earlier:
            return None
        values: dict[str, Any] = {"instruction": item.instruction}
        if item.sources:
            values["images"] = item.sources
        if item.document:
            values["document"] = item.document
        return self.plan.request(values)

    def target(self, sample: Sample) -> Any:
        item: RubricItem = sample.record
        return {
            "instruction": item.instruction,
            **item.fields,
            "graded": [one.name for one in item.questions],
        }

    def question(self, answered: Answered, said: Sequence[Judgement]) -> Chat | None:
        item: RubricItem = answered.sample.record
        result = self._result(answered)
        asked = self._next(item.questions, said)
        if asked is not None and self._rivals is not None:
            item = replace(item, rival=self._rivals.document(item.id))
        return None if asked is None else self._chats.chat(item, asked, result)

    def prepared(self, answered: Answered, chat: Chat) -> Chat:
        return self._chats.prepared(chat, self._result(answered))

    def _result(self, answered: Answered) -> Document:
        """What is graded. Raises SampleError for an answer of another kind, and for an empty document."""
        if not self._settings.layout:
            return generated_images(answered.response, 1)
        response = answered.response
        if not isinstance(response, DocumentResponse):
            raise SampleError(f"the answer is a {type(response).__name__}, not a document")
        if not any(not isinstance(part, Text) or part.text.strip() for part in response.parts):
            raise SampleError("the document is empty: there is nothing to grade")
        return response.parts

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

    def score(self, answered: Sequence[Answered]) -> Scores:
        runs = max((len(one.judgements) for one in answered), default=0)
        alike = {n: how for n, how in self._settings.similarities.items() if n in self._columns.names}
        rows = [self._row(one) for one in answered]
        if not runs:
            rows = [replace(row, failure="") for row in rows]
        if alike:
            more = similarities(answered, self._columns, alike)
            rows = [replace(row, values={**row.values, **one}) for row, one in zip(rows, more, strict=True)]
        known = dict(self._columns.missing)
        graded = [spec for spec in self._metrics if spec.name not in self._settings.similarities]
        shown = [spec for spec in self._metrics if spec.name in alike]
        details: dict[str, Any] = {"networks": self._columns.details()} if alike else {}
        if not runs:
            judged = [m.name for m in self.info.metrics if m.name not in self._settings.similarities]
            known |= dict.fromkeys(judged, unjudged(self))
            return self.scores(rows, shown, missing=known, details=details)
        wanted = {metric.name for metric in self.info.metrics}
        shown = [spec for spec in graded if spec.name in wanted] + shown
        given = {name for row in rows if not row.failure for name in row.values}
        empty = {spec.name for spec in shown if given and spec.plain and spec.name not in given}
        known |= dict.fromkeys(empty, "no answer that was graded has one")
        shown = [spec for spec in shown if spec.name not in empty]
        own = [spec.metric() for spec in self.plan.benchmark.metrics if spec.name in wanted]
        found, lacking = own_statistics(own, self._settings, rows)
        details["runs of the judge"] = runs
        return self.scores(rows, shown, more=found, missing={**known, **lacking}, details=details)

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
        if self._truth is not None:
            try:
                values |= self._checked(one, values)
            except (SampleError, DataError) as error:
                return made(failure=str(error))
        told = ", ".join(f"{name} {value:g}" for name, value in values.items())
        return made(values=values, parsed=told, unread=any(run.unread for run in graded))

    @cached_property
    def _truth(self) -> SceneTruth | None:
        return SceneTruth.read(self.plan.source) if self._settings.truth else None

    def _checked(self, one: Answered, values: Mapping[str, float]) -> dict[str, float]:
        """What the image really shows, and whether the judge's verdict is the same. Raises SampleError."""
        assert self._truth is not None
        (image,) = generated_images(one.response, 1)
        seen = self._truth.edited(one.sample.record.fields[TARGET], decode(image))
        shows = seen.values["objects"]
        return {TRUTH: shows, AGREEMENT: float((values["success"] == 1) == bool(shows))}

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
