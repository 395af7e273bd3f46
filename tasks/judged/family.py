"""Free answers to questions about an image, graded from 0 to 1 by a judge."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from types import MappingProxyType
from typing import Any

from pydantic import BaseModel, ConfigDict

from evalsuite.content import Image
from evalsuite.errors import DataError, SampleError, SpecError, suggest
from evalsuite.request import Request, Response
from evalsuite.task import Answered, Judgement, Located, Plan, Sample, SampleScore, Scores, Statistic, row_of
from evalsuite.task import judged as judging
from evalsuite.task.judged import Chat, JudgedFamilyTask, NotAskedError, check_options, unjudged
from evalsuite.task.readers import field, image_cell, read_json, read_table

from .grading import GraderSettings, grade_of, grade_question, read_grades

OPTIONS = judging.OPTIONS
CHECKED, UNCHECKED = "checked", "unchecked"
"""Scoring rules of this family: whether five replies on another scale fail, or make the official 0."""


@dataclass(frozen=True, slots=True)
class Question:
    """An open question with the reference that a judge sees.

    Args:
        answer: the reference; `<AND>` and `<OR>` stand between parts of it.
        capabilities: what the question needs, sorted.
    """

    id: str
    image: Image
    image_name: str
    question: str
    answer: str
    capabilities: tuple[str, ...]


def read_mmvet(source: Located) -> Iterator[Question]:
    """`questions`: `mm-vet.json`, id -> `{imagename, question, answer, capability}`; `images` is a
    folder's path with the field `image`. Raises DataError for a field that is missing or of another
    type."""
    path = source.path("questions")
    rows = read_json(path)
    if not isinstance(rows, dict):
        raise DataError(
            f"{path} must be an object of questions, not {type(rows).__name__}.", "Is this MM-Vet's?"
        )
    for name, row in rows.items():
        where = f"{path}, {name}"
        image = field(row, "imagename", str, where)
        yield Question(
            id=name,
            image=source.image("images", image=image),
            image_name=image,
            question=field(row, "question", str, where),
            answer=field(row, "answer", str, where),
            capabilities=tuple(sorted(map(str, field(row, "capability", list, where)))),
        )


def read_columns(source: Located) -> Iterator[Question]:
    """A table with the columns id, image, question, answer, capability (a list, or names between commas)."""
    for where, row in read_table(source.paths("table"), source.columns):
        needed = row["capability"]
        names = needed.split(",") if isinstance(needed, str) else list(needed or ())
        yield Question(
            id=str(row["id"]),
            image=image_cell(row["image"], where),
            image_name=str(row.get("image_name") or row["id"]),
            question=field(row, "question", str, where),
            answer=field(row, "answer", str, where),
            capabilities=tuple(sorted(str(name).strip() for name in names)),
        )


READERS = MappingProxyType({"mmvet-json": read_mmvet, "mmvet-table": read_columns})


def build(plan: Plan) -> JudgedTask:
    """The task of a judged benchmark. Raises SpecError for grades without a judge's name, and for an unknown
    rule."""
    check_options(plan)
    if plan.rule not in (CHECKED, UNCHECKED):
        raise SpecError(
            f"{plan.benchmark.name}: there is no rule {plan.rule!r} for grades.",
            suggest(plan.rule, (CHECKED, UNCHECKED)),
        )
    plan.source.path(next(iter(plan.source.files)))
    return JudgedTask(plan)


class Settings(BaseModel):
    """What a judged benchmark's file says under `settings`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    judge: GraderSettings


class JudgedTask(JudgedFamilyTask):
    """A judged benchmark in one protocol; template fields: `image`, `question`.

    The grades come from a file (option `grades`) or from what a judge said (`evalsuite judge`). Broken down
    by each capability, and by each exact set of capabilities.
    """

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        self._read = partial(plan.reader(READERS), plan.source)
        self._grader = plan.settings(Settings).judge
        self._metric = plan.benchmark.metric("score")
        self._spread = plan.benchmark.metric("std over runs")

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
        needs: list[tuple[str, ...]] = []
        seen = self._file is not None
        for place, one in enumerate(answered):
            seen = seen or bool(one.judgements)
            row, grades = self._row(one)
            rows.append(row)
            needs.append(one.sample.record.capabilities)
            if grades:
                runs[place] = grades
        if not seen:
            bare = [replace(row, failure="") for row in rows]
            return Scores(bare, (), {self._metric.name: unjudged(self)})
        groups: dict[str, list[int]] = {"": list(runs)}
        for place in runs:
            for group in (
                *(f"capability={name}" for name in needs[place]),
                f"capabilities={'+'.join(needs[place])}",
            ):
                groups.setdefault(group, []).append(place)
        statistics = [Statistic(self._metric, members, group=group) for group, members in groups.items()]
        count = len(next(iter(runs.values()), ()))
        if count > 1:
            statistics.append(self._deviation(runs))
        return Scores(rows, statistics, details={"runs of the judge": count})

    def _deviation(self, runs: Mapping[int, tuple[float, ...]]) -> Statistic:
        """Standard deviation (population) of the runs' totals, as the official table has it."""
        import numpy as np

        grades = np.asarray(list(runs.values()), dtype=np.float64)

        def deviation(places: Any) -> float:
            return float(grades[places].mean(axis=0).std())

        return Statistic(self._spread, list(runs), deviation, resampling="none")

    def _row(self, one: Answered) -> tuple[SampleScore, tuple[float, ...]]:
        row = row_of(one)
        try:
            said = self.answer(one)
            grades = self._grades(one)
        except NotAskedError:
            return row(), ()
        except SampleError as error:
            return row(failure=str(error)), ()
        values = {self._metric.name: sum(grades) / len(grades)}
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
        checked = self.plan.rule == CHECKED
        grades = [grade_of(self._grader, said, checked=checked) for said in one.judgements]
        given = tuple(grade for grade in grades if grade is not None)
        if len(given) < len(grades) or not given:
            raise NotAskedError(f"the judge has graded this answer in {len(given)} of {len(grades)} runs")
        return given
