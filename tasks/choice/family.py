"""Multiple-choice questions about an image, asked in every rotation of their options (CircularEval)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from evalsuite.content import Image
from evalsuite.errors import EvalsuiteError, SampleError
from evalsuite.request import ChoiceResponse, Request, Response, TextResponse
from evalsuite.task import (
    Answered,
    FamilyTask,
    GroundTruth,
    Located,
    Plan,
    Sample,
    SampleScore,
    Scores,
    Shot,
    Value,
    certain,
    postprocess,
    row_of,
    text_of,
)

from .readers import READERS, ChoiceQuestion, Rotation
from .scoring import COLUMN, declared, hits
from .settings import BenchmarkSettings, ChoiceSettings

SHOTS = True
EXAMPLE = ChoiceQuestion(
    "example",
    "What is in the bowl?",
    "It is breakfast.",
    (Rotation({"A": "apples", "B": "bread", "C": "soup"}, "A"),),
    Image(data=b"", name="example"),
)
"""A question that shows how a protocol asks (`evalsuite show task`)."""
WITH_JUDGE = "+judge"
"""A rule with this at its end asks a judge where it cannot decide itself."""


def build(plan: Plan) -> ChoiceTask:
    """The task of a multiple-choice benchmark. Raises SpecError for an unknown rule, metric or reader."""
    plan.source.path("table")
    read = plan.reader(READERS)
    if not isinstance(plan.rule, str) or not plan.rule.endswith(WITH_JUDGE):
        return ChoiceTask(plan, read)
    from .judged import JudgedChoiceTask

    return JudgedChoiceTask(plan, read)


class ChoiceTask(FamilyTask):
    """A multiple-choice benchmark in one protocol; template fields: `image`, `question`, `hint`, `options`.

    A sample is one question. Its rotations are asked one after the other; with a gate, each is two requests.
    """

    def __init__(self, plan: Plan, read: Callable[[Located], Iterator[ChoiceQuestion]]) -> None:
        super().__init__(plan)
        self._read = read
        rule = plan.rule.removesuffix(WITH_JUDGE) if isinstance(plan.rule, str) else plan.rule
        self._rules = plan.rule_set("letters", choice=rule)
        self._settings = plan.settings(ChoiceSettings, protocol=True)
        self._rotations = plan.settings(BenchmarkSettings).rotations
        self._within, self._across = declared(plan.benchmark.metrics)
        plan.check_metrics((COLUMN,), self._within)
        plan.check_metrics([spec.name for spec in self._within], self._across)

    @property
    def gated(self) -> bool:
        return self._settings.gate is not None

    def _samples(self) -> Iterator[Sample]:
        return self._of(self.plan.source)

    def _examples(self) -> Iterator[Sample]:
        """Those with an image and a public answer; an example is shown in its original order."""
        for sample in self._of(self.plan.source.of_examples()):
            if sample.record.image is not None and sample.record.rotations[0].answer:
                yield sample

    def _shot(self, example: Sample) -> Shot:
        question: ChoiceQuestion = example.record
        assert question.image is not None
        rotation = question.rotations[0]
        values = self._values(question, rotation, question.image)
        letter = self._letter(rotation.answer)
        text = rotation.options[rotation.answer]
        return Shot(values, self._settings.continuation.format(letter=letter, text=text))

    def _of(self, source: Located) -> Iterator[Sample]:
        for question in self._read(source):
            labels = {"L2": question.l2, "L3": question.l3, "split": question.split}
            yield Sample(
                question.id, question, labels={name: value for name, value in labels.items() if value}
            )

    def request(self, sample: Sample, earlier: Sequence[Response] = ()) -> Request | None:
        question: ChoiceQuestion = sample.record
        if question.image is None:
            raise SampleError(f"Question {question.id} cannot be asked: {question.problem}")
        rotations, gate = self._asked(question), self._settings.gate
        position, second = divmod(len(earlier), 2) if gate else (len(earlier), 1)
        if position >= len(rotations):
            return None
        values = self._values(question, rotations[position], question.image)
        template = self.plan.protocol.template
        if gate and not second:
            template = gate.template
        elif gate and not text_of(earlier[-1]).strip().lower().startswith(gate.starts.lower()):
            template = gate.otherwise
        choices = {}
        if self.plan.benchmark.capability == "choices":
            choices["choices"] = tuple(
                self._settings.continuation.format(letter=self._letter(letter), text=text)
                for letter, text in rotations[position].options.items()
            )
        output = self.plan.output(**choices)
        messages = self.plan.messages(values, template, self.shots(sample))
        return Request(messages, output, prefill=self.plan.protocol.prefill)

    def reference_answer(self, sample: Sample, earlier: Sequence[Response] = ()) -> Response | None:
        """The right letter of the rotation, or certainty about it."""
        gate = self._settings.gate
        position, second = divmod(len(earlier), 2) if gate else (len(earlier), 1)
        rotation = self._asked(sample.record)[position]
        if not rotation.answer:
            return None
        if gate and not second:
            return TextResponse(gate.starts)
        if self.plan.benchmark.capability == "choices":
            return certain(list(rotation.options).index(rotation.answer), len(rotation.options))
        return TextResponse(self._letter(rotation.answer))

    def target(self, sample: Sample) -> Any:
        return [rotation.answer for rotation in self._asked(sample.record)]

    def score(self, answered: Sequence[Answered]) -> Scores:
        return self.scores([self._row(one) for one in answered], self._across)

    def _row(self, one: Answered) -> SampleScore:
        row = row_of(one)
        try:
            answers, picks = self._decided(one)
        except EvalsuiteError as error:
            return row(failure=str(error))
        # Unread without a judge counts as wrong, as in the official tool's exact matching.
        return row(
            values=self._hits(one.sample, answers, picks),
            parsed=" ".join(pick or "?" for pick in picks),
            unread=None in picks,
        )

    def _decided(self, one: Answered) -> tuple[list[str], list[str | None]]:
        """The right letters, and what the rule makes of the answers. Raises SampleError for answers that
        cannot be scored."""
        rotations = self._asked(one.sample.record)
        answers = [rotation.answer for rotation in rotations]
        if not all(answers):
            raise SampleError("the right answers of this split are not public")
        given = one.responses[1::2] if self._settings.gate else one.responses
        if len(given) != len(rotations):
            raise SampleError(f"{len(given)} of {len(rotations)} rotations are answered")
        return answers, [
            self._pick(reply, rotation, one.sample) for reply, rotation in zip(given, rotations, strict=True)
        ]

    def _hits(self, sample: Sample, answers: Sequence[str], picks: Sequence[str | None]) -> dict[str, float]:
        return hits(self._within, sample, answers, picks)

    def _pick(self, response: Response, rotation: Rotation, sample: Sample) -> str | None:
        if isinstance(response, ChoiceResponse):
            if len(response.log_likelihoods) != len(rotation.options):
                raise SampleError(
                    f"{len(response.log_likelihoods)} likelihoods for {len(rotation.options)} options"
                )
            return list(rotation.options)[response.best]
        answer = postprocess(text_of(response), self.plan.protocol.postprocess)
        return self._read_letter(answer, rotation, sample)

    def _read_letter(self, text: str, rotation: Rotation, sample: Sample) -> str | None:
        """The letter that a text means under the benchmark's rule; None where the rule leaves it unread."""
        truth = GroundTruth((rotation.answer,), rotation.options, sample.labels)
        verdict = self._rules.verdict(text, truth, "letters")
        return None if verdict.unread else verdict.parsed

    def _asked(self, question: ChoiceQuestion) -> tuple[Rotation, ...]:
        return question.rotations[: self._rotations]

    def _letter(self, letter: str) -> str:
        return letter.lower() if self._settings.letters == "lower" else letter

    def _values(self, question: ChoiceQuestion, rotation: Rotation, image: Image) -> dict[str, Value]:
        settings = self._settings
        options = settings.joiner.join(
            settings.option.format(letter=self._letter(letter), text=text)
            for letter, text in rotation.options.items()
        )
        hint = settings.hint.format(hint=question.hint) if question.hint else settings.no_hint
        return {"image": image, "question": question.question, "hint": hint, "options": options}
