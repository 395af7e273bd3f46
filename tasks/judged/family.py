"""Free answers to questions about an image, graded from 0 to 1 by a judge; the grades come from a file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

from evalsuite.content import Image
from evalsuite.data.jsonfile import field, read_json
from evalsuite.data.table import image_cell, read_table
from evalsuite.errors import DataError, SampleError, SpecError
from evalsuite.request import Request, Response
from evalsuite.task import Answered, Sample, SampleScore, Scores, Statistic, TaskInfo

from ..benchmark import Plan
from ..family import FamilyTask, row_of
from ..sources import Located

OPTIONS = ("grades", "judge")
"""`grades=FILE`: the judge's grades, question id -> one number in [0, 1] per run of the judge (the
official script's grade file); `judge=NAME`: which judge gave them, as it is to stand beside the
number."""


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
    """The task of a judged benchmark. Raises SpecError for grades without a judge's name."""
    if ("grades" in plan.options) != ("judge" in plan.options):
        raise SpecError(
            f"{plan.benchmark.name}: grades and judge belong together.",
            "Name both: grades=FILE judge=gpt-4-0613. Numbers of different judges cannot be compared.",
        )
    plan.source.path(next(iter(plan.source.files)))
    return JudgedTask(plan)


class JudgedTask(FamilyTask):
    """A judged benchmark in one protocol; template fields: `image`, `question`.

    The judge is part of the split's description, so that a leaderboard never sets the numbers of two
    judges side by side in one column. Broken down by each capability, and by each exact set of
    capabilities.
    """

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        self._read = partial(plan.reader(READERS), plan.source)
        self._metric = plan.benchmark.metric("score")

    @property
    def info(self) -> TaskInfo:
        info = super().info
        judge = self.plan.options.get("judge")
        return replace(info, split=f"{info.split}, judged by {judge}") if judge else info

    def fingerprint(self) -> str:
        """Of the questions: grades are made later and change nothing in what was asked."""
        return self.plan.source.fingerprint()

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

    @cached_property
    def _grades(self) -> Mapping[str, tuple[float, ...]]:
        return read_grades(Path(self.plan.options["grades"])) if "grades" in self.plan.options else {}

    def score(self, answered: Sequence[Answered]) -> Scores:
        rows = [self._row(one) for one in answered]
        if "grades" not in self.plan.options:
            reason = "no grades: name the judge's file with the options grades=FILE and judge=NAME"
            return Scores(rows, (), {self._metric.name: reason})
        places = [i for i, row in enumerate(rows) if not row.failure]
        groups: dict[str, list[int]] = {"": places}
        for i in places:
            needed = answered[i].sample.record.capabilities
            for group in (*(f"capability={name}" for name in needed), f"capabilities={'+'.join(needed)}"):
                groups.setdefault(group, []).append(i)
        runs = len(next(iter(self._grades.values())))
        return Scores(
            rows,
            [Statistic(self._metric, members, group=group) for group, members in groups.items()],
            details={"judge": self.plan.options["judge"], "runs of the judge": runs},
        )

    def _row(self, one: Answered) -> SampleScore:
        row = row_of(one)
        try:
            said = self.answer(one)
        except SampleError as error:
            return row(failure=str(error))
        grades = self._grades.get(one.sample.id)
        if grades is None:
            return row(failure="the judge has not graded this answer")
        return row(values={self._metric.name: sum(grades) / len(grades)}, parsed=said)


def read_grades(path: Path) -> dict[str, tuple[float, ...]]:
    """A grade file: JSON object, question id -> list of grades in [0, 1], one per run of the judge.

    Raises:
        DataError: of another form, a grade outside [0, 1], questions with unlike many grades.
    """
    rows = read_json(path)
    if not isinstance(rows, dict) or not rows:
        raise DataError(f"{path} must be an object of grades.", "Give the official script's grade file.")
    found: dict[str, tuple[float, ...]] = {}
    for name in rows:
        values = field(rows, name, list, str(path))
        if not values or not all(
            isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1
            for value in values
        ):
            raise DataError(f"{path}, {name}: grades are numbers from 0 to 1, not {values!r:.60}.")
        found[name] = tuple(map(float, values))
    if len({len(values) for values in found.values()}) > 1:
        raise DataError(f"{path}: some questions have more grades than others.", "Let the judge finish.")
    return found
