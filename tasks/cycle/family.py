"""Cycles: what a model generates comes back to it, step by step, every step stored."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from evalsuite.content import Image, Text
from evalsuite.errors import EvalsuiteError, SampleError, SpecError
from evalsuite.request import (
    Capability,
    DocumentResponse,
    GenerateImages,
    ImageResponse,
    Request,
    Response,
    TextResponse,
)
from evalsuite.task import (
    Answered,
    FamilyTask,
    GroundTruth,
    Option,
    Plan,
    RuleSet,
    Sample,
    SampleScore,
    Scores,
    TaskInfo,
    networks,
    postprocess,
    row_of,
    text_of,
)
from evalsuite.task.aggregates import MetricSpec, leaves
from evalsuite.task.aggregating import aggregate, values_within
from evalsuite.task.miniature import PromptTruth
from evalsuite.task.networks import choose_columns
from evalsuite.task.other_run import OtherImages
from evalsuite.task.readers import decode
from evalsuite.task.rules import Rule

from .calls import Call, calls_of, given_images, values_of
from .puzzles import puzzle_rows
from .readers import READERS
from .records import CycleQuestion, CycleSample
from .scoring import over_samples
from .settings import ProtocolSettings, Settings, flat
from .similarity import Similarities, needed_networks

RECORD = CycleSample
CAPABILITY: Mapping[str, Capability] = {"generate": "image", "edit": "edit", "document": "interleaved"}
"""Verb -> what it takes of a model; the others take text."""
OPTIONS = (
    Option(
        "images",
        "run whose generated images are asked about, instead of own ones",
        Path,
        removes=("image", "edit"),
    ),
    *networks.OPTIONS,
)
EXAMPLE = CycleSample(
    "example",
    {"prompt": "A red bowl on a table."},
    (CycleQuestion("What color is the bowl?\n(A) red, (B) blue", ("A",), {"A": "red", "B": "blue"}),),
    {"image": (Image(data=b"", name="example"),), "true": (Image(data=b"", name="true"),)},
)
"""A sample that shows how a protocol asks (`evalsuite show task`)."""
GENERATED, READ = "generated", "read"
"""Columns of a checker: whether an image shows what its prompt states; whether an answer is right about what
the image that was shown really shows."""


def build(plan: Plan) -> FamilyTask:
    """The task of a cycle. Raises SpecError for an unknown rule, metric or reader, and malformed steps;
    UnavailableError where the headline's network is not here."""
    from .judged import JudgedCycle

    judged = plan.settings(Settings).judge is not None
    task: CycleTask = JudgedCycle(plan) if judged else CycleTask(plan)
    plan.source.paths(next(iter(plan.source.files)))
    return task


class CycleTask(FamilyTask):
    """A cycle in one protocol; template fields: see `settings`.

    The rows of its metrics are single answers and (where a checker knows the truth) single images, labelled
    by `step`; intervals resample whole samples.
    """

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        self._read = partial(plan.reader(READERS, RECORD), plan.source)
        self._steps = plan.settings(ProtocolSettings, protocol=True).steps
        self.settings = plan.settings(Settings)
        self._checked = self.settings.truth == "mini-world"
        self._asks = any(step.verb == "ask" for step in flat(self._steps))
        if not (self._asks or self.settings.scores):
            raise SpecError(
                f"{plan.benchmark.name}: no step asks anything: the cycle would have nothing to score.",
                "Add a step that says `ask`, or `judge` or `similarities` to the settings.",
            )
        self._declared = [spec for spec in plan.benchmark.metrics if spec.name not in self.settings.decays]
        plan.check_metrics(self._known(), self._declared)
        for step in flat(self._steps):
            need = CAPABILITY.get(step.verb, "text")
            if need not in plan.benchmark.needs:
                raise SpecError(
                    f"{plan.benchmark.name}: a step says {step.verb}, and `needs` has no {need!r}.",
                    f"Write needs: [{', '.join((*plan.benchmark.needs, need))}].",
                )
        self._columns = choose_columns(
            plan, self.settings.networks, needed_networks(plan.benchmark.metrics, self.settings)
        )
        self._made: dict[int, list[Call]] = {}
        self._similar = Similarities(self._columns, self.settings)
        given = plan.options.get("images")
        self._borrowed = None if given is None else OtherImages(Path(given).expanduser(), plan.benchmark.name)

    @cached_property
    def _rules(self) -> RuleSet:
        return self.plan.rule_set("letters", "open", "yes-no", defaults={"open": "exact"})

    @property
    def scoring_rules(self) -> tuple[Rule, ...]:
        """None where nothing is asked: a judge or a network scores what is generated."""
        return self._rules.rules if self._asks else ()

    def _known(self) -> tuple[str, ...]:
        """The columns that rows may have."""
        scored = [name for one in self._rules.rules for name in (one.column, *one.also)] if self._asks else []
        return (*scored, *((GENERATED, READ) if self._checked else ()), *self.settings.columns)

    @property
    def info(self) -> TaskInfo:
        """Where another run's images are asked about, the protocol says so."""
        found = self._columns.info
        if self._borrowed is None:
            return found
        return replace(found, protocol=f"{found.protocol}, images of {self._borrowed.model}", needs=("text",))

    def _samples(self) -> Iterator[Sample]:
        for one in self._read():
            yield Sample(one.id, one, one.cluster, one.labels)

    def _calls(self, record: CycleSample) -> list[Call]:
        """All calls of a sample, which depend on how many questions it has."""
        count = len(record.questions)
        if count not in self._made:
            self._made[count] = calls_of(self._steps, record)
        return self._made[count]

    def _all(self, sample: Sample, earlier: Sequence[Response]) -> tuple[list[Call], list[Response]]:
        """All calls, and a response for each that is answered by now; another run's images are among them."""
        calls = self._calls(sample.record)
        own = iter(earlier)
        borrowed = iter(self._borrowed.of(sample.id)) if self._borrowed else iter(())
        found: list[Response] = []
        for call in calls:
            if self._borrowed and call.step.images:
                images = next(borrowed, None)
                if images is None:
                    raise SampleError(
                        f"{call.words}: the run {self._borrowed.path} has no image of this sample"
                    )
                found.append(ImageResponse(images))
                continue
            response = next(own, None)
            if response is None:
                break
            found.append(response)
        return calls, found

    def request(self, sample: Sample, earlier: Sequence[Response] = ()) -> Request | None:
        record: CycleSample = sample.record
        if record.problem:
            raise SampleError(record.problem)
        calls, answered = self._all(sample, earlier)
        if len(answered) == len(calls):
            return None
        call = calls[len(answered)]
        values = values_of(call, record, calls, answered)
        capability = CAPABILITY.get(call.step.verb, "text")
        made = self.plan.request(values, template=call.step.template, capability=capability)
        if not call.step.images:
            return made
        assert isinstance(made.output, GenerateImages)
        return replace(made, output=replace(made.output, count=call.step.count))

    def reference_answer(self, sample: Sample, earlier: Sequence[Response] = ()) -> Response | None:
        """The true image, where there is one; the right answer."""
        record: CycleSample = sample.record
        calls, answered = self._all(sample, earlier)
        call = calls[len(answered)]
        if call.step.images:
            true = record.images.get("true", ())
            return ImageResponse(true[:1] * call.step.count) if true else None
        if call.step.verb == "document":
            text = Text(record.fields.get("prompt", ""))
            return DocumentResponse((text, *record.images.get("true", ())[:1]))
        if call.step.verb == "caption":
            return TextResponse(record.fields.get("prompt", ""))
        answers = record.questions[call.question or 0].answers
        return TextResponse(answers[0]) if answers else None

    def target(self, sample: Sample) -> Any:
        return {**sample.record.fields, "answers": [list(one.answers) for one in sample.record.questions]}

    def score(self, answered: Sequence[Answered]) -> Scores:
        rows: list[SampleScore] = []
        inner: list[SampleScore] = []
        owner: list[int] = []
        made = self.plan.benchmark
        for place, one in enumerate(answered):
            row = row_of(one)
            try:
                parts = self._parts(one)
            except EvalsuiteError as error:
                rows.append(row(failure=str(error)))
                continue
            inner += parts
            owner += [place] * len(parts)
            rows.append(
                row(
                    values=values_within(self._computable(parts)[0], parts),
                    parsed=" ".join(part.parsed or "?" for part in parts),
                    unread=any(part.unread for part in parts),
                )
            )
        wanted, missing = self._computable(inner)
        found = aggregate(wanted, inner, by=made.by)
        inside = [one for one in found.statistics if len(one.rows)] + self._similar.decays(inner)
        statistics = [over_samples(one, found.rows, owner) for one in inside]
        missing = {**self._columns.missing, **missing, **found.missing}
        return Scores(rows, statistics, missing, self._columns.details(), found.notes)

    def _computable(self, inner: Sequence[SampleScore]) -> tuple[list[MetricSpec], dict[str, str]]:
        """The metrics whose columns these rows have, and why the others are missing: a protocol that
        generates nothing has no generated image to check."""
        declared = {spec.name: spec for spec in self._declared if spec.name in self._columns.names}
        columns = {name for part in inner for name in part.values}
        labels = {name for part in inner for name in part.labels}
        wanted: list[MetricSpec] = []
        missing: dict[str, str] = {}
        for name, spec in declared.items():
            lacking = sorted(leaves(name, declared) - columns)
            lacking += [label for one in spec.nested() for label in one.labels if label not in labels]
            if lacking and inner:
                missing[name] = f"the protocol {self.plan.protocol_name!r} gives no {lacking[0]!r}"
            elif inner:
                wanted.append(spec)
        return wanted, missing

    def _parts(self, one: Answered) -> list[SampleScore]:
        """A row per answer, per image where a checker knows the truth, and per result that is compared with
        the beginning. Raises EvalsuiteError, which names the step, where one is missing."""
        record: CycleSample = one.sample.record
        calls, responses = self._answered(one)
        found: list[SampleScore] = []
        shown: dict[tuple[str, int], Any] = {}
        counts: dict[str, int] = {}
        for call, response in zip(calls, responses, strict=True):
            if call.step.images:
                for image in given_images(call, response):
                    k = counts.get(call.step.called, 0)
                    counts[call.step.called] = k + 1
                    if self._checked:
                        shown[call.step.called, k] = seen = self._look(record, image)
                        labels = {**one.sample.labels, "step": call.step.called}
                        found.append(
                            SampleScore(
                                f"{one.sample.id}/{call.step.called}#{k + 1}",
                                {GENERATED: seen[0]},
                                one.sample.id,
                                labels,
                                parsed=seen[1],
                            )
                        )
            elif call.step.verb == "ask":
                found.append(self._answer(one, call, response, shown, len(found)))
        found += puzzle_rows(self.settings.puzzle, one.sample, calls, responses)
        return found + self._similar.rows(one.sample, calls, responses, found)

    def _answered(self, one: Answered) -> tuple[list[Call], list[Response]]:
        """All calls and their responses. Raises SampleError, which names the step, where one is missing."""
        calls, responses = self._all(one.sample, one.responses)
        if len(responses) < len(calls):
            raise SampleError(f"{calls[len(responses)].words} of {calls[-1].place} was not answered")
        return calls, responses

    def _answer(
        self, one: Answered, call: Call, response: Response, shown: Mapping[tuple[str, int], Any], place: int
    ) -> SampleScore:
        record: CycleSample = one.sample.record
        asked = record.questions[call.question or 0]
        try:
            said = postprocess(text_of(response), self.plan.protocol.postprocess)
        except SampleError as error:
            raise SampleError(f"{call.words}: {error}") from error
        if not asked.answers:
            raise SampleError("the right answers of this split are not public")
        labels = {**one.sample.labels, **asked.labels, "step": call.step.called}
        verdict = self._rules.verdict(said, GroundTruth(asked.answers, asked.options, labels), asked.kind)
        column = self._rules.rule(asked.kind, labels).column
        values = {} if verdict.value is None else {column: float(verdict.value), **verdict.more}
        image = shown.get(next(iter(call.image.items()), ("", 0))) if call.image else self._only(call, shown)
        if image is not None:
            labels["generated"] = "yes" if image[0] else "no"
            colours = image[2].get(asked.about)
            if colours:
                truth = GroundTruth((colours,), asked.options, labels)
                values[READ] = float(self._rules.verdict(said, truth, asked.kind).value or 0.0)
        return SampleScore(
            f"{one.sample.id}/{place}",
            values,
            one.sample.id,
            labels,
            parsed=verdict.parsed,
            unread=verdict.unread,
        )

    @staticmethod
    def _only(call: Call, shown: Mapping[tuple[str, int], Any]) -> Any:
        """The one generated image that a question without `each` is asked about."""
        named = [key for key in shown if f"{{{key[0]}}}" in call.step.template]
        return shown[named[-1]] if named else None

    @cached_property
    def _truth(self) -> PromptTruth:
        return PromptTruth.read(self.plan.source)

    def _look(self, record: CycleSample, image: Image) -> tuple[float, str, Mapping[str, str]]:
        """Whether an image shows what its prompt states, what it shows in words, and each shape's colour."""
        decoded = decode(image)
        image_id, name, text = record.truth
        seen = self._truth.drawn(image_id, name, text, decoded)
        return seen.values["overall"], seen.words, self._truth.colours(decoded)
