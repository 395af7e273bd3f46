"""The loop: what is missing is prepared ahead, batched and answered, lease by lease.

Requests of one sample follow each other (a protocol may follow up, given the answers so far). No batch holds
requests of two leases, so that any number of workers asks in the same batches; but the next lease is prepared
while the last batches of the one before are answered, so that the device does not wait between them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from evalsuite.content import ImageEncoding
from evalsuite.engine.batching import Batch, Window
from evalsuite.engine.executor import Executor
from evalsuite.engine.plan import Item, Source, TaskPlan
from evalsuite.engine.prepare import Preparer, Ready, error_text, make_ready, prepare_threads
from evalsuite.engine.probing import probe
from evalsuite.engine.saver import encoded_as
from evalsuite.engine.sizing import LEASE_BATCHES, MOST, START
from evalsuite.engine.streak import Streak
from evalsuite.engine.told import Answered, Asking, Remark, Through, Told
from evalsuite.engine.worker import Outcome
from evalsuite.errors import is_interruption
from evalsuite.model import Model
from evalsuite.model.reasoning import Reasoning, without_reasoning
from evalsuite.request import Response
from evalsuite.spec import ExecutionOptions
from evalsuite.store.records import Record

AHEAD_BYTES = 64 * 2**20
"""Bytes of prepared requests that may wait: so much before the window, so much in it."""

GROWTH = 8
"""The window grows by one batch per this many: the share by which preparing must be faster meanwhile."""

Take = Callable[[bool], Source | None]
"""The next lease to ask about; None where there is none. Called with True it may wait for one."""


@dataclass(slots=True)
class _Opened:
    """A lease whose requests are being prepared."""

    source: Source
    preparer: Preparer

    def fill(self) -> None:
        self.preparer.fill(self.source)

    @property
    def pending(self) -> int:
        return self.preparer.pending


@dataclass(slots=True)
class RequestLoop:
    """Asks about leases.

    Args:
        model: its CPU step is called here, in threads.
        executor: runs the device step, in the thread that reads from `run`.
        seed: the run's.
        blind: the model is shown no images.
        annotated: it is an upper bound, which is given the task's own answers.
        reasoning: whether the questions after the first see the thought in front of an answer.
    """

    model: Model
    executor: Executor
    options: ExecutionOptions
    seed: int
    blind: bool = False
    annotated: bool = False
    reasoning: Reasoning = "strip"
    _streak: Streak = field(default_factory=Streak)
    _probed: set[str] = field(default_factory=set)
    _ahead: Source | _Opened | None = None

    def run(self, take: Take) -> Iterator[Told]:
        """Asks about one lease after the other until `take` gives none; tells what is answered batch by
        batch.

        Raises UnavailableError when the model can answer nothing more, and when `equal_failures` samples in a
        row failed with the same reason; what was answered before that has been told.
        """
        opened: _Opened | None = None
        try:
            while (found := self._ahead or take(True)) is not None:
                self._ahead = None
                source = found if isinstance(found, Source) else found.source
                yield from self._probe(source)
                if source.lease.alone:
                    for sample in source.lease.samples:
                        yield Asking(source.lease.ticket, sample.id)
                        alone = replace(source, lease=replace(source.lease, samples=(sample,)))
                        opened = self._open(alone)
                        yield from self._ask(opened, None)
                        opened.preparer.close(wait=True)
                else:
                    opened = found if isinstance(found, _Opened) else self._open(source)
                    yield from self._ask(opened, take)
                    opened.preparer.close(wait=True)
                yield Through(source.lease.ticket)
        finally:
            for one in (opened, self._ahead):
                if isinstance(one, _Opened):
                    one.preparer.close(wait=False)
            self._ahead = None

    def _open(self, source: Source) -> _Opened:
        """Begins to prepare a lease."""
        task = source.plan.task
        prepare = partial(make_ready, task, self.model, self.seed, blind=self.blind, annotated=self.annotated)
        threads = prepare_threads(self.options.prepare_threads, self.model.info)
        count = self.options.prefetch
        opened = _Opened(
            source, Preparer(prepare, threads=threads, count=count, size=AHEAD_BYTES, first=count)
        )
        opened.fill()
        return opened

    def _probe(self, source: Source) -> Iterator[Told]:
        """Finds out with a task's first request whether the model can do what it needs."""
        plan = source.plan
        if plan.key not in self._probed:
            self._probed.add(plan.key)
            for text in probe(self.model, plan.key, plan.task, source.lease.samples, blind=self.blind):
                yield Remark(plan.key, text)

    def _look_ahead(self, take: Take | None) -> None:
        """Begins to prepare the next lease, for the time when this one's last batches are answered."""
        if self._ahead is None and take is not None:
            self._ahead = take(False)
        if isinstance(self._ahead, Source):
            lease = self._ahead.lease
            # What was found to kill is prepared when it alone can be to blame, and what the adapter prepares
            # may hang on what its probe found.
            probed = lease.task in self._probed or not hasattr(self.model, "probe")
            if probed and not lease.alone:
                self._ahead = self._open(self._ahead)
        elif self._ahead is not None:
            self._ahead.fill()

    def _ask(self, opened: _Opened, take: Take | None) -> Iterator[Told]:
        """Asks until nothing of a lease is missing."""
        source, options = opened.source, self.options
        ticket, key = source.lease.ticket, source.plan.key
        least = options.batch_size if isinstance(options.batch_size, int) else START
        most = options.batch_size if isinstance(options.batch_size, int) else MOST
        count = max(most, options.prefetch // 2)
        window = Window(key, count, AHEAD_BYTES, least=least)
        unprepared: list[tuple[Ready, Outcome]] = []
        while opened.pending or len(window):
            for result in self.executor.execute(self._batches(opened, window, unprepared, least, take)):
                for text in result.notes:
                    yield Remark(key, text)
                ended = [*unprepared, *zip(result.batch.items, result.outcomes, strict=True)]
                unprepared.clear()
                records = self._records(ended, source)
                opened.fill()
                yield Answered(ticket, records)
                if result.stop is not None:
                    raise result.stop
                self._streak.check(options.equal_failures)
            if unprepared:
                records = self._records(unprepared, source)
                unprepared.clear()
                yield Answered(ticket, records)

    def _batches(
        self,
        opened: _Opened,
        window: Window,
        unprepared: list[tuple[Ready, Outcome]],
        least: int,
        take: Take | None,
    ) -> Iterator[Batch]:
        """Batches, as long as there is something to cut them from.

        The first window of a task is one batch, so that the device begins early; then it grows, slowly and by
        position, so that filling it never holds the device up where preparing is only a little faster than
        answering. An executor that takes batches ahead is not held up at the end of a window; what a result
        brings then comes with the next call.

        Args:
            unprepared: takes what could not be prepared.
            least: requests of the first window.
        """
        growth = max(1, least // GROWTH)
        wanted = least + opened.source.lease.number * LEASE_BATCHES * growth
        while opened.pending or len(window):
            while opened.pending and not window.full and len(window) < wanted:
                ready = opened.preparer.next()
                if ready.prepared is None:
                    unprepared.append((ready, Outcome(None, ready.error)))
                else:
                    window.add(ready)
                opened.fill()
            if not opened.pending:
                self._look_ahead(take)
            yield from window.cut(self.executor.limit, everything=not opened.pending)
            wanted += growth

    def _records(self, ended: Sequence[tuple[Ready, Outcome]], source: Source) -> tuple[Record, ...]:
        """The records of what has ended; what follows from it is handed to the source."""
        plan = source.plan
        records: list[Record] = []
        for ready, outcome in ended:
            if self.encoding != ImageEncoding():
                outcome = replace(outcome, response=encoded_as(outcome.response, self.encoding))
            follow_up, failure = self._follow_up(plan, ready, outcome)
            records.append(_record(plan.key, ready, outcome, last=follow_up is None and not failure))
            if follow_up is not None:
                source.follow_up(follow_up)
            if failure:
                records.append(_failed(plan.key, ready, ready.item.step + 1, failure))
        self._streak.add(ended)
        return tuple(records)

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
