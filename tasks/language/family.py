"""Language-only multiple choice: the likelihood of each choice after a prompt decides."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property, partial
from types import MappingProxyType
from typing import Any

from evalsuite.content import Text
from evalsuite.errors import DataError, SampleError, SpecError, suggest
from evalsuite.request import ChoiceResponse, Request, Response
from evalsuite.task import (
    IMPOSSIBLE,
    Answered,
    FamilyTask,
    Plan,
    Sample,
    SampleScore,
    Scores,
    certain,
    fields_of,
    render,
    row_of,
)
from evalsuite.task.metrics import choose

from .readers import EXAMPLES, FORMS, READERS, Item
from .settings import ProtocolSettings, Settings
from .subjects import CATEGORIES

PLAIN, NORMALISED = "accuracy", "normalised accuracy"


def _wikihow(text: str) -> str:
    """HellaSwag's traces of WikiHow: bracketed marks go, " [title]" ends a sentence."""
    text = re.sub(r"\[.*?\]", "", text.strip().replace(" [title]", ". "))
    return text.replace("  ", " ")


TIDY: Mapping[str, Callable[[str], str]] = MappingProxyType(
    {
        # lm-evaluation-harness, lm_eval/tasks/hellaswag/utils.py: strips before, not after.
        "wikihow": _wikihow,
        # DreamLLM, omni/eval/language_eval: also merges periods and strips the result.
        "wikihow-dots": lambda text: _wikihow(text).replace("..", ".").strip(),
    }
)


def build(plan: Plan) -> LanguageTask:
    """The task of a language benchmark. Raises SpecError for an unknown reader, form or postprocessing."""
    settings = plan.settings(Settings)
    protocol = plan.settings(ProtocolSettings, protocol=True)
    for name, value, known in (("form", settings.form, FORMS), ("tidy", protocol.tidy or "wikihow", TIDY)):
        if value not in known:
            raise SpecError(f"{plan.benchmark.name}: there is no {name} {value!r}.", suggest(value, known))
    if protocol.shots and not plan.source.has(EXAMPLES):
        raise SpecError(
            f"{plan.benchmark.name}: protocol {plan.protocol_name!r} shows examples, and the source "
            f"{plan.source.reader!r} names no file {EXAMPLES!r}.",
            "Correct the benchmark's file.",
        )
    task = LanguageTask(plan, settings, protocol)
    plan.source.paths(next(iter(plan.source.files)))
    return task


class LanguageTask(FamilyTask):
    """A language benchmark in one protocol; template fields are those of its form.

    A template with the field `option` makes a prompt per choice, all followed by the same text (WinoGrande):
    a sample then is as many requests as it has choices. Otherwise one request scores all choices.

    The prompt is one user turn. Published numbers were made without a chat template: choose the model's
    plain template to repeat them.
    """

    def __init__(self, plan: Plan, settings: Settings, protocol: ProtocolSettings) -> None:
        super().__init__(plan)
        self._protocol = protocol
        self._form = FORMS[settings.form]
        self._read = partial(plan.reader(READERS), plan.source, self._form)
        plan.check_metrics((PLAIN, NORMALISED))
        self._columns = plan.columns
        names = fields_of(plan.protocol.template)
        self._per_option = "option" in names
        self._named = tuple(name for name in names if name != "option")

    def _samples(self) -> Iterator[Sample]:
        for item in self._read():
            labels = {"category": CATEGORIES.get(item.subject, ""), "subject": item.subject}
            yield Sample(item.id, item, labels={name: value for name, value in labels.items() if value})

    def request(self, sample: Sample, earlier: Sequence[Response] = ()) -> Request | None:
        item: Item = sample.record
        contexts = self.contexts(item)
        if len(earlier) >= len(contexts):
            return None
        output = self.plan.output(choices=self.continuations(item))
        return Request(self.plan.messages({"context": contexts[len(earlier)]}, "{context}"), output)

    def contexts(self, item: Item) -> tuple[str, ...]:
        """What stands before the continuations: one text, or one for each choice."""
        options = item.choices if self._per_option else ("",)
        return tuple(self._before(item) + self._context(item, option) for option in options)

    def continuations(self, item: Item) -> tuple[str, ...]:
        """The texts whose likelihood is asked for."""
        texts = ("",) if self._per_option else self._texts(item)
        return tuple(_text(self._protocol.choice, {**item.fields, "text": text}) for text in texts)

    def _texts(self, item: Item) -> tuple[str, ...]:
        texts = self._protocol.choices or item.choices
        return tuple(self._tidy(text) for text in texts)

    def _context(self, item: Item, option: str = "") -> str:
        absent = [name for name in self._named if name not in item.fields]
        if absent:
            raise SampleError(
                f"{item.id}: this source has no {absent[0].replace('_', ' ')}, which protocol "
                f"{self.plan.protocol_name!r} of {self.plan.benchmark.name} shows.",
                "Use the official file, or the hub's columns that the benchmark names.",
            )
        return self._tidy(_text(self.plan.protocol.template, {**item.fields, "option": option}))

    def _tidy(self, text: str) -> str:
        return TIDY[self._protocol.tidy](text) if self._protocol.tidy else text

    def _before(self, item: Item) -> str:
        """Description and examples."""
        protocol = self._protocol
        parts = [_text(protocol.description, item.fields)]
        if protocol.shots:
            examples = self._dev.get(item.subject, [])
            if len(examples) < protocol.shots:
                raise SampleError(
                    f"{item.id}: {len(examples)} examples of the subject {item.subject!r} instead of "
                    f"{protocol.shots}.",
                    "Is the data set complete?",
                )
            for example in examples[: protocol.shots]:
                parts += [self._context(example), self._answer(example), protocol.separator]
        return "".join(parts)

    def _answer(self, item: Item) -> str:
        if item.gold is None:
            raise DataError(f"Example {item.id} has no right choice.", "Is this the split of the examples?")
        return self.continuations(item)[item.gold]

    @cached_property
    def _dev(self) -> Mapping[str, list[Item]]:
        found: dict[str, list[Item]] = {}
        for item in self.plan.reader(READERS)(self.plan.source, self._form, EXAMPLES):
            found.setdefault(item.subject, []).append(item)
        return found

    def reference_answer(self, sample: Sample, earlier: Sequence[Response] = ()) -> Response | None:
        """Certainty about the right choice."""
        item: Item = sample.record
        if item.gold is None:
            return None
        if self._per_option:
            return ChoiceResponse((0.0 if len(earlier) == item.gold else IMPOSSIBLE,), (1,))
        return certain(item.gold, len(item.choices))

    def target(self, sample: Sample) -> Any:
        return sample.record.gold

    def score(self, answered: Sequence[Answered]) -> Scores:
        return self.scores([self._row(one) for one in answered])

    def _row(self, one: Answered) -> SampleScore:
        item: Item = one.sample.record
        row = row_of(one)
        if item.gold is None:
            return row(failure="the right choices of this split are not public")
        try:
            chosen = choose(self._likelihoods(item, one.responses), self._texts(item))
        except SampleError as error:
            return row(failure=str(error))
        picks = {PLAIN: chosen.plain, NORMALISED: chosen.per_character}
        return row(
            values={name: float(picks[name] == item.gold) for name in self._columns},
            parsed=str(chosen.plain),
        )

    def _likelihoods(self, item: Item, responses: Sequence[Response]) -> list[float]:
        wanted = len(item.choices) if self._per_option else 1
        if len(responses) != wanted:
            raise SampleError(f"{len(responses)} of {wanted} prompts are answered")
        found: list[float] = []
        for response in responses:
            if not isinstance(response, ChoiceResponse):
                raise SampleError(f"the answer is a {type(response).__name__}, not likelihoods")
            found += response.log_likelihoods
        return found


def _text(template: str, values: Mapping[str, str]) -> str:
    return "".join(part.text for part in render(template, values) if isinstance(part, Text))
