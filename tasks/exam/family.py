"""Questions with options asked once, in their own order; some benchmarks mix open ones in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Any

from evalsuite.content import Image, Part, Text
from evalsuite.errors import SampleError
from evalsuite.request import Request, Response, TextResponse
from evalsuite.task import Answered, FamilyTask, Plan, RuleSet, Sample, SampleScore, Scores, Value, render
from evalsuite.task.judge_reading import JudgeReads, asks_judge
from evalsuite.task.readers import McqQuestion as Question

from .readers import READERS
from .scoring import row_under, score_rows
from .settings import ProtocolSettings

RECORD = Question
"""What its readers make; it takes every table reader that makes it, too."""
EXAMPLE = Question(
    "example",
    (Text("What is in the bowl?"),),
    {"A": (Text("apples"),), "B": (Text("bread"),), "C": (Text("soup"),)},
    ("A",),
    images=(Image(data=b"", name="example"),),
)
"""A question that shows how a protocol asks (`evalsuite show task`)."""


def build(plan: Plan) -> ExamTask:
    """The task of an exam. Raises SpecError for an unknown rule, metric or reader."""
    task = JudgedExamTask(plan) if asks_judge(plan) else ExamTask(plan)
    plan.source.paths(next(iter(plan.source.files)))
    return task


class ExamTask(FamilyTask):
    """An exam in one protocol; template fields: `image` (all images without a place of their own),
    `question`, `hint`, `options`, `letters` (`A, B`), `notice`."""

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        self._settings = plan.settings(ProtocolSettings, protocol=True)
        self._read = partial(plan.reader(READERS, RECORD), plan.source)
        self._rules = plan.rule_set(*self.rule_kinds[0], defaults=self.rule_kinds[1])
        plan.check_metrics(self._rules.columns)

    def _samples(self) -> Iterator[Sample]:
        for question in self._read():
            yield Sample(question.id, question, question.cluster, question.labels)

    def request(self, sample: Sample, earlier: Sequence[Response] = ()) -> Request | None:
        if earlier:
            return None
        question: Question = sample.record
        if question.problem:
            raise SampleError(question.problem)
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
            shown = letter.lower() if settings.letters == "lower" else letter
            options += render(settings.option, {"letter": shown, "text": text})
        hint = settings.hint.format(hint=question.hint) if question.hint else ""
        return {
            "image": question.images,
            "question": question.question,
            "hint": hint,
            "options": tuple(options),
            "letters": ", ".join(question.options),
            "notice": next(
                (settings.notice[label] for label in question.labels.values() if label in settings.notice), ""
            ),
        }

    def reference_answer(self, sample: Sample, earlier: Sequence[Response] = ()) -> Response | None:
        answers = sample.record.answers
        return TextResponse(answers[0]) if answers else None

    def target(self, sample: Sample) -> Any:
        return list(sample.record.answers)

    def score(self, answered: Sequence[Answered]) -> Scores:
        return self.scores(score_rows(answered, self.answer, self._rules))

    rule_kinds = (("letters", "open"), MappingProxyType({"open": "mmmu-open"}))

    def scored(self, one: Answered, answer: str | None = None, rules: RuleSet | None = None) -> SampleScore:
        return row_under(one, self.answer if answer is None else (lambda _: answer), rules or self._rules)

    def shown_to_judge(self, sample: Sample) -> Mapping[str, str]:
        question: Question = sample.record
        texts = question.texts()
        return {
            "question": "".join(part.text for part in question.question if isinstance(part, Text)),
            "hint": question.hint,
            "options": "\n".join(f"({letter}) {text}" for letter, text in texts.items()),
            "options_in_line": " ".join(f"({letter.lower()}) {text}" for letter, text in texts.items()),
            "reference": ", ".join(texts.get(one) or one for one in question.answers),
            "reference_mark": ", ".join(f"({one.lower()})" for one in question.answers),
        }


class JudgedExamTask(JudgeReads, ExamTask):
    """An exam whose unread answers a judge reads."""
