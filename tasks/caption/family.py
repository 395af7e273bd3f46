"""Captioning, scored as COCO's evaluation does; METEOR and SPICE where Java and their programs are there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property, partial
from typing import Any

from evalsuite.errors import SpecError, suggest
from evalsuite.request import Request, Response, TextResponse
from evalsuite.task import Answered, FamilyTask, Located, Option, Plan, Sample, Scores, Shot, TaskInfo
from evalsuite.task.miniature import SceneTruth
from evalsuite.task.networks import Columns, choose_columns
from evalsuite.task.readers import Captioned

from .readers import READERS
from .scoring import COLUMNS, HELD_OUT, RULES, Scorer, obstacle
from .settings import Settings

SHOTS = True
OPTIONS = (Option("metrics", "computes these columns only: NAME,NAME"),)


def build(plan: Plan) -> CaptionTask:
    """The task of a captioning benchmark. Raises SpecError for an unknown rule, or a column that is not a
    caption score."""
    name = plan.benchmark.name
    if plan.rule_name not in RULES:
        raise SpecError(
            f"{name}: there is no caption rule {plan.rule_name!r}.", suggest(plan.rule_name, RULES)
        )
    for metric in plan.benchmark.metrics:
        if metric.plain and metric.name not in COLUMNS:
            raise SpecError(f"{name}: {metric.name!r} is not a caption score.", suggest(metric.name, COLUMNS))
    plan.check_metrics(COLUMNS)
    columns = choose_columns(plan, {}, {}, partial(obstacle, plan.rule_name))
    task = CaptionTask(plan, plan.settings(Settings), columns)
    plan.source.paths(next(iter(plan.source.files)))
    return task


class CaptionTask(FamilyTask):
    """A captioning benchmark in one protocol; template field: `image`."""

    def __init__(self, plan: Plan, settings: Settings, columns: Columns) -> None:
        super().__init__(plan)
        self.settings = settings
        self.columns = columns
        self._read: Callable[[Located], Iterator[Captioned]] = plan.reader(READERS)

    @property
    def info(self) -> TaskInfo:
        return self.columns.info

    @cached_property
    def _truth(self) -> SceneTruth | None:
        return SceneTruth.read(self.plan.source) if self.settings.truth else None

    def _samples(self) -> Iterator[Sample]:
        return self._of(self.plan.source)

    def _examples(self) -> Iterator[Sample]:
        return self._of(self.plan.source.of_examples())

    def _shot(self, example: Sample) -> Shot:
        return Shot({"image": example.record.image}, example.record.captions[0].strip())

    def _of(self, source: Located) -> Iterator[Sample]:
        for image in self._read(source):
            labels = dict(image.labels)
            if self._truth:
                labels |= self._truth.labels(image.image.label)
            yield Sample(id=image.id, record=image, labels=labels)

    def request(self, sample: Sample, earlier: Sequence[Response] = ()) -> Request | None:
        return None if earlier else self.plan.request({"image": sample.record.image}, self.shots(sample))

    def reference_answer(self, sample: Sample, earlier: Sequence[Response] = ()) -> Response | None:
        """The first person's caption. Scoring then leaves it out of the references: a person is compared with
        the others, not with himself."""
        captions = sample.record.captions
        return TextResponse(captions[0], details={HELD_OUT: 0}) if len(captions) > 1 else None

    def target(self, sample: Sample) -> Any:
        return list(sample.record.captions)

    def score(self, answered: Iterable[Answered]) -> Scores:
        scorer = Scorer(self.columns, RULES[self.plan.rule_name], self.plan.benchmark.by, self.answer)
        return self.with_aggregates(scorer.score(answered))
