"""Editing by instruction, graded by a judge: a source image, what to do, and no image of the right
result."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property, partial
from typing import Any

from evalsuite.content import Image
from evalsuite.errors import SampleError, SpecError, suggest
from evalsuite.request import GenerateImages, ImageResponse, Request, Response
from evalsuite.task import Answered, Judgement, Plan, Sample, SampleScore, Scores, row_of
from evalsuite.task import judged as judging
from evalsuite.task.judged import Chat, JudgedFamilyTask, NotAskedError, check_options, unjudged

from .graders import Grader, ImgEdit, Viescore
from .readers import READERS, JudgedEdit
from .scoring import Grades, read_gedit_scores, read_imgedit_scores, type_statistics
from .settings import Settings

OPTIONS = judging.OPTIONS

GRADERS: Mapping[str, Callable[[Plan], Grader]] = {
    "viescore-gpt": lambda plan: Viescore(
        images_first=False, max_tokens=1400, temperature=None, checked=_checked(plan)
    ),
    "viescore-qwen": lambda plan: Viescore(
        images_first=True, max_tokens=512, temperature=0.0, checked=_checked(plan)
    ),
    "imgedit": lambda plan: ImgEdit(plan.source, checked=_checked(plan)),
}
"""Scoring rules of this family: who is asked what."""
UNCHECKED = "+unchecked"
"""A rule with this at its end counts what the official script counts: numbers outside the judge's scale, and
answers to a part of the questions."""


def _checked(plan: Plan) -> bool:
    return not plan.rule_name.endswith(UNCHECKED)


def _rule(plan: Plan) -> str:
    """The grader's name in `GRADERS`."""
    return plan.rule_name.removesuffix(UNCHECKED)


def build(plan: Plan) -> EditJudgedTask:
    """The task of a judged editing benchmark. Raises SpecError for an unknown rule, and for grades without a
    judge's name."""
    check_options(plan)
    name = plan.benchmark.name
    if _rule(plan) not in GRADERS:
        raise SpecError(f"{name}: there is no grader {plan.rule_name!r}.", suggest(plan.rule_name, GRADERS))
    output = plan.output()
    if not isinstance(output, GenerateImages) or output.count != 1:
        raise SpecError(f"{name}: editing asks for one image.", "Correct the protocol's decoding.")
    settings = plan.settings(Settings)
    if plan.rules not in settings.judge:
        raise SpecError(f"{name}: settings.judge names no judge of the rules {plan.rules!r}.")
    plan.source.paths(next(iter(plan.source.files)))
    return EditJudgedTask(plan, settings)


class EditJudgedTask(JudgedFamilyTask):
    """A judged editing benchmark in one protocol; template fields: `image`, `instruction`.

    A score is the plain mean over types of edit of each type's mean, so that types weigh the same; beside it
    stand the types, and the common subset where there is one.
    """

    def __init__(self, plan: Plan, settings: Settings) -> None:
        super().__init__(plan)
        self._settings = settings
        self._read = partial(plan.reader(READERS), plan.source)
        self._grader = GRADERS[_rule(plan)](plan)

    @property
    def judge(self) -> str:
        return self._settings.judge[self.plan.rules]

    def _samples(self) -> Iterator[Sample]:
        for edit in self._read():
            labels = {"type": edit.kind} | ({"subset": "intersection"} if edit.common else {})
            yield Sample(edit.id, edit, labels=labels)

    def request(self, sample: Sample, earlier: Sequence[Response] = ()) -> Request | None:
        edit: JudgedEdit = sample.record
        if earlier:
            return None
        return self.plan.request({"image": edit.given, "instruction": edit.instruction})

    def target(self, sample: Sample) -> Any:
        return {"instruction": sample.record.instruction, "type": sample.record.kind}

    def question(self, answered: Answered, said: Sequence[Judgement]) -> Chat | None:
        return self._grader.question(answered.sample.record, _result(answered), said)

    def prepared(self, answered: Answered, chat: Chat) -> Chat:
        return self._grader.prepared(answered.sample.record, chat)

    @cached_property
    def _file(self) -> Grades | None:
        if self.grades_file is None:
            return None
        if self._settings.grades == "imgedit":
            return read_imgedit_scores(self.grades_file, checked=_checked(self.plan))
        language = str(self.plan.source.settings["language"])
        return read_gedit_scores(self.grades_file, language, checked=_checked(self.plan))

    def score(self, answered: Iterable[Answered]) -> Scores:
        rows: list[SampleScore] = []
        runs = int(self._file is not None)
        for one in answered:
            runs = max(runs, len(one.judgements))
            rows.append(self._row(one))
        if not runs:
            bare = [SampleScore(row.id, cluster=row.cluster, labels=row.labels) for row in rows]
            return Scores(bare, (), {metric.name: unjudged(self) for metric in self.plan.info.metrics})
        own = [spec.metric() for spec in self.plan.benchmark.metrics if spec.plain]
        statistics = type_statistics(own, rows, self._settings.digits)
        return self.with_aggregates(Scores(rows, statistics, details={"runs of the judge": runs}))

    def _row(self, one: Answered) -> SampleScore:
        row = row_of(one)
        try:
            grades = self._grades(one)
        except NotAskedError:
            return row()
        except SampleError as error:
            return row(failure=str(error))
        told = " ".join(f"{name} {value:g}" for name, value in grades.items())
        return row(values=grades, parsed=told)

    def _grades(self, one: Answered) -> Mapping[str, float]:
        """The mean over the judge's runs. Raises SampleError where one of them gave no grade."""
        if self._file is not None:
            found = self._file.get(one.sample.id, "the judge has not graded this edit")
            if isinstance(found, str):
                raise SampleError(found)
            return found
        result = _result(one)
        graded = []
        for said in one.judgements:
            failed = bool(said and said[-1].failure)
            if not failed and self._grader.question(one.sample.record, result, said) is not None:
                raise NotAskedError("the judge has not graded this edit to the end")
            graded.append(self._grader.grade(said))
        if not graded:
            raise NotAskedError("the judge has not graded this edit")
        return {name: sum(grade[name] for grade in graded) / len(graded) for name in graded[0]}


def _result(one: Answered) -> Image:
    """The edited image. Raises SampleError for an answer without exactly one."""
    response = one.response
    if not isinstance(response, ImageResponse):
        raise SampleError(f"the answer is a {type(response).__name__}, not an image")
    if len(response.images) != 1:
        raise SampleError(f"expected one image, got {len(response.images)}")
    return response.images[0]
