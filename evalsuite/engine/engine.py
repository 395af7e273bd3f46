"""The loop: what is missing is prepared ahead, batched, answered, and on disk before it counts.

Requests of one sample follow each other (a protocol may ask again, given the answers so far): a follow-up is
put at the head of what is missing, so that data are read once and few samples are open at a time.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from evalsuite.engine.batching import Window
from evalsuite.engine.executor import Executor
from evalsuite.engine.plan import Item, Source, TaskPlan
from evalsuite.engine.prepare import Preparer, Ready, error_text, make_ready
from evalsuite.engine.progress import Progress
from evalsuite.engine.sizing import MOST, START
from evalsuite.engine.worker import Outcome
from evalsuite.errors import is_interruption
from evalsuite.model import Model
from evalsuite.spec import ExecutionOptions
from evalsuite.store.records import Record

AHEAD_BYTES = 64 * 2**20
"""Bytes of prepared requests that may wait: so much before the window, so much in it."""

_log = logging.getLogger(__name__)


class Sink(Protocol):
    """Where answers go; a run's writer is one."""

    def save(self, records: Sequence[Record]) -> None:
        """Durable when it returns."""
        ...

    def note(self, task: str, text: str) -> None: ...


@dataclass(frozen=True, slots=True)
class RequestLoop:
    """Asks what is missing of a task.

    Args:
        model: its CPU step is called here, in threads.
        executor: runs the device step.
        sink: takes the answers.
        seed: the run's.
        blind: the model is shown no images.
        annotated: it is an upper bound, which is given the task's own answers.
    """

    model: Model
    executor: Executor
    sink: Sink
    options: ExecutionOptions
    seed: int
    progress: Progress
    blind: bool = False
    annotated: bool = False

    def ask(self, source: Source) -> None:
        """Asks until nothing is missing; answers are saved batch by batch."""
        plan, options = source.plan, self.options
        prepare = partial(
            make_ready, plan.task, self.model, self.seed, blind=self.blind, annotated=self.annotated
        )
        most = options.batch_size if isinstance(options.batch_size, int) else MOST
        count = max(most, options.prefetch // 2)
        least = options.batch_size if isinstance(options.batch_size, int) else START
        window = Window(plan.key, count, AHEAD_BYTES, least=least)
        with Preparer(
            prepare, threads=options.prepare_threads, count=options.prefetch, size=AHEAD_BYTES
        ) as preparer:
            preparer.fill(source)
            while preparer.pending or len(window):
                while preparer.pending and not window.full:
                    ready = preparer.next()
                    if ready.prepared is None:
                        self._save(plan, [(ready, Outcome(None, ready.error))], source)
                    else:
                        window.add(ready)
                    preparer.fill(source)
                batches = window.cut(self.executor.limit, everything=not preparer.pending)
                for result in self.executor.execute(batches):
                    for text in result.notes:
                        self._note(plan.key, text)
                    self._save(plan, list(zip(result.batch.items, result.outcomes, strict=True)), source)
                    if result.stop is not None:
                        raise result.stop
                    preparer.fill(source)

    def _save(self, plan: TaskPlan, ended: Sequence[tuple[Ready, Outcome]], source: Source) -> None:
        records: list[Record] = []
        follow_ups: list[Item] = []
        for ready, outcome in ended:
            follow_up, failure = self._follow_up(plan, ready, outcome)
            records.append(_record(plan.key, ready, outcome, last=follow_up is None and not failure))
            if follow_up is not None:
                follow_ups.append(follow_up)
            if failure:
                records.append(_failed(plan.key, ready, ready.item.step + 1, failure))
        self.sink.save(records)
        for item in follow_ups:
            source.follow_up(item)
        failed = sum(record.status == "failed" for record in records)
        done = sum(record.last for record in records)
        if done:
            self.progress.on_batch(done, failed, plan.key)

    def _follow_up(self, plan: TaskPlan, ready: Ready, outcome: Outcome) -> tuple[Item | None, str]:
        """The next thing to ask about the sample, or why that cannot be told."""
        if outcome.response is None:
            return None, ""
        sample, earlier = ready.item.sample, (*ready.item.earlier, outcome.response)
        try:
            request = plan.task.request(sample, earlier)
        except BaseException as caught:  # the task's code on this answer: costs this sample only
            if is_interruption(caught):
                raise
            return None, error_text(caught)
        if request is None:
            return None, ""
        return Item(sample, ready.item.step + 1, earlier, request), ""

    def _note(self, task: str, text: str) -> None:
        _log.warning("%s: %s", task, text)
        self.sink.note(task, text)
        self.progress.on_note(task, text)


def _record(task: str, ready: Ready, outcome: Outcome, *, last: bool) -> Record:
    return Record(
        task=task,
        sample=ready.item.sample.id,
        step=ready.item.step,
        response=outcome.response,
        error=outcome.error,
        last=last,
        sample_hash=ready.sample_hash,
        request_hash=ready.request_hash,
        target_hash=ready.target_hash,
        seconds=outcome.seconds,
        batch_size=outcome.batch_size,
    )


def _failed(task: str, ready: Ready, step: int, reason: str) -> Record:
    return Record(
        task, ready.item.sample.id, step, None, reason, True, ready.sample_hash, "", ready.target_hash
    )
