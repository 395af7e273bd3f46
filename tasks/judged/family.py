"""Free answers to questions about an image, graded from 0 to 1 by a judge."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, partial
from typing import Any

from evalsuite.errors import SampleError, SpecError, suggest
from evalsuite.request import Request, Response
from evalsuite.task import Answered, Judgement, Plan, Sample, SampleScore, Scores, row_of
from evalsuite.task import judged as judging
from evalsuite.task.judged import Chat, JudgedFamilyTask, NotAskedError, check_options, unjudged

from .readers import READERS, Question
from .scoring import BY, SCORE, SPREAD, grade_of, grade_question, read_grades, spread
from .settings import Settings

OPTIONS = judging.OPTIONS
CHECKED, UNCHECKED = "checked", "unchecked"
"""Scoring rules of this family: whether five replies on another scale fail, or make the official 0."""


def build(plan: Plan) -> JudgedTask:
    """The task of a judged benchmark. Raises SpecError for grades without a judge's name, and for an unknown
    rule."""
    check_options(plan)
    if plan.rule_name not in (CHECKED, UNCHECKED):
        raise SpecError(
            f"{plan.benchmark.name}: there is no rule {plan.rule_name!r} for grades.",
            suggest(plan.rule_name, (CHECKED, UNCHECKED)),
        )
    plan.source.path(next(iter(plan.source.files)))
    return JudgedTask(plan)


class JudgedTask(JudgedFamilyTask):
    """A judged benchmark in one protocol; template fields: `image`, `question`.

    The grades come from a file (option `grades`) or from what a judge said (`evalsuite judge`).
    """

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        self._read = partial(plan.reader(READERS), plan.source)
        self._grader = plan.settings(Settings).judge
        self._spread = plan.benchmark.metric(SPREAD)
        self._metrics = [spec for spec in plan.benchmark.metrics if spec.name != SPREAD]
        plan.check_metrics((SCORE,), self._metrics)

    @property
    def judge(self) -> str:
        return self._grader.model

    def _samples(self) -> Iterator[Sample]:
        for question in self._read():
            labels = {"capabilities": "+".join(question.capabilities)}
            yield Sample(question.id, question, cluster=question.image_name, labels=labels)

    def request(self, sample: Sample, earlier: Sequence[Response] = ()) -> Request | None:
        question: Question = sample.record
        return (
            None if earlier else self.plan.request({"image": question.image, "question": question.question})
        )

    def target(self, sample: Sample) -> Any:
        return sample.record.answer

    def question(self, answered: Answered, said: Sequence[Judgement]) -> Chat | None:
        asked: Question = answered.sample.record
        return grade_question(self._grader, asked.question, asked.answer, self.answer(answered), said)

    @cached_property
    def _file(self) -> Mapping[str, tuple[float, ...]] | None:
        return None if self.grades_file is None else read_grades(self.grades_file)

    def score(self, answered: Sequence[Answered]) -> Scores:
        rows: list[SampleScore] = []
        runs: dict[int, tuple[float, ...]] = {}
        seen = self._file is not None
        for place, one in enumerate(answered):
            seen = seen or bool(one.judgements)
            row, grades = self._row(one)
            rows.append(row)
            if grades:
                runs[place] = grades
        if not seen:
            bare = [replace(row, failure="") for row in rows]
            return Scores(bare, (), {spec.name: unjudged(self) for spec in self._metrics})
        count = len(next(iter(runs.values()), ()))
        more = [spread(self._spread, runs)] if count > 1 else []
        by = self.plan.benchmark.by or BY
        return self.scores(rows, self._metrics, by=by, more=more, details={"runs of the judge": count})

    def _row(self, one: Answered) -> tuple[SampleScore, tuple[float, ...]]:
        row = row_of(one)
        try:
            said = self.answer(one)
            grades = self._grades(one)
        except NotAskedError:
            return row(), ()
        except SampleError as error:
            return row(failure=str(error)), ()
        values = {SCORE: sum(grades) / len(grades)}
        if len(grades) > 1:
            values |= {f"run {i}": grade for i, grade in enumerate(grades, start=1)}
        return row(values=values, parsed=said), grades

    def _grades(self, one: Answered) -> tuple[float, ...]:
        """One per run of the judge. Raises SampleError where there is none."""
        if self._file is not None:
            given = self._file.get(one.sample.id, ())
            if not given:
                raise SampleError("the judge has not graded this answer")
            return given
        checked = self.plan.rule_name == CHECKED
        grades = [grade_of(self._grader, said, checked=checked) for said in one.judgements]
        given = tuple(grade for grade in grades if grade is not None)
        if len(given) < len(grades) or not given:
            raise NotAskedError(f"the judge has graded this answer in {len(given)} of {len(grades)} runs")
        return given
