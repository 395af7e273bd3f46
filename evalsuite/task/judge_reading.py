"""A judge that reads what a scoring rule leaves open: what it is asked, and what its replies come to."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, cast

from evalsuite.content import Message, Text, user
from evalsuite.endpoint import Chat
from evalsuite.errors import SampleError
from evalsuite.judging import Judged, unjudged
from evalsuite.task.family import FamilyTask, row_of
from evalsuite.task.judge_spec import JudgeSpec
from evalsuite.task.rules import RuleSet
from evalsuite.task.types import Answered, Judgement, SampleScore, Scores

if TYPE_CHECKING:
    from evalsuite.task.benchmark import Plan

_FIELD = re.compile(r"\{([a-z_]+)\}")


class JudgeReads(FamilyTask):
    """Put before a family's task whose answers are scored by named rules: a judge reads what they leave open.

    A family's task offers `scored`, `shown_to_judge` and `rule_kinds` (see `FamilyTask`).
    """

    @property
    def _spec(self) -> JudgeSpec:
        assert self.plan.benchmark.judge is not None
        return self.plan.benchmark.judge

    @property
    def judge(self) -> str:
        return self._spec.model

    @cached_property
    def _reply_rules(self) -> RuleSet | None:
        kinds, defaults = self.rule_kinds
        return (
            self.plan.rule_set(*kinds, choice=self._spec.reads, defaults=defaults)
            if self._spec.reads
            else None
        )

    def question(self, answered: Answered, said: Sequence[Judgement]) -> Chat | None:
        if len(said) >= self._spec.tries or (said and self._understood(answered, said[-1])):
            return None
        row = self.scored(answered)
        if row.failure:
            raise SampleError(row.failure)
        if self._spec.asks == "unread" and not row.unread:
            return None
        fields = {
            **answered.sample.labels,
            **self.shown_to_judge(answered.sample),
            "answer": self.answer(answered),
        }
        text = _FIELD.sub(lambda found: fields.get(found[1], found[0]), self._spec.prompt)
        head = (Message("system", (Text(self._spec.system),)),) if self._spec.system else ()
        return Chat((*head, user(text)), max_tokens=self._spec.max_tokens, temperature=self._spec.temperature)

    def prepared(self, answered: Answered, chat: Chat) -> Chat:
        return chat

    def score(self, answered: Sequence[Answered]) -> Scores:
        rows: list[SampleScore] = []
        runs = waiting = 0
        for one in answered:
            runs = max(runs, len(one.judgements))
            row, complete = self._judged(one)
            waiting += not complete
            rows.append(row)
        if waiting and not runs:
            bare = [SampleScore(row.id, cluster=row.cluster, labels=row.labels) for row in rows]
            reason = f"{unjudged(cast(Judged, self))} ({waiting} answers need one)"
            return Scores(bare, (), {spec.name: reason for spec in self.plan.benchmark.metrics})
        return self.scores(rows, details={"runs of the judge": runs} if runs else {})

    def _judged(self, one: Answered) -> tuple[SampleScore, bool]:
        """The row, and whether nothing more is to be asked."""
        own = self.scored(one)
        if own.failure or (self._spec.asks == "unread" and not own.unread):
            return own, True
        row = row_of(one)
        found: list[SampleScore] = []
        for said in one.judgements or ((),):
            if not said:
                return row(failure="the judge has not read this answer"), False
            if failed := next((judgement.failure for judgement in said if judgement.failure), ""):
                return row(failure=f"the judge gave nothing: {failed}"), True
            found.append(self._reading(one, said[-1]))
        if failure := next((each.failure for each in found if each.failure), ""):
            return row(failure=failure), True
        names = dict.fromkeys(name for each in found for name in each.values)
        values = {name: sum(each.values[name] for each in found) / len(found) for name in names}
        return replace(found[-1], values=values, unread=any(each.unread for each in found)), True

    def _reading(self, one: Answered, said: Judgement) -> SampleScore:
        if self._reply_rules is not None:
            return self.scored(one, said.text, self._reply_rules)
        value, unread = self._spec.grade(said.text, one.sample.labels)
        column = self.scoring_rules[0].column
        return row_of(one)(values={column: value}, parsed=said.text, unread=unread)

    def _understood(self, one: Answered, said: Judgement) -> bool:
        return not said.failure and not self._reading(one, said).unread


def asks_judge(plan: Plan) -> bool:
    """Whether a judge reads answers under the chosen rules."""
    spec = plan.benchmark.judge
    return spec is not None and plan.rules in spec.rules


__all__: Sequence[str] = ("JudgeReads", "asks_judge")
