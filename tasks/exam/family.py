"""Questions with options asked once, in their own order; some benchmarks mix open ones in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from evalsuite.content import Image, Part, Text
from evalsuite.errors import SampleError
from evalsuite.request import ChoiceResponse, Request, Response, TextResponse
from evalsuite.task import (
    Answered,
    FamilyTask,
    Located,
    Plan,
    RuleSet,
    Sample,
    SampleScore,
    Scores,
    Shot,
    Value,
    certain,
    render,
)
from evalsuite.task.judge_reading import JudgeReads, asks_judge
from evalsuite.task.readers import McqQuestion as Question

from .readers import READERS
from .scoring import row_under, score_rows
from .settings import ProtocolSettings

RECORD = Question
SHOTS = True
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
        self._read = plan.reader(READERS, RECORD)
        self._ranks = plan.benchmark.capability == "choices"
        self._rules = plan.rule_set(*self.rule_kinds[0], defaults=self.rule_kinds[1])
        plan.check_metrics(self._rules.columns)

    def _samples(self) -> Iterator[Sample]:
        return self._of(self.plan.source)

    def _of(self, source: Located) -> Iterator[Sample]:
        for question in self._read(source):
            yield Sample(question.id, question, question.cluster, question.labels)

    def _examples(self) -> Iterator[Sample]:
        """Those with options: an example of an open question has another form."""
        for sample in self._of(self.plan.source.of_examples()):
            question: Question = sample.record
            if question.options and question.answers and not question.problem:
                yield sample

    def _shot(self, example: Sample) -> Shot:
        question: Question = example.record
        return Shot(self._values(question), self._letter(question.answers[0]))

    def _letter(self, letter: str) -> str:
        return letter.lower() if self._settings.letters == "lower" else letter

    def request(self, sample: Sample, earlier: Sequence[Response] = ()) -> Request | None:
        if earlier:
            return None
        question: Question = sample.record
        if question.problem:
            raise SampleError(question.problem)
        settings, protocol = self._settings, self.plan.protocol
        template = protocol.template if question.options or not settings.open else settings.open
        if self.plan.shots is not None and not question.options:
            raise SampleError(
                f"Question {question.id} has no options, and the examples do.", "Leave out shots=."
            )
        messages = self.plan.messages(self._values(question), template, self.shots(sample))
        if not self._ranks:
            return Request(messages, self.plan.output(), prefill=protocol.prefill)
        return Request(messages, self.plan.output(choices=self._continuations(question)))

    def _continuations(self, question: Question) -> tuple[str, ...]:
        """The texts whose likelihood is asked for. Raises SampleError for options that are no texts."""
        for letter, parts in question.options.items():
            if any(isinstance(part, Image) for part in parts):
                raise SampleError(
                    f"Option {letter} of question {question.id} is an image, which has no likelihood."
                )
        pattern = self._settings.continuation
        return tuple(
            pattern.format(letter=self._letter(letter), text=text)
            for letter, text in question.texts().items()
        )

    def answer(self, one: Answered) -> str:
        """The postprocessed answer, or the letter of the likeliest option."""
        response = one.response
        if not isinstance(response, ChoiceResponse):
            return super().answer(one)
        letters: list[str] = [*one.sample.record.options]
        values = list(response.log_likelihoods)
        if len(values) != len(letters):
            raise SampleError(f"{len(values)} likelihoods for {len(letters)} options")
        if any(value != value for value in values):
            raise SampleError("a log-likelihood is NaN")
        if self._settings.normalise == "tokens":
            if len(response.token_counts) != len(values) or not all(response.token_counts):
                raise SampleError("the model does not say how many tokens its continuations have")
            values = [value / count for value, count in zip(values, response.token_counts, strict=True)]
        return letters[max(range(len(values)), key=values.__getitem__)]

    def _values(self, question: Question) -> dict[str, Value]:
        settings = self._settings
        options: list[Part] = []
        for letter, text in question.options.items():
            if options:
                options.append(Text(settings.joiner))
            options += render(settings.option, {"letter": self._letter(letter), "text": text})
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
        if answers and self._ranks:
            letters = [*sample.record.options]
            return certain(letters.index(answers[0]), len(letters))
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
