"""Open questions about an image, scored against human answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from evalsuite.content import Image
from evalsuite.errors import SampleError
from evalsuite.request import Request, Response, TextResponse
from evalsuite.task import (
    Answered,
    FamilyTask,
    Located,
    Plan,
    Sample,
    Scores,
    Shot,
    Value,
    fields_of,
    rule_row,
    text_of,
)
from evalsuite.task.readers import Question, read_table

from . import unanswerable
from .readers import READERS, TABLE, table_id
from .settings import ProtocolSettings, Settings

SHOTS = True
RECORD = Question
"""What its readers make; it takes every table reader that makes it, too."""
EXAMPLE = Question(
    "example",
    Image(data=b"", name="example"),
    "",
    "What is in the bowl?",
    ("apples",),
    ocr=("SALE",),
)
"""A question that shows how a protocol asks (`evalsuite show task`)."""


def build(plan: Plan) -> VQATask:
    """The task of a VQA benchmark. Raises SpecError for an unknown rule, metric or reader."""
    task = VQATask(plan, plan.reader(READERS, RECORD), plan.settings(Settings))
    plan.source.paths(next(iter(plan.source.files)))
    return task


class VQATask(FamilyTask):
    """A VQA benchmark in one protocol; template fields: `image`, `question`, and `ocr` where there is any."""

    def __init__(self, plan: Plan, read: Callable[..., Iterator[Question]], settings: Settings) -> None:
        super().__init__(plan)
        self._read = read
        self._settings = settings
        self._rules = plan.rule_set("open")
        self._metrics, self._unanswerable = unanswerable.parted(plan.benchmark.metrics)
        plan.check_metrics(self._rules.columns, self._metrics)
        self._gate = plan.settings(ProtocolSettings, protocol=True).gate
        self._wants_ocr = "ocr" in fields_of(plan.protocol.template)

    def sample_ids(self) -> Iterator[str]:
        """The ids of `samples()`; of a table only their column is read, not the images."""
        source = self.plan.source
        if source.reader != TABLE or "subset" in self.plan.options:
            return (sample.id for sample in self.samples())
        rows = read_table(source.paths("table"), {"id": source.columns["id"]})
        return (table_id(source, row["id"]) for _, row in rows)

    @property
    def gated(self) -> bool:
        return self._gate is not None

    def _samples(self) -> Iterator[Sample]:
        return self._of(self.plan.source)

    def _examples(self) -> Iterator[Sample]:
        return (sample for sample in self._of(self.plan.source.of_examples()) if sample.record.answers)

    def _shot(self, example: Sample) -> Shot:
        return Shot(_fields(example.record), _most_said(example.record.answers))

    def _of(self, source: Located) -> Iterator[Sample]:
        for question in self._read(source, self._settings):
            labels = {"question_type": question.question_type, "answer_type": question.answer_type}
            labels |= question.labels
            yield Sample(
                id=question.id,
                record=question,
                cluster=question.image_id,
                labels={name: value for name, value in labels.items() if value},
            )

    def request(self, sample: Sample, earlier: Sequence[Response] = ()) -> Request | None:
        question: Question = sample.record
        if question.problem:
            raise SampleError(question.problem)
        if self._wants_ocr and question.ocr is None:
            raise SampleError(
                f"Question {question.id} has no OCR texts, which the protocol shows.",
                "Use a source that has them, or another protocol.",
            )
        gate = self._gate
        if gate and not earlier:
            return Request(self.plan.messages(_fields(question), gate.template), self.plan.output())
        if len(earlier) > bool(gate) or (gate and gate.closes(earlier[0])):
            return None
        return self.plan.request(_fields(question), self.shots(sample))

    def reference_answer(self, sample: Sample, earlier: Sequence[Response] = ()) -> Response | None:
        """What most people answered, the first of equally frequent answers; a gate is passed accordingly."""
        answers = sample.record.answers
        if not answers:
            return None
        said = _most_said(answers)
        gate = self._gate
        if gate and not earlier:
            return TextResponse(gate.word or gate.contains if said == gate.answer else "yes")
        return TextResponse(said)

    def target(self, sample: Sample) -> Any:
        return list(sample.record.answers)

    def score(self, answered: Sequence[Answered]) -> Scores:
        rows = [
            rule_row(one, self._rules, "open", partial(self.answer, one), one.sample.record.answers)
            for one in answered
        ]
        more, missing = unanswerable.score(self._unanswerable, rows, answered, self.answer)
        return self.scores(rows, self._metrics, more=more, missing=missing)

    def answer(self, one: Answered) -> str:
        """The answer after gate and postprocessing. Raises SampleError where there is none."""
        gate = self._gate
        text_of(one.response)
        if gate and gate.closes(one.responses[0]):
            return gate.answer
        if len(one.responses) != 1 + bool(gate):
            raise SampleError(f"{len(one.responses)} of {1 + bool(gate)} questions are answered")
        return super().answer(one)


def _most_said(answers: Sequence[str]) -> str:
    """What most people answered, the first of equally frequent answers."""
    return Counter(answers).most_common(1)[0][0]


def _fields(question: Question) -> Mapping[str, Value]:
    return {"image": question.image, "question": question.question, "ocr": ", ".join(question.ocr or ())}
