"""Subject-driven generation: a subject in reference images, and a prompt that puts it elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from evalsuite.content import Image
from evalsuite.request import GenerateImages, Request, Response
from evalsuite.task import (
    Answered,
    FamilyTask,
    Plan,
    Sample,
    Scores,
    TaskInfo,
    Value,
    networks,
    require_columns,
)
from evalsuite.task.miniature import SubjectTruth
from evalsuite.task.networks import Columns, choose_columns
from evalsuite.task.readers import Subject, dreambooth

from .readers import READERS
from .scoring import Scorer
from .settings import ProtocolSettings, Settings

OPTIONS = networks.OPTIONS


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked: a subject, and the prompt without a token."""

    subject: Subject
    template: str
    prompt: str


def build(plan: Plan) -> SubjectTask:
    """The task of a subject benchmark.

    Raises SpecError for a malformed file, UnavailableError when the headline's network is not here.
    """
    settings = plan.settings(Settings)
    needs = require_columns(plan, settings.columns)
    columns = choose_columns(plan, settings.networks, needs)
    plan.source.path("prompts")
    return SubjectTask(plan, settings, columns)


class SubjectTask(FamilyTask):
    """A subject benchmark in one protocol; template fields: `references`, `prompt`, `class`."""

    def __init__(self, plan: Plan, settings: Settings, columns: Columns) -> None:
        super().__init__(plan)
        self.settings = settings
        self.columns = columns
        self.protocol = plan.settings(ProtocolSettings, protocol=True)
        output = plan.output()
        assert isinstance(output, GenerateImages)
        self.count = output.count
        self._read = plan.reader(READERS)

    @property
    def info(self) -> TaskInfo:
        return self.columns.info

    @cached_property
    def _truth(self) -> SubjectTruth | None:
        return SubjectTruth.read(self.plan.source) if self.settings.truth else None

    def _samples(self) -> Iterator[Sample]:
        for subject, templates in self._read(self.plan.source):
            for number, template in enumerate(templates, start=1):
                wish = Wish(subject, template, dreambooth.prompt(template, subject.class_name))
                labels = {"kind": subject.kind, "class": subject.class_name}
                if self._truth:
                    labels |= self._truth.labels(subject.name, wish.prompt)
                yield Sample(f"{subject.name}-{number:02d}", wish, cluster=subject.name, labels=labels)

    def request(self, sample: Sample, earlier: Sequence[Response] = ()) -> Request | None:
        if earlier:
            return None
        wish: Wish = sample.record
        shown = wish.subject.images[: self.protocol.references]
        prompt = dreambooth.prompt(wish.template, wish.subject.class_name, self.protocol.token)
        values: Mapping[str, Value] = {
            "references": tuple(shown), "prompt": prompt, "class": wish.subject.class_name,
        }  # fmt: skip
        return self.plan.request(values)

    def target(self, sample: Sample) -> Any:
        wish: Wish = sample.record
        return {"subject": wish.subject.name, "prompt": wish.prompt, "images": _digests(wish.subject)}

    def score(self, answered: Iterable[Answered]) -> Scores:
        how = {name: self.settings.columns[name] for name in self.columns.computed}
        scorer = Scorer(self.columns, how, self.count, self._truth, self.plan.benchmark.by)
        return self.with_aggregates(scorer.score(answered))


def _digests(subject: Subject) -> list[dict[str, str]]:
    def one(image: Image) -> dict[str, str]:
        return {"image": image.label, "sha256": image.sha256()}

    return [one(image) for image in subject.images]
