"""The loop: what is missing is prepared ahead, batched, answered, and on disk before it counts.

Requests of one sample follow each other (a protocol may follow up, given the answers so far): a follow-up is
put at the head of what is missing, so that data are read once and few samples are open at a time.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Protocol

from evalsuite.content import ImageEncoding
from evalsuite.engine.batching import Batch, Window
from evalsuite.engine.executor import Executor
from evalsuite.engine.plan import Item, Source, TaskPlan
from evalsuite.engine.prepare import Preparer, Ready, error_text, make_ready, prepare_threads
from evalsuite.engine.progress import Progress
from evalsuite.engine.saver import BEHIND, Saver, encoded_as, encoding_threads
from evalsuite.engine.sizing import MOST, START
from evalsuite.engine.worker import Outcome
from evalsuite.errors import UnavailableError, is_interruption
from evalsuite.model import Model
from evalsuite.model.reasoning import Reasoning, without_reasoning
from evalsuite.request import Response
from evalsuite.spec import ExecutionOptions
from evalsuite.store.records import Record

AHEAD_BYTES = 64 * 2**20
"""Bytes of prepared requests that may wait: so much before the window, so much in it."""

GROWTH = 8
"""The window grows by one batch per this many: the share by which preparing must be faster meanwhile."""

_log = logging.getLogger(__name__)
_NUMBERS = re.compile(r"\d+")


class Streak:
    """Device steps that failed in a row with the same reason, numbers in it aside."""

    def __init__(self) -> None:
        self._count, self._kind, self._reason = 0, "", ""

    def add(self, ended: Sequence[tuple[Ready, Outcome]]) -> None:
        for ready, outcome in ended:
            if ready.prepared is None:
                continue  # its own data's fault, which says nothing of the model
            kind = "" if outcome.response is not None else _NUMBERS.sub("#", outcome.error)
            self._count = self._count + 1 if kind and kind == self._kind else int(bool(kind))
            self._kind, self._reason = kind, outcome.error

    def check(self, most: int) -> None:
        """Raises UnavailableError when the limit is reached; 0 is no limit."""
        if most and self._count >= most:
            raise UnavailableError(
                f"{self._count} samples in a row failed with the same reason: {self._reason}",
                "Correct it and run again with --retry-failed; --equal-failures 0 asks to the end.",
            )


class Sink(Protocol):
    """Where answers go; a run's writer is one."""

    def save(self, records: Sequence[Record]) -> None:
        """Durable when it returns. Called in one thread at a time, which is not the model's."""
        ...

    def note(self, task: str, text: str) -> None:
        """Likewise."""
        ...


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
        reasoning: whether the questions after the first see the thought in front of an answer.
    """

    model: Model
    executor: Executor
    sink: Sink
    options: ExecutionOptions
    seed: int
    progress: Progress
    blind: bool = False
    annotated: bool = False
    reasoning: Reasoning = "strip"
    _streak: Streak = field(default_factory=Streak)

    def ask(self, source: Source) -> None:
        """Asks until nothing is missing; answers are saved batch by batch, one behind the device.

        Raises UnavailableError when `equal_failures` samples in a row failed with the same reason.
        """
        plan, options = source.plan, self.options
        prepare = partial(
            make_ready, plan.task, self.model, self.seed, blind=self.blind, annotated=self.annotated
        )
        most = options.batch_size if isinstance(options.batch_size, int) else MOST
        count = max(most, options.prefetch // 2)
        least = options.batch_size if isinstance(options.batch_size, int) else START
        window = Window(plan.key, count, AHEAD_BYTES, least=least)
        threads = prepare_threads(options.prepare_threads, self.model.info)
        with (
            Saver(self.sink.save, encoders=encoding_threads()) as saver,
            Preparer(prepare, threads=threads, count=options.prefetch, size=AHEAD_BYTES) as preparer,
        ):
            preparer.fill(source)
            while preparer.pending or len(window):
                for result in self.executor.execute(self._batches(source, preparer, window, saver, least)):
                    for text in result.notes:
                        self._note(plan.key, text, saver)
                    self._add(
                        plan, list(zip(result.batch.items, result.outcomes, strict=True)), source, saver
                    )
                    if result.stop is not None:
                        self._report(plan.key, saver, at_most_behind=0)
                        raise result.stop
                    self._streak.check(options.equal_failures)
                    preparer.fill(source)
            self._report(plan.key, saver, at_most_behind=0)

    def _batches(
        self, source: Source, preparer: Preparer, window: Window, saver: Saver, first: int
    ) -> Iterator[Batch]:
        """Batches, as long as there is something to cut them from.

        The first window is one batch, so that the device begins early; then it grows, slowly, so that filling
        it never holds the device up where preparing is only a little faster than answering. An executor that
        takes batches ahead is not held up at the end of a window; what a result brings then comes with the
        next call.

        Args:
            first: requests of the first window.
        """
        wanted = first
        while preparer.pending or len(window):
            while preparer.pending and not window.full and len(window) < wanted:
                ready = preparer.next()
                if ready.prepared is None:
                    self._add(source.plan, [(ready, Outcome(None, ready.error))], source, saver)
                else:
                    window.add(ready)
                preparer.fill(source)
            yield from window.cut(self.executor.limit, everything=not preparer.pending)
            wanted += max(1, first // GROWTH)

    def _add(
        self,
        plan: TaskPlan,
        ended: Sequence[tuple[Ready, Outcome]],
        source: Source,
        saver: Saver,
    ) -> None:
        """Hands what ended over to be saved, and what follows from it to the source."""
        records: list[Record] = []
        follow_ups: list[Item] = []
        for ready, outcome in ended:
            if self.encoding != ImageEncoding():
                outcome = replace(outcome, response=encoded_as(outcome.response, self.encoding))
            follow_up, failure = self._follow_up(plan, ready, outcome)
            records.append(_record(plan.key, ready, outcome, last=follow_up is None and not failure))
            if follow_up is not None:
                follow_ups.append(follow_up)
            if failure:
                records.append(_failed(plan.key, ready, ready.item.step + 1, failure))
        saver.add(records)
        self._streak.add(ended)
        for item in follow_ups:
            source.follow_up(item)
        self._report(plan.key, saver)

    def _report(self, task: str, saver: Saver, at_most_behind: int = BEHIND) -> None:
        """Reports to the progress what has become durable."""
        for records in saver.saved(at_most_behind=at_most_behind):
            failed = sum(record.status == "failed" for record in records)
            done = sum(record.last for record in records)
            if done:
                self.progress.on_batch(done, failed, task)

    @property
    def encoding(self) -> ImageEncoding:
        """How generated images are encoded."""
        return ImageEncoding(self.options.image_format, self.options.image_level)

    def _follow_up(self, plan: TaskPlan, ready: Ready, outcome: Outcome) -> tuple[Item | None, str]:
        """The next thing to ask about the sample, or why there is none."""
        if outcome.response is None:
            return None, ""
        sample, earlier = ready.item.sample, (*ready.item.earlier, outcome.response)
        try:
            request = plan.task.request(sample, self._read(earlier))
        except BaseException as caught:  # the task's code on this answer: costs this sample only
            if is_interruption(caught):
                raise
            return None, error_text(caught)
        if request is None:
            return None, ""
        return Item(sample, ready.item.step + 1, earlier, request), ""

    def _read(self, earlier: tuple[Response, ...]) -> tuple[Response, ...]:
        """Answers as the task's next question sees them: a thought is no answer."""
        if self.reasoning == "keep":
            return earlier
        return tuple(without_reasoning(response) for response in earlier)

    def _note(self, task: str, text: str, saver: Saver) -> None:
        _log.warning("%s: %s", task, text)
        saver.call(partial(self.sink.note, task, text))
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
