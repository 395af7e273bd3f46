"""Questions with options asked once, in their own order; some benchmarks mix open ones in."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from pydantic import BaseModel, ConfigDict

from evalsuite.content import Part, Text
from evalsuite.errors import SampleError, SpecError, suggest
from evalsuite.request import Request, Response, TextResponse
from evalsuite.task import (
    Answered,
    FamilyTask,
    Plan,
    Sample,
    SampleScore,
    Scores,
    Value,
    mean_statistics,
    render,
    row_of,
)
from evalsuite.task.metrics import LETTER_RULES, mmmu_open_hit, read_letter

from .readers import READERS, Question

GUESSING = "mmmu-guessing"
"""The rule `mmmu` with the official guess for an undecided answer (`main_parse_and_eval.py --subject ALL`):
drawn one after the other, subjects in alphabetical order, so it depends on the answers before it."""
OFFICIAL_SEED = 42
UNDECIDED = "?"
"""What is shown of an answer that means none of the options."""


class ProtocolSettings(BaseModel):
    """What a protocol may say under `settings`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    option: str = "{letter}. {text}"
    joiner: str = "\n"
    hint: str = "{hint}\n"
    """What the field `hint` becomes where a question has one."""
    open: str = ""
    """The template of questions without options; empty: the protocol's own."""


def build(plan: Plan) -> ExamTask:
    """The task of an exam. Raises SpecError for an unknown rule or reader."""
    rules = (*LETTER_RULES, GUESSING)
    if plan.rule not in rules:
        raise SpecError(
            f"{plan.benchmark.name}: there is no letter rule {plan.rule!r}.", suggest(plan.rule, rules)
        )
    task = ExamTask(plan)
    plan.source.paths(next(iter(plan.source.files)))
    return task


class ExamTask(FamilyTask):
    """An exam in one protocol; template fields: `image` (all images without a place of their own),
    `question`,
    `hint`, `options`."""

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        self._settings = plan.settings(ProtocolSettings, protocol=True)
        self._read = partial(plan.reader(READERS), plan.source)
        self._accuracy = plan.benchmark.metric("accuracy")

    def _samples(self) -> Iterator[Sample]:
        for question in self._read():
            yield Sample(question.id, question, labels=question.labels)

    def request(self, sample: Sample, earlier: Sequence[Response] = ()) -> Request | None:
        if earlier:
            return None
        question: Question = sample.record
        settings, protocol = self._settings, self.plan.protocol
        template = protocol.template if question.options or not settings.open else settings.open
        messages = self.plan.messages(self._values(question), template)
        return Request(messages, self.plan.output(), prefill=protocol.prefill)

    def _values(self, question: Question) -> dict[str, Value]:
        settings = self._settings
        options: list[Part] = []
        for letter, text in question.options.items():
            if options:
                options.append(Text(settings.joiner))
            options += render(settings.option, {"letter": letter, "text": text})
        hint = settings.hint.format(hint=question.hint) if question.hint else ""
        return {
            "image": question.images,
            "question": question.question,
            "hint": hint,
            "options": tuple(options),
        }

    def reference_answer(self, sample: Sample, earlier: Sequence[Response] = ()) -> Response | None:
        answers = sample.record.answers
        return TextResponse(answers[0]) if answers else None

    def target(self, sample: Sample) -> Any:
        return list(sample.record.answers)

    def score(self, answered: Sequence[Answered]) -> Scores:
        rows: list[SampleScore] = []
        undecided: list[tuple[str, int, list[str], tuple[str, ...]]] = []
        # Once through: answers are read from disk, and samples hold images.
        for place, one in enumerate(answered):
            rows.append(self._row(one))
            if rows[place].parsed == UNDECIDED and one.sample.record.options and self.plan.rule == GUESSING:
                question: Question = one.sample.record
                subject = one.sample.labels.get("subject", "")
                undecided.append((subject, place, [*question.options], question.answers))
        guesses = random.Random(OFFICIAL_SEED)
        for _, place, letters, right in sorted(undecided):
            pick = guesses.choice(letters)
            rows[place] = replace(rows[place], values=self._hit(pick in right), parsed=pick)
        return Scores(rows, mean_statistics(self._accuracy, rows, by=self.plan.benchmark.by))

    def _row(self, one: Answered) -> SampleScore:
        question: Question = one.sample.record
        row = row_of(one)
        try:
            said = self.answer(one)
        except SampleError as error:
            return row(failure=str(error))
        if not question.answers:
            return row(failure="the right answers of this split are not public")
        if not question.options:
            return row(values=self._hit(mmmu_open_hit(said, question.answers)), parsed=said)
        rule = "mmmu" if self.plan.rule == GUESSING else self.plan.rule
        pick = read_letter(said, question.texts(), rule)
        return row(values=self._hit(pick in question.answers), parsed=pick or UNDECIDED)

    def _hit(self, right: bool) -> dict[str, float]:
        return {self._accuracy.name: float(right)}
