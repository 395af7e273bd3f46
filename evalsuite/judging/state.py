"""How far the judging of a run is, from what is stored: exact also after a judge that was killed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from evalsuite.errors import StoreError
from evalsuite.judging.stored import verdicts
from evalsuite.store import Judging, RunReader, TaskResult


@dataclass(frozen=True, slots=True)
class JudgingState:
    """How far one judge is with one task.

    Args:
        account: what it took so far.
        answers: of the task, that can be judged.
        seen: of them, those that the judge has said something about.
        unjudged: answers that it was not asked about to the end; None where the run has not been scored
        since, so that only `seen` is known.
    """

    task: str
    account: Judging
    answers: int
    seen: int
    unjudged: int | None

    @property
    def finished(self) -> bool:
        return self.unjudged == 0


def judging_states(run: RunReader, results: Sequence[TaskResult] | None = None) -> list[JudgingState]:
    """The judges of every task of a run, the earliest first.

    Args:
        results: the run's numbers; None reads them.

    Raises StoreError where a judge's server answered under two names.
    """
    results = run.metrics() if results is None else results
    found = []
    for key in run.task_keys:
        for judge in run.judges(key):
            said = verdicts(run, judge, key)
            account = said.account()
            scored = next(
                (result for result in results if result.task == key and result.judging == account), None
            )
            found.append(
                JudgingState(
                    task=key,
                    account=account,
                    answers=run.counts()[key].answered,
                    seen=len({row.sample for row in said.rows}),
                    unjudged=None if scored is None else scored.unjudged,
                )
            )
    return found


def state_summary(state: JudgingState) -> str:
    """The state in one line, with what resumes it; empty where the judge is through and the run is scored."""
    if state.finished:
        return ""
    account = state.account
    failed = f" ({account.failed} failed)" if account.failed else ""
    had = f"{account.questions + account.failed} judgements{failed} of {state.seen} answers are stored"
    if state.unjudged is None:
        return (
            f"half done: {had}, {state.answers - state.seen} of {state.answers} answers have none, and the "
            "run has not been scored since: the same `evalsuite judge` resumes, `evalsuite score` scores "
            "what is there"
        )
    return (
        f"half done: {had}, {state.unjudged} of {state.answers} answers are not judged to the end: the same "
        "`evalsuite judge` resumes"
    )


def missing_of(run: RunReader, result: TaskResult) -> dict[str, str]:
    """The metrics a result lacks, with the reason as it is now: judgements that came after it count."""
    if not result.missing or result.judging is not None or result.info.judge:
        return dict(result.missing)
    try:
        states = [state for state in judging_states(run) if state.task == result.task]
    except StoreError as error:
        return dict.fromkeys(result.missing, str(error))
    phrase = "; ".join(
        f"{state.account.judge}: {state_summary(state)}" for state in states if state_summary(state)
    )
    return dict.fromkeys(result.missing, phrase) if phrase else dict(result.missing)
