"""What a run's store knows of a judge: its judgements by place, its name, what it took."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar, cast

from evalsuite.errors import StoreError
from evalsuite.judging.exchange import Place
from evalsuite.model.reasoning import answer_of
from evalsuite.request import TextResponse
from evalsuite.store import Judge, Judging, RunReader, RunWriter, StoredJudgement
from evalsuite.task import Judgement

_Number = TypeVar("_Number", int, float)


@dataclass(frozen=True, slots=True)
class Verdicts:
    """All that one judge said about one task.

    Args:
        rows: judgements and failures, the earliest first.
        served: the judge's model as its server names it; as it was asked for where the server says nothing.
    """

    judge: Judge
    rows: tuple[StoredJudgement, ...]
    served: str

    @property
    def known(self) -> dict[Place, Judgement]:
        """Judgements and failures by their place."""
        return {(row.question, row.attempt, row.run): spoken(row) for row in self.rows}

    @property
    def runs(self) -> int:
        """Judge passes over the answers."""
        return max((row.run for row in self.rows), default=-1) + 1

    @property
    def name(self) -> str:
        """What results and leaderboards call the judge."""
        return self.judge.named(self.served)

    def account(self) -> Judging:
        """What it took, for the record. A sum with an unknown part is unknown."""
        had = [row for row in self.rows if not row.error]
        return Judging(
            judge=self.judge.named(self.judge.model),
            served=self.served,
            runs=self.runs,
            questions=len(had),
            failed=len(self.rows) - len(had),
            retries=sum(row.retries for row in self.rows),
            seconds=round(sum(row.seconds for row in self.rows), 3),
            prompt_tokens=_total([row.prompt_tokens for row in had]),
            completion_tokens=_total([row.completion_tokens for row in had]),
            cost=_total([row.cost for row in had]),
        )


def verdicts(run: RunReader | RunWriter, judge: Judge, key: str) -> Verdicts:
    """What a judge said about a task.

    Raises StoreError when its server answered under two names: two models must not make one number.
    """
    rows = run.judgements(judge, key)
    names = sorted({row.model for row in rows if row.model})
    if len(names) > 1:
        raise StoreError(
            f"{run.path}: {key} was judged by {' and '.join(names)} under the one name {judge.model!r}.",
            "Judge again with --judge naming one of them exactly.",
        )
    return Verdicts(judge, tuple(rows), names[0] if names else judge.model)


def spoken(row: StoredJudgement) -> Judgement:
    """The judgement as tasks see it: without the reasoning in front of it, failed where nothing follows."""
    if row.error:
        return Judgement("", row.model, row.error)
    return _spoken(row.text or "", row.model, truncated=row.finish_reason == "length")


def spoken_by(response: TextResponse) -> Judgement:
    """A reply of a model of the registry as `spoken` gives its stored form; it does not name the model."""
    return _spoken(response.text, "", truncated=response.truncated)


def _spoken(text: str, model: str, *, truncated: bool) -> Judgement:
    found = answer_of(text, truncated=truncated)
    return Judgement(found.text, model, found.missing)


def _total(values: Sequence[_Number | None]) -> _Number | None:
    known = [value for value in values if value is not None]
    return cast(_Number, sum(known)) if len(known) == len(values) else None
