"""A judge scores two answers side by side; what counts is the model's mean as a share of the reference's."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from evalsuite.content import Image, Message, Text, user
from evalsuite.errors import SampleError
from evalsuite.request import Request, Response, TextResponse
from evalsuite.task import Answered, Judgement, Metric, Plan, Sample, SampleScore, Scores, Statistic, row_of
from evalsuite.task.judged import Chat, JudgedFamilyTask, unjudged
from evalsuite.task.metrics import parse_pair, relative_score

from .readers import READERS, PairQuestion
from .settings import Settings

RECORD = PairQuestion
EXAMPLE = PairQuestion(
    "example",
    "What is in the bowl?",
    Image(data=b"", name="example"),
    "",
    "A bowl of apples.",
    "Apples.",
    "conv",
)
"""A question that shows how a protocol asks (`evalsuite show task`)."""
RELATIVE, MODEL, REFERENCE = "relative", "model", "reference"


def build(plan: Plan) -> PairwiseTask:
    """The task of a pairwise benchmark. Raises SpecError for an unknown metric or reader."""
    plan.check_metrics((RELATIVE, MODEL, REFERENCE))
    plan.source.paths(next(iter(plan.source.files)))
    return PairwiseTask(plan)


class PairwiseTask(JudgedFamilyTask):
    """A pairwise benchmark in one protocol; template fields: `image`, `question`.

    A review whose first line is not two numbers gives both answers -1, which goes into the means, as
    officially; such answers are unread.
    """

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        self._read = partial(plan.reader(READERS, RECORD), plan.source)
        self._settings = plan.settings(Settings).judge

    @property
    def judge(self) -> str:
        return self._settings.model

    def _samples(self) -> Iterator[Sample]:
        for one in self._read():
            yield Sample(one.id, one, one.image_name, {"category": one.category} if one.category else {})

    def request(self, sample: Sample, earlier: Sequence[Response] = ()) -> Request | None:
        asked: PairQuestion = sample.record
        if asked.problem:
            raise SampleError(asked.problem)
        return None if earlier else self.plan.request({"image": asked.image, "question": asked.question})

    def reference_answer(self, sample: Sample, earlier: Sequence[Response] = ()) -> Response | None:
        return TextResponse(sample.record.reference)

    def target(self, sample: Sample) -> Any:
        return sample.record.reference

    def question(self, answered: Answered, said: Sequence[Judgement]) -> Chat | None:
        if said:
            return None
        settings, asked = self._settings, answered.sample.record
        role = settings.role
        text = (
            f"[Context]\n{asked.context}\n\n[Question]\n{asked.question}\n\n"
            f"[{role} 1]\n{asked.reference}\n\n[End of {role} 1]\n\n"
            f"[{role} 2]\n{self.answer(answered)}\n\n[End of {role} 2]\n\n[System]\n{settings.rule}\n\n"
        )
        head = (Message("system", (Text(settings.system),)),) if settings.system else ()
        return Chat((*head, user(text)), max_tokens=settings.max_tokens, temperature=settings.temperature)

    def score(self, answered: Sequence[Answered]) -> Scores:
        rows = [self._row(one) for one in answered]
        if not any(one.judgements for one in answered):
            bare = [SampleScore(row.id, cluster=row.cluster, labels=row.labels) for row in rows]
            return Scores(bare, (), {spec.name: unjudged(self) for spec in self.plan.benchmark.metrics})
        found = self.scores(rows, [spec for spec in self.plan.benchmark.metrics if spec.name != RELATIVE])
        relative = _relative(self.plan.benchmark.metric(RELATIVE), found.rows)
        return Scores(found.rows, [*relative, *found.statistics], found.missing, found.details, found.notes)

    def _row(self, one: Answered) -> SampleScore:
        row = row_of(one)
        pairs: list[tuple[float, float]] = []
        try:
            self.answer(one)
            for said in one.judgements:
                if not said:
                    raise SampleError("the judge has not reviewed this answer")
                if said[0].failure:
                    raise SampleError(f"the judge gave nothing: {said[0].failure}")
                pairs.append(parse_pair(said[0].text))
        except SampleError as error:
            return row(failure=str(error))
        if not pairs:
            return row(failure="the judge has not reviewed this answer")
        reference, model = (sum(column) / len(pairs) for column in zip(*pairs, strict=True))
        if not (math.isfinite(reference) and math.isfinite(model)):
            return row(failure="the judge's scores are no finite numbers")
        unread = any(min(pair) < 0 for pair in pairs)
        return row(
            values={MODEL: model, REFERENCE: reference}, parsed=f"{reference:g} {model:g}", unread=unread
        )


def _relative(metric: Metric, rows: Sequence[SampleScore]) -> list[Statistic]:
    """The official ratio over all rows and over each category."""
    import numpy as np

    groups: dict[str, list[int]] = {}
    for i, row in enumerate(rows):
        if not row.failure:
            groups.setdefault("", []).append(i)
            if "category" in row.labels:
                groups.setdefault(f"category={row.labels['category']}", []).append(i)

    def over(places: list[int]) -> Any:
        scores = np.array([[rows[i].values[REFERENCE], rows[i].values[MODEL]] for i in places])
        return lambda chosen: relative_score(*scores[chosen].mean(axis=0)) / 100

    return [Statistic(metric, places, over(places), group=group) for group, places in groups.items()]
