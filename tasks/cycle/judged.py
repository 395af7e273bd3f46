"""Cycles that a judge grades: rubrics of texts and images (UEval), questions about images (RealUnify),
answers in words (UniG2U)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from evalsuite.content import Image, Message, Part, Text
from evalsuite.errors import EvalsuiteError, SampleError, SpecError
from evalsuite.task import Answered, Judgement, Plan, SampleScore, Scores, TaskInfo, row_of
from evalsuite.task.judged import Chat, JudgedFamilyTask, unjudged
from evalsuite.task.metrics import (
    final_answer,
    judged_flag,
    last_part,
    parse_rubric,
    reply_says,
    rubric_met,
)

from .calls import results_of
from .family import CycleTask
from .judge_settings import Asking, Cut, JudgeSettings
from .records import CycleSample, Rubric

_FIELD = re.compile(r"\{([a-z_]+)\}")
_CUTS: Mapping[Cut, Callable[[str], str]] = MappingProxyType(
    {
        "answer": final_answer,
        "answer-a-d": lambda text: final_answer(text, "A-D"),
        "answer-a-z": lambda text: final_answer(text, "A-Z"),
        "end": last_part,
    }
)


class JudgedCycle(CycleTask, JudgedFamilyTask):
    """A cycle whose results a judge grades, one question after the other (`evalsuite judge`)."""

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        if self._asks:
            raise SpecError(
                f"{plan.benchmark.name}: its judge grades what the steps end with; no step may say `ask`.",
                "Write `caption` for a text that the judge sees.",
            )

    @property
    def _how(self) -> JudgeSettings:
        assert self.settings.judge is not None
        return self.settings.judge

    @property
    def judge(self) -> str:
        return self._how.model

    @property
    def info(self) -> TaskInfo:
        return super().info

    def fingerprint(self) -> str:
        return JudgedFamilyTask.fingerprint(self)

    def question(self, answered: Answered, said: Sequence[Judgement]) -> Chat | None:
        record: CycleSample = answered.sample.record
        calls, responses = self._answered(answered)
        results = results_of(record, calls, responses)
        asked = self._next(record.rubrics, said)
        if asked is None or self._empty(answered):
            return None
        how = self._asking(asked)
        texts = {name: value for name, value in results.values.items() if isinstance(value, str)}
        texts |= {name: _CUTS[cut](texts[name]) for name, cut in how.cut.items()}
        fields = {**texts, "rubric": asked.text}
        words = _FIELD.sub(lambda found: fields.get(found[1], found[0]), how.prompt)
        shown: tuple[Image, ...] = tuple(results.images.get(how.shows, ()))
        parts: tuple[Part, ...] = (Text(words), *shown)
        head = (Message("system", (Text(self._how.system),)),) if self._how.system else ()
        return Chat(
            (*head, Message("user", parts)),
            max_tokens=self._how.max_tokens,
            temperature=self._how.temperature,
        )

    def _empty(self, answered: Answered) -> bool:
        """Whether the text is empty without which the judge is not asked."""
        calls, responses = self._answered(answered)
        values = results_of(answered.sample.record, calls, responses).values
        return bool(self._how.unless_empty) and not values[self._how.unless_empty]

    def _asking(self, rubric: Rubric) -> Asking:
        if rubric.ask not in self._how.ask:
            raise SpecError(f"{self.plan.benchmark.name}: settings.judge.ask has no {rubric.ask!r}.")
        return self._how.ask[rubric.ask]

    def _walk(self, rubrics: Sequence[Rubric], said: Sequence[Judgement]) -> tuple[dict[int, bool], int]:
        """What the replies say so far, by rubric, and which rubric is next: as many as there are where
        nothing more is to be asked. A reply that cannot be read to the last try is no."""
        verdicts: dict[int, bool] = {}
        place, tried = 0, 0
        for judgement in said:
            if place >= len(rubrics):
                break
            tried += 1
            verdict = self._says_yes(rubrics[place], judgement.text)
            if verdict is None and tried < self._how.tries:
                continue
            verdicts[place] = bool(verdict)
            place, tried = place + 1, 0
            if not self._how.every and not verdict:
                return verdicts, len(rubrics)
        return verdicts, place

    def _next(self, rubrics: Sequence[Rubric], said: Sequence[Judgement]) -> Rubric | None:
        place = self._walk(rubrics, said)[1]
        return rubrics[place] if place < len(rubrics) else None

    def _says_yes(self, rubric: Rubric, reply: str) -> bool | None:
        """Whether a reply says yes (or what is expected); None where it cannot be read."""
        if self._how.read == "yes-no":
            return reply_says(reply) == rubric.expected if reply else None
        if self._how.read == "true":
            return "true" in reply.lower()
        if self._how.read == "flag":
            return judged_flag(reply, self._how.flag)
        try:
            found = parse_rubric(reply)
        except SampleError:
            return None
        return rubric_met(found.get("criteria_met")) if isinstance(found, dict) else None

    def score(self, answered: Sequence[Answered]) -> Scores:
        runs = max((len(one.judgements) for one in answered), default=0)
        rows = [self._row(one) for one in answered]
        if not runs:
            bare = [SampleScore(row.id, cluster=row.cluster, labels=row.labels) for row in rows]
            return Scores(bare, (), {metric.name: unjudged(self) for metric in self.info.metrics})
        wanted, missing = self._computable(rows)
        return self.scores(rows, wanted, missing=missing, details={"runs of the judge": runs})

    def _row(self, one: Answered) -> SampleScore:
        made = row_of(one)
        record: CycleSample = one.sample.record
        try:
            self._answered(one)
            if not record.rubrics:
                raise SampleError("there is nothing to ask the judge about this sample")
            if self._empty(one):
                return made(values=dict.fromkeys(self._how.columns, 0.0), parsed="empty")
            if not one.judgements:
                raise SampleError("the judge has not graded this sample")
            graded = [self._grade(record, said) for said in one.judgements]
        except EvalsuiteError as error:
            return made(failure=str(error))
        columns = dict.fromkeys(name for run in graded for name in run)
        values = {name: sum(run[name] for run in graded) / len(graded) for name in columns}
        return made(values=values, parsed=", ".join(f"{name} {value:g}" for name, value in values.items()))

    def _grade(self, record: CycleSample, said: Sequence[Judgement]) -> dict[str, float]:
        """The columns of one run of the judge. Raises SampleError where it has not graded to the end."""
        if failed := next((one.failure for one in said if one.failure), ""):
            raise SampleError(f"the judge gave nothing: {failed}")
        verdicts, place = self._walk(record.rubrics, said)
        if place < len(record.rubrics):
            raise SampleError("the judge has not graded this sample to the end")
        found: dict[str, list[bool]] = {}
        for k, verdict in verdicts.items():
            found.setdefault(self._asking(record.rubrics[k]).column, []).append(verdict)
        if not self._how.every:
            return {name: float(all(given)) for name, given in found.items()}
        return {name: sum(given) / len(given) for name, given in found.items()}

    def target(self, sample: Any) -> Any:
        return {
            **sample.record.fields,
            "rubrics": [
                {"text": one.text, **({"expected": one.expected} if one.expected else {})}
                for one in sample.record.rubrics
            ],
        }
