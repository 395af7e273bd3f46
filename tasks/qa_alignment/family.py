"""Images of a prompt, questions about each, and what the answers come to by a rule that the file names."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from evalsuite.content import Image, Message, Text
from evalsuite.errors import DataError, SampleError, SpecError
from evalsuite.request import GenerateImages, Request, Response
from evalsuite.task import (
    Answered,
    Judgement,
    Option,
    Plan,
    Sample,
    SampleScore,
    Scores,
    Statistic,
    TaskInfo,
    generated_images,
    networks,
    row_of,
)
from evalsuite.task.images_as import chat_as_jpeg, shown_images
from evalsuite.task.judged import (
    Chat,
    JudgedFamilyTask,
    check_options,
    made_elsewhere,
    require_known,
    unjudged,
)
from evalsuite.task.metrics import Pool, PromptScore, alignment_score, spellings
from evalsuite.task.miniature import holds
from evalsuite.task.networks import choose_columns
from evalsuite.task.wording import filled

from .answers import FileAnswers, Replies, Values, answered_by, read_answers, values_of
from .measuring import NETWORK, distances, given
from .readers import READERS, read_checked
from .records import AlignmentQuestion, QuestionedPrompt
from .scoring import (
    AGREEMENT,
    COLUMNS,
    EVERY,
    QUESTIONS,
    SCORE,
    TRUTH,
    UNGATED,
    dimension_statistics,
    group_of,
    pooled_statistics,
)
from .settings import Settings

_FILE = "answers.jsonl"
OPTIONS = (
    Option("answers", "answers made elsewhere; by default answers.jsonl in the data folder", Path),
    Option("judge", "which model gave them, as it is to stand beside the number"),
    *(one for one in networks.OPTIONS if one.name != "metrics"),
)


def build(plan: Plan) -> AlignmentTask:
    """The task of a question-answering alignment benchmark.

    Raises SpecError for answers without a model's name, and for rules that the settings do not define.
    """
    name = plan.benchmark.name
    check_options(plan, "answers", "mplug-large")
    settings = plan.settings(Settings)
    if plan.rule_name not in settings.rules:
        raise SpecError(
            f"{name}: settings.rules does not define the rule {plan.rule_name!r}.",
            f"Known: {', '.join(settings.rules)}.",
        )
    output = plan.output()
    if not isinstance(output, GenerateImages):
        raise SpecError(f"{name}: questions are asked about images.", "Correct the benchmark's capability.")
    plan.source.paths(next(iter(plan.source.files)))
    return AlignmentTask(plan, settings, output.count)


class AlignmentTask(JudgedFamilyTask):
    """A question-answering alignment benchmark in one protocol; template field: `prompt`.

    Answers are a judge's (`evalsuite judge`: a server, or a model in this process), or those of a file
    (option `answers`).
    """

    def __init__(self, plan: Plan, settings: Settings, count: int) -> None:
        super().__init__(plan)
        self._settings = settings
        self._count = count
        self._chosen = settings.rules[plan.rule_name]
        self._rule = self._chosen.rule()
        read = self._chosen.read
        self._asking = settings.answer.model_copy(update={"read": read}) if read else settings.answer
        if self._asking.by_likelihood and (not self._asking.choices or self._asking.each == "image"):
            raise SpecError(
                f"{plan.benchmark.name}: likelihoods are those of answer.choices to one question each.",
                "Correct the benchmark's file.",
            )
        self._read = partial(read_checked, plan.source, plan.reader(READERS))
        measuring = {} if settings.distance is None else {NETWORK: settings.distance}
        needs = {SCORE: (NETWORK,)} if measuring and self._answers is None else {}
        self._columns = choose_columns(plan, measuring, needs, required=False)
        own = {QUESTIONS, *settings.dimensions}
        self._metrics = [spec for spec in plan.benchmark.metrics if spec.name not in own]
        plan.check_metrics((*COLUMNS, *((TRUTH, AGREEMENT) if settings.truth else ())), self._metrics)

    @property
    def info(self) -> TaskInfo:
        path = self._answers
        told = super().info
        if self._measures:
            return replace(told, judge=self._settings.judge)
        return told if path is None or told.judge else replace(told, judge=answered_by(path))

    @property
    def judge(self) -> str:
        return self._settings.judge

    @property
    def _measures(self) -> bool:
        """Whether the settings' network, whose weights are here, measures the images."""
        return NETWORK in self._columns.networks

    @cached_property
    def _answers(self) -> Path | None:
        """The file that the user named, or the one beside the data."""
        return made_elsewhere(self.plan, "answers", _FILE)

    def _samples(self) -> Iterator[Sample]:
        for one in self._read():
            yield Sample(one.id, one, labels=dict(one.labels))

    def request(self, sample: Sample, earlier: Sequence[Response] = ()) -> Request | None:
        return None if earlier else self.plan.request({"prompt": sample.record.prompt})

    def target(self, sample: Sample) -> Any:
        return [
            {"id": one.id, "question": one.text, "expected": one.expected, "parents": list(one.parents)}
            for one in sample.record.questions
        ]

    def question(self, answered: Answered, said: Sequence[Judgement]) -> Chat | None:
        if self._settings.measured:
            raise SpecError(f"{self.plan.benchmark.name}: no judge answers this.", self._from_file)
        prompt: QuestionedPrompt = answered.sample.record
        shown = self._shown(answered)
        unit = self._replies(prompt, len(shown)).next_unit(said)
        if unit is None:
            return None
        place, asked = unit
        return self._chat(prompt, [prompt.questions[one] for one in asked], shown[place][1])

    def _chat(self, prompt: QuestionedPrompt, asked: Sequence[AlignmentQuestion], image: Image) -> Chat:
        asking = self._asking
        texts = [one.text for one in asked]
        fields = {"question": texts[0], "questions": "\n".join(texts), "prompt": prompt.prompt}
        words = Text(filled(self._ask, {**prompt.wording, **fields}))
        head = (Message("system", (Text(asking.system),)),) if asking.system else ()
        parts = (image, words) if asking.images_first else (words, image)
        return Chat(
            (*head, Message("user", parts)),
            max_tokens=asking.max_tokens,
            temperature=asking.temperature,
            choices=self._choices(asked[0]) if asking.by_likelihood else (),
        )

    def _choices(self, asked: AlignmentQuestion) -> tuple[str, ...]:
        given = self._asking.choices
        return tuple(dict.fromkeys(spellings(asked.text, asked.expected))) if given == "spellings" else given

    @cached_property
    def _ask(self) -> str:
        ask = self._asking.ask
        return ask if isinstance(ask, str) else ask.text(self.plan.source)

    def prepared(self, answered: Answered, chat: Chat) -> Chat:
        return chat_as_jpeg(chat) if self._asking.jpeg else chat

    def _replies(self, prompt: QuestionedPrompt, images: int) -> Replies:
        return Replies(self._asking, prompt.questions, images)

    def _shown(self, one: Answered) -> list[tuple[int, Image]]:
        """Place and image of those that are asked about. Raises SampleError where there is none."""
        images = generated_images(one.response, self._count)
        return shown_images(images, skip_black=self._chosen.skip_black)

    @cached_property
    def _file(self) -> FileAnswers | None:
        if self._answers is None:
            return None
        found = read_answers(self._answers)
        require_known(self._answers, (key[0] for key in found), (one.id for one in self._read()))
        return found

    def score(self, answered: Sequence[Answered]) -> Scores:
        rows: list[SampleScore] = []
        pools: dict[int, Pool] = {}
        runs = int(self._file is not None or self._measures)
        measured = self._distances(answered) if self._measures else None
        for place, one in enumerate(answered):
            runs = max(runs, len(one.judgements))
            row, pool = self._row(one, measured[place] if measured else None)
            rows.append(row)
            if pool is not None:
                pools[place] = pool
        if not runs:
            bare = [replace(row, failure="") for row in rows]
            reason = self._from_file if self._settings.measured else unjudged(self)
            missing = {metric.name: reason for metric in self.plan.info.metrics}
            missing |= {name: f"{why} Or: {reason}" for name, why in self._columns.missing.items()}
            return Scores(bare, (), missing)
        details = self._columns.details() if self._measures else {"runs of the judge": runs}
        return self.scores(rows, self._metrics, more=self._pooled(rows, pools), details=details)

    def _distances(self, answered: Sequence[Answered]) -> list[Values | str]:
        def shown(one: Answered) -> list[Image]:
            try:
                return [image for _, image in self._shown(one)]
            except (SampleError, DataError):  # its row says why
                return []

        return distances(self._columns, [shown(one) for one in answered], jpeg=self._asking.jpeg)

    @property
    def _from_file(self) -> str:
        line = {"id": "SET/NUMBER", "image": 0, "question": "value", "answer": 0.43}
        shown = json.dumps({**line, "model": self._settings.judge})
        return (
            f"Measure the images with {self._settings.judge} in an environment of its own, and put {_FILE} "
            f"into {self.plan.source.folder}, or name it: --task-option answers=FILE. It has a line for each "
            f"image, as {shown}. docs/creation.md (OneIG's reasoning, style and diversity) says what weights "
            "the authors' script wants where, and makes the file from its results."
        )

    def _pooled(self, rows: Sequence[SampleScore], pools: Mapping[int, Pool]) -> list[Statistic]:
        found: list[Statistic] = []
        for spec in self.plan.benchmark.metrics:
            if not pools:
                break
            if spec.name == QUESTIONS:
                found += pooled_statistics(spec.metric(), pools, self._settings.pooled)
            elif spec.name in self._settings.dimensions:
                how = self._settings.dimensions[spec.name]
                found += dimension_statistics(spec.metric(), how, rows, pools)
        return found

    def _row(self, one: Answered, measured: Values | str | None = None) -> tuple[SampleScore, Pool | None]:
        made, prompt = row_of(one), one.sample.record
        questions = [q for q in prompt.questions if not (self._chosen.skip_first and q.first)]
        kept = [place for place, q in enumerate(prompt.questions) if q in questions]
        try:
            found: list[tuple[PromptScore, Values]] = []
            for run in self._values(one, measured):
                asked = [[row[place] for place in kept] for row in run]
                found.append((self._score(questions, asked), asked))
        except (SampleError, DataError) as error:
            return made(failure=str(error)), None
        if not found:
            return made(parsed="nobody has answered the questions"), None
        flat = [sum(map(sum, asked)) / sum(map(len, asked)) for _, asked in found]
        values = {
            SCORE: sum(score.value for score, _ in found) / len(found),
            UNGATED: sum(flat) / len(flat),
        }
        if self._settings.truth:
            values |= self._checked(one, questions, [asked for _, asked in found])
        pool: dict[str, tuple[float, int]] = {}
        for score, _ in found:
            for name, (total, count) in score.pool.items():
                before = pool.get(name, (0.0, 0))
                pool[name] = before[0] + total, before[1] + count
        told = _numbers(found[0][1]) if self._settings.measured else _told(questions, found[0][1])
        return made(values=values, parsed=told), pool

    def _checked(
        self, one: Answered, questions: Sequence[AlignmentQuestion], answers: Sequence[Values]
    ) -> dict[str, float]:
        """What the right answers come to, read off the images' pixels, and the share of answers that are
        right."""
        exact = [
            [float(holds(image, q.text) == (q.expected == "yes")) for q in questions]
            for _, image in self._shown(one)
        ]
        same = [
            (given >= 0.5) == (true >= 0.5)
            for run in answers
            for row, truth in zip(run, exact, strict=True)
            for given, true in zip(row, truth, strict=True)
        ]
        return {TRUTH: self._score(questions, exact).value, AGREEMENT: sum(same) / len(same)}

    def _score(self, questions: Sequence[AlignmentQuestion], values: Values) -> PromptScore:
        groups = [
            [EVERY, *(group_of(label, value) for label, value in one.labels.items())] for one in questions
        ]
        ids, parents = [one.id for one in questions], [one.parents for one in questions]
        return alignment_score(values, ids, parents, self._rule, groups)

    def _values(self, one: Answered, measured: Values | str | None) -> Iterator[Values]:
        """Of each run of the judge. Raises SampleError."""
        prompt, shown = one.sample.record, self._shown(one)
        if measured is not None:
            yield given(measured)
            return
        if self._file is not None:
            places = [place for place, _ in shown]
            yield values_of(self._file, prompt.id, self._asking, prompt.questions, places)
            return
        replies = self._replies(prompt, len(shown))
        for said in one.judgements:
            yield replies.values(said, len(shown))


def _numbers(values: Values) -> str:
    return " | ".join(f"image {number}: {row[0]:.4g}" for number, row in enumerate(values, start=1))


def _told(questions: Sequence[AlignmentQuestion], values: Values) -> str:
    """Which questions are not answered as they should be, image by image."""
    told = []
    for number, row in enumerate(values, start=1):
        wrong = [one.id for one, value in zip(questions, row, strict=True) if value < 0.5]
        names = f"; not {', '.join(wrong)}" if wrong else ""
        told.append(f"image {number}: {len(row) - len(wrong)} of {len(row)}{names}")
    return " | ".join(told)
