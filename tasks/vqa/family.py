"""Open questions about an image, scored against human answers."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, model_validator

from evalsuite.content import Image
from evalsuite.errors import DataError, EvalsuiteError, SampleError, SpecError, suggest
from evalsuite.request import Request, Response, TextResponse
from evalsuite.task import (
    Answered,
    FamilyTask,
    Located,
    Plan,
    Sample,
    SampleScore,
    Scores,
    Shot,
    Statistic,
    fields_of,
    mean_statistics,
    row_of,
    text_of,
)
from evalsuite.task.metrics import VQA_RULES, anls, normalize_answer, vqa_accuracy
from evalsuite.task.readers import Question, human_answers, image_cell, read_json, read_questions, read_table

from . import unanswerable
from .readers import READERS

SHOTS = True
EXACT = "exact"
"""The rule of benchmarks with one right answer: equal but for case, outer space and a final period."""
VERBATIM = "verbatim"
"""The rule of benchmarks whose scorer compares answers as they are (GQA)."""
ANLS = "anls"
"""The rule of document benchmarks; their column is called ANLS."""


class Settings(BaseModel):
    """What a VQA benchmark's file may say under `settings`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    answers: int | None = 10
    """Human answers per question; null: any number of at least one."""


class Gate(BaseModel):
    """A first question that decides whether the question proper is asked at all.

    DreamLLM's VizWiz protocol asks whether the answer can be known. Its script takes a reply with the letters
    "no" in it (also "know", "not", "none") for the answer "unanswerable" (omni/eval/vqa/vqa_inference.py).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    template: str
    """The first question; it gets no prefill."""
    word: str = ""
    """A first reply with this word (in lower case) in it ends the matter …"""
    contains: str = ""
    """… or, instead, one with these letters anywhere …"""
    answer: str
    """… with this answer."""

    @model_validator(mode="after")
    def _one_rule(self) -> Self:
        if bool(self.word) == bool(self.contains):
            raise ValueError("a gate needs either `word` or `contains`")
        return self

    def closes(self, reply: Response) -> bool:
        if not isinstance(reply, TextResponse):
            return False
        text = reply.text.lower()
        return self.word in re.findall(r"\w+", text) if self.word else self.contains in text


class ProtocolSettings(BaseModel):
    """What a VQA protocol may say under `settings`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    gate: Gate | None = None


def read_official(source: Located, settings: Settings) -> Iterator[Question]:
    """`questions` and `annotations` JSON of VQAv2; `images` is a path with the field `image_id`."""
    return read_questions(
        source.path("questions"),
        source.path("annotations") if source.has("annotations") else None,
        lambda image_id: source.image("images", image_id=image_id),
        answers=settings.answers,
    )


def read_columns(source: Located, settings: Settings) -> Iterator[Question]:
    """A table: id, image, question and, where named, answers, image_id, question_type, answer_type, ocr.

    The setting `id_ending` is added to ids that lack it.
    """
    for where, row in read_table(source.paths("table"), source.columns):
        question_id, text = row["id"], row["question"]
        if question_id is None or not isinstance(text, str):
            raise DataError(f"{where} has no question (id {question_id!r}, question {text!r}).")
        name = f"question {question_id}"
        yield Question(
            id=_table_id(source, question_id),
            image=image_cell(row["image"], f"{where} ({name})"),
            image_id=str(row.get("image_id") or ""),
            question=text,
            # Sources of test splits name no column of answers.
            answers=human_answers(row["answers"], f"{where} ({name})", settings.answers)
            if "answers" in row
            else (),
            question_type=str(row.get("question_type") or ""),
            answer_type=str(row.get("answer_type") or ""),
            ocr=tuple(map(str, row["ocr"])) if row.get("ocr") is not None else None,
        )


def read_triples(source: Located, settings: Settings) -> Iterator[Question]:
    """easy-VQA's `questions.json`: a list of [question, answer, image id]; ids are positions in the file."""
    path = source.path("questions")
    rows = read_json(path)
    if not isinstance(rows, list):
        raise DataError(f"{path} must be a list of [question, answer, image id].", "Is this the right file?")
    for position, row in enumerate(rows):
        match row:
            case [str(question), str(answer), int(image_id)]:
                yield Question(
                    id=str(position),
                    image=source.image("images", image_id=image_id),
                    image_id=str(image_id),
                    question=question,
                    answers=(answer,),
                    answer_type="yes/no" if answer in ("yes", "no") else "other",
                )
            case _:
                raise DataError(f"{path}, row {position} is {row!r:.80}, not [question, answer, image id].")


TABLE = "vqa-table"

READERS = MappingProxyType(
    {"vqav2-json": read_official, TABLE: read_columns, "question-triples": read_triples, **READERS}
)


def build(plan: Plan) -> VQATask:
    """The task of a VQA benchmark. Raises SpecError for an unknown rule or reader."""
    if plan.rule not in (EXACT, VERBATIM, ANLS, *VQA_RULES):
        raise SpecError(
            f"{plan.benchmark.name}: there is no VQA rule {plan.rule!r}.",
            suggest(plan.rule, [EXACT, VERBATIM, ANLS, *VQA_RULES]),
        )
    settings = plan.settings(Settings)
    task = VQATask(plan, plan.reader(READERS), settings)
    plan.source.paths(next(iter(plan.source.files)))
    return task


class VQATask(FamilyTask):
    """A VQA benchmark in one protocol; template fields: `image`, `question`, and `ocr` where there is any."""

    def __init__(self, plan: Plan, read: Callable[..., Iterator[Question]], settings: Settings) -> None:
        super().__init__(plan)
        self._read = read
        self._settings = settings
        self._accuracy = plan.benchmark.metric("ANLS" if plan.rule == ANLS else "accuracy")
        self._gate = plan.settings(ProtocolSettings, protocol=True).gate
        self._wants_ocr = "ocr" in fields_of(plan.protocol.template)

    def sample_ids(self) -> Iterator[str]:
        """The ids of `samples()`; of a table only their column is read, not the images."""
        source = self.plan.source
        if source.reader != TABLE or "subset" in self.plan.options:
            return (sample.id for sample in self.samples())
        rows = read_table(source.paths("table"), {"id": source.columns["id"]})
        return (_table_id(source, row["id"]) for _, row in rows)

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
            yield Sample(
                id=question.id,
                record=question,
                cluster=question.image_id,
                labels={name: value for name, value in labels.items() if value},
            )

    def request(self, sample: Sample, earlier: Sequence[Response] = ()) -> Request | None:
        question: Question = sample.record
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
        rows = [self._row(one) for one in answered]
        statistics = mean_statistics(self._accuracy, rows, by=self.plan.benchmark.by)
        more, missing = self._unanswerable(answered, rows)
        return Scores(rows, [*statistics, *more], missing)

    def _row(self, one: Answered) -> SampleScore:
        sample, row = one.sample, row_of(one)
        try:
            answer = self.answer(one)
            if not sample.record.answers:
                return row(failure="the human answers of this split are not public")
            value = accuracy(answer, sample.record.answers, self.plan.rule)
        except EvalsuiteError as error:
            return row(failure=str(error))
        return row(values={self._accuracy.name: value}, parsed=parsed(answer, self.plan.rule))

    def answer(self, one: Answered) -> str:
        """The answer after gate and postprocessing. Raises SampleError where there is none."""
        gate = self._gate
        text_of(one.response)
        if gate and gate.closes(one.responses[0]):
            return gate.answer
        if len(one.responses) != 1 + bool(gate):
            raise SampleError(f"{len(one.responses)} of {1 + bool(gate)} questions are answered")
        return super().answer(one)

    def _unanswerable(
        self, answered: Sequence[Answered], rows: Sequence[SampleScore]
    ) -> tuple[list[Statistic], dict[str, str]]:
        """Statistics of VizWiz's second task where its columns are declared, or why there are none."""
        declared = [m.metric() for m in self.plan.benchmark.metrics if m.name in unanswerable.COLUMNS]
        known = (
            [
                i
                for i, row in enumerate(rows)
                if not row.failure and answered[i].sample.record.answerable is not None
            ]
            if declared
            else []
        )
        if not known:
            reason = "these data do not say which questions can be answered"
            return [], {metric.name: reason for metric in declared}
        truth = [bool(answered[i].sample.record.answerable) for i in known]
        answers = [self.answer(answered[i]) for i in known]
        return unanswerable.statistics(declared, known, truth, answers), {}


def accuracy(answer: str, answers: Sequence[str], rule: str) -> float:
    """Accuracy in [0, 1] under a VQA rule, `exact`, `verbatim` or `anls`."""
    if rule == ANLS:
        return anls(answer, answers)
    if rule in (EXACT, VERBATIM):
        return float(parsed(answer, rule) in {parsed(reference, rule) for reference in answers})
    return vqa_accuracy(answer, answers, rule)


def parsed(answer: str, rule: str) -> str:
    """The answer as the rule compares it."""
    if rule in (VERBATIM, ANLS):
        return answer
    return answer.strip().lower().removesuffix(".") if rule == EXACT else normalize_answer(answer, rule)


def _table_id(source: Located, value: Any) -> str:
    ending = source.settings.get("id_ending", "")
    return str(value).removesuffix(ending) + ending


def _most_said(answers: Sequence[str]) -> str:
    """What most people answered, the first of equally frequent answers."""
    return Counter(answers).most_common(1)[0][0]


def _fields(question: Question) -> Mapping[str, str | Image]:
    return {"image": question.image, "question": question.question, "ocr": ", ".join(question.ocr or ())}
