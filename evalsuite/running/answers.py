"""Stored answers as scoring reads them: without reasoning, and counted: empty, truncated, refused, none."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from evalsuite.endpoint.errors import REFUSED
from evalsuite.errors import StoreError
from evalsuite.model.reasoning import Answer, Reasoning, answer_in, answer_of, without_reasoning
from evalsuite.request import Response, TextResponse
from evalsuite.store.results import KEPT, AnswerCounts, read_results

if TYPE_CHECKING:
    from evalsuite.store import RunReader, RunWriter

WITH_TEXT = frozenset({"text", "interleaved"})
"""Capabilities whose answers hold text."""


@dataclass(frozen=True, slots=True)
class Reading:
    """How the answers of one task are read.

    Args:
        reasoning: what is done with reasoning.
        opens: the server's chat template opens the thought, as other answers show.
        unanswered: samples whose reasoning has no answer behind it, with the reason; they are not scored.
        counts: what a reader of the number should know.
    """

    reasoning: Reasoning
    opens: bool = False
    unanswered: Mapping[str, str] = field(default_factory=dict)
    counts: AnswerCounts = field(default_factory=AnswerCounts)

    def read(self, responses: Iterable[Response]) -> tuple[Response, ...]:
        """Responses as scorers and judges see them."""
        if self.reasoning == "keep":
            return tuple(responses)
        return tuple(without_reasoning(response, opens=self.opens) for response in responses)


def reading_of(run: RunReader | RunWriter, key: str, reasoning: Reasoning | None = None) -> Reading:
    """Goes once over a task's answers.

    Args:
        reasoning: None: as the task was scored last, else as its run says.
    """
    reasoning = reasoning or mode_of(run, key)
    refused = sum(REFUSED in record.error for record in run.failures(key))
    if run.manifest.task(key).info.capability not in WITH_TEXT:
        return Reading(reasoning, counts=AnswerCounts(refused=refused))
    strip = reasoning == "strip"
    empty: set[str] = set()
    truncated: set[str] = set()
    reasoned: set[str] = set()
    unmarked: set[str] = set()
    missing: dict[str, str] = {}
    closed_only = False
    for record in run.records(key):
        response = record.response
        if not isinstance(response, TextResponse):
            continue
        name = record.sample
        found = answer_in(response) if strip else Answer(response.text)
        closed_only = closed_only or found.closed_only
        for kind, holds in (
            (empty, not found.text.strip() and not found.missing),
            (truncated, response.truncated),
            (reasoned, found.reasoned or (not strip and answer_in(response).reasoned)),
            (unmarked, response.truncated and not found.reasoned),
        ):
            if holds:
                kind.add(name)
        if found.missing:
            missing[name] = found.missing
        refused += bool(response.details.get("refusal"))
    if closed_only:  # its template opens every thought: what was cut off without a mark is one
        missing |= {name: answer_of("", opened=True, truncated=True).missing for name in unmarked}
    counts = AnswerCounts(
        empty=len(empty),
        truncated=len(truncated),
        refused=refused,
        reasoned=len(reasoned | missing.keys()),
        unanswered=len(missing),
    )
    return Reading(reasoning, closed_only, missing, counts)


def mode_of(run: RunReader | RunWriter, key: str) -> Reasoning:
    """What was done with reasoning when the task was scored last, else what the run says."""
    try:
        scored = [result for result in read_results(run.path) if result.task == key]
    except StoreError:  # damaged numbers are made again from the responses
        scored = []
    if scored and scored[-1].answers is not None:
        return "keep" if KEPT in scored[-1].form else "strip"
    return run.manifest.spec.reasoning
