"""Through the samples of a page, one at a time: what was asked, what was answered."""

from __future__ import annotations

import heapq
import itertools
import logging
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from typing import Any

from evalsuite.engine import subset
from evalsuite.errors import EvalsuiteError, is_interruption, reason_of
from evalsuite.model.reasoning import without_reasoning
from evalsuite.report.gathering import Answers, Page
from evalsuite.request import Request, Response
from evalsuite.store import Record
from evalsuite.task import Sample, Task

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Step:
    """One question to one model: the request where the data are here, and the record of the answer.

    Args:
        unknown: why there is no request.
    """

    record: Record
    request: Request | None = None
    unknown: str = ""


@dataclass(frozen=True, slots=True)
class Visit:
    """One sample with the steps of each run of the page, in its order; none where it was not asked.

    Args:
        sample: None where the benchmark's data are not here.
        target: what answers are compared with, JSON-able; None where unknown.
    """

    id: str
    steps: tuple[tuple[Step, ...], ...]
    sample: Sample | None = None
    target: Any = None


def asked(page: Page) -> set[str]:
    """The samples that at least one run of the page has asked about."""
    found: set[str] = set()
    for answers in page.answers:
        found |= answers.reader.answered(answers.key)
        found |= {record.sample for record in answers.reader.failures(answers.key)}
    return found


def choose(ids: Set[str], most: int | None, task: str) -> Set[str]:
    """At most `most` of the samples, by a seeded order, so that all reports of a task show the same ones."""
    if most is None or len(ids) <= most:
        return ids
    return subset.choose(ids, most, 0, task)


def walk(page: Page, ids: Set[str]) -> Iterator[Visit]:
    """The samples in the benchmark's order where its data are here, else by id; one in memory at a time."""
    task, _ = page.built
    left = set(ids)
    if task is not None:
        for sample in task.samples():
            if sample.id in left:
                left.discard(sample.id)
                yield _visit(page, task, sample)
                if not left:
                    return
    if left:
        yield from _without_data(page, left)


def _visit(page: Page, task: Task, sample: Sample) -> Visit:
    steps = tuple(_steps(task, sample, a.reader.steps(a.key, sample.id)) for a in page.answers)
    try:
        target = task.target(sample)
    except BaseException as error:
        if is_interruption(error):
            raise
        target = {"not available": reason_of(error)}
    return Visit(sample.id, steps, sample, target)


def _steps(task: Task, sample: Sample, records: Sequence[Record]) -> tuple[Step, ...]:
    found: list[Step] = []
    earlier: list[Response] = []
    for record in records:
        request, unknown = None, ""
        try:
            request = task.request(sample, tuple(map(without_reasoning, earlier)))
        except EvalsuiteError as error:
            unknown = error.what
        except BaseException as error:  # a sample whose record the task's code cannot take
            if is_interruption(error):
                raise
            _log.debug("asking about %s failed", sample.id, exc_info=True)
            unknown = reason_of(error)
        found.append(Step(record, request, unknown))
        if record.response is not None:
            earlier.append(record.response)
    return tuple(found)


def _without_data(page: Page, ids: Set[str]) -> Iterator[Visit]:
    def labelled(column: int, answers: Answers) -> Iterator[tuple[str, int, Record]]:
        for record in answers.reader.records(answers.key):
            if record.sample in ids:
                yield record.sample, column, record

    streams = [labelled(i, answers) for i, answers in enumerate(page.answers)]
    merged = heapq.merge(*streams, key=lambda item: item[0].encode("utf-8", "surrogatepass"))
    for name, group in itertools.groupby(merged, key=lambda item: item[0]):
        steps: list[list[Step]] = [[] for _ in page.answers]
        for _, column, record in group:
            steps[column].append(Step(record))
        yield Visit(name, tuple(map(tuple, steps)))
