"""What judges were asked and said about the answers of one run, found by sample."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from evalsuite.judging import Judged
from evalsuite.judging.exchange import Place
from evalsuite.judging.shown import Asked, questions_asked
from evalsuite.report.gathering import Answers
from evalsuite.report.privacy import without_folders
from evalsuite.store import Record
from evalsuite.task import Answered, Judgement, Sample, Task


@dataclass(frozen=True, slots=True)
class Said:
    """One judgement: its place, the judge, its words, or why it said nothing."""

    place: Place
    judge: str
    words: str
    failure: str


def judgements(answers: Answers) -> dict[str, list[Said]]:
    """For each judged sample, its judgements in the order of asking.

    Held in memory: only tasks with judges have any, and those are small.
    """
    found: dict[str, list[Said]] = {}
    for judge in answers.reader.judges(answers.key):
        for said in answers.reader.judgements(judge, answers.key):
            name = judge.named(said.model or judge.model)
            place = said.question, said.attempt, said.run
            one = Said(place, name, said.text or "", without_folders(said.error))
            found.setdefault(said.sample, []).append(one)
    return found


def with_questions(
    said: Sequence[Said], task: Task | None, sample: Sample | None, records: Sequence[Record]
) -> list[list[Any]]:
    """Judge, words, failure and question of each judgement, and which of the answer's images the question
    shows, from 1; no question where the data are not here, or where it was asked under other rules."""
    asked: dict[tuple[str, Place], Asked] = {}
    responses = tuple(record.response for record in records if record.response is not None)
    if isinstance(task, Judged) and sample is not None and responses:
        for judge in dict.fromkeys(one.judge for one in said):
            known = {
                one.place: Judgement(one.words, judge, one.failure) for one in said if one.judge == judge
            }
            found = questions_asked(task, Answered(sample, responses), known)
            asked |= {(judge, place): one for place, one in found.items()}
    rows: list[list[Any]] = []
    for one in said:
        about = asked.get((one.judge, one.place))
        question, images = (about.question, [place + 1 for place in about.images]) if about else ("", [])
        rows.append([one.judge, one.words, one.failure, question, images])
    return rows
