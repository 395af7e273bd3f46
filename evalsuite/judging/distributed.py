"""A judge of the registry on Ray workers: a run's machinery over questions in place of samples.

To the workers a judged task is a task whose samples are open exchanges, whose requests are the judge's
questions and whose answers are its replies. So leases, resuming, deaths and poison are those of `evalsuite
run`; the driver alone keeps judgements, each on disk before it counts.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

from evalsuite.endpoint.types import Reply
from evalsuite.engine import Progress
from evalsuite.engine.driver import Driver
from evalsuite.engine.leases import Lease, cut
from evalsuite.engine.ledger import Ledger
from evalsuite.engine.pool import WorkerInfo
from evalsuite.engine.sizing import lease_size
from evalsuite.errors import SampleError, SpecError
from evalsuite.judging.exchange import Exchange, Question
from evalsuite.judging.loop import JudgeLoop, JudgeOptions, Open, Tally, as_sent, base_seed, exchange_id
from evalsuite.judging.model import (
    ModelJudge,
    reply_of,
    request_of,
    require_judge,
    said_by,
    scores_choices,
)
from evalsuite.judging.protocol import Judged
from evalsuite.judging.stored import spoken_by
from evalsuite.registry import Registry
from evalsuite.request import Request, Response, TextResponse
from evalsuite.running.admission import Gate
from evalsuite.running.distributing import open_pool
from evalsuite.spec import RunSpec
from evalsuite.store.records import Record
from evalsuite.task import Answered, Judgement, Sample, Scores, TaskInfo


def judge_on_workers(
    judge: Any,
    loops: Mapping[str, JudgeLoop],
    options: JudgeOptions,
    plugins: Sequence[Path],
    registry: Registry,
    progress: Progress,
) -> dict[str, Tally]:
    """Asks what is missing of all tasks through workers; starts none where nothing is.

    Args:
        judge: a model of the registry.
        loops: by task.
        plugins: files that workers load.

    Raises:
        SpecError: the judge is behind a server, cannot judge, or there are more workers than devices.
        UnavailableError: Ray cannot be used, or no worker is left; what was judged is kept.
        CheckpointError, StoreError: workers have other weights, or the run was judged with others.
    """
    if not isinstance(judge, ModelJudge):
        raise SpecError(
            "--workers and --ray-address belong to --judge-model: a server's judge is asked from here.",
            "Several servers of one judge share the questions: repeat --base-url.",
        )
    require_judge(judge, registry)
    store = _Store(loops)
    leases = chain.from_iterable(
        cut(key, store.samples(key, progress), lease_size(judge.batch_size)) for key in loops
    )
    first = next(leases, None)
    if first is not None:
        _drive(judge, chain([first], leases), store, options, plugins, registry, progress)
    return {key: loop.tally() for key, loop in loops.items()}


def _drive(
    judge: ModelJudge,
    leases: Iterable[Lease],
    store: _Store,
    options: JudgeOptions,
    plugins: Sequence[Path],
    registry: Registry,
    progress: Progress,
) -> None:
    how = options.execution.model_copy(update={"batch_size": judge.batch_size, "equal_failures": 0})
    likelihoods = scores_choices(judge, registry)
    tasks = {
        key: JudgingTask(loop.task, options_for_workers(options), judge.max_tokens, likelihoods)
        for key, loop in store.loops.items()
    }
    spec = RunSpec(
        model=judge.spec, tasks=(), seed=base_seed(options), reasoning="keep",
        plugins=tuple(dict.fromkeys(plugins)),
    )  # fmt: skip
    pool, _ = open_pool(spec, how, tasks, progress)
    begun: dict[str, set[str]] = {key: set() for key in tasks}
    gate = Gate(spec.plugins, how.same_gpus, store.answered_by)
    Driver(pool, Ledger(leases), store, progress, gate.admit, begun).run()


def options_for_workers(options: JudgeOptions) -> JudgeOptions:
    """What a question depends on."""
    return JudgeOptions(parameters=options.parameters)


@dataclass(frozen=True, slots=True)
class Asked:
    """An open exchange as it travels.

    Args:
        said: what the judge said in earlier sessions.
    """

    answered: Answered
    run: int
    said: tuple[Judgement, ...]


@dataclass(frozen=True, slots=True)
class JudgingTask:
    """A judged task as workers see it: its samples are open exchanges (`Asked`)."""

    task: Judged
    options: JudgeOptions
    max_tokens: int
    scores_choices: bool

    @property
    def info(self) -> TaskInfo:
        return self.task.info

    def fingerprint(self) -> str:
        return self.task.fingerprint()

    def samples(self) -> Iterator[Sample]:
        """None: the driver knows what is missing."""
        return iter(())

    def request(self, sample: Sample, earlier: Sequence[Response] = ()) -> Request | None:
        asked: Asked = sample.record
        exchange = Exchange(self.task, asked.answered)
        for judgement in asked.said:
            question = exchange.next()
            if question is None:
                return None
            exchange.add(question, judgement)
        replies = iter(earlier)
        while (question := exchange.next()) is not None:
            chat = as_sent(self.task, asked.answered, question, self.options)
            reply = next(replies, None)
            if reply is None:
                return request_of(chat, 0, self.max_tokens, scores_choices=self.scores_choices)
            said = said_by(reply, chat.choices)
            if said is None:
                return None
            exchange.add(question, spoken_by(said))
        return None

    def target(self, sample: Sample) -> Any:
        return None

    def score(self, answered: Sequence[Answered]) -> Scores:
        raise NotImplementedError("judgements are scored with their task")


@dataclass(slots=True)
class _Waiting:
    """An exchange that is at a worker."""

    open: Open
    question: Question | None
    records: list[Record] = field(default_factory=list)


class _Store:
    """Where the driver puts replies: into the run, as judgements."""

    def __init__(self, loops: Mapping[str, JudgeLoop]) -> None:
        self.loops = loops
        self._waiting: dict[tuple[str, str], _Waiting] = {}
        self._lock = threading.Lock()
        self._model: Any = None

    def samples(self, key: str, progress: Progress) -> Iterator[Sample]:
        """The open exchanges of a task; each is remembered until it is at its end."""
        for one in self.loops[key].missing(progress):
            name = exchange_id(one.answered, one.run)
            with self._lock:
                self._waiting[key, name] = _Waiting(one, one.question)
            yield Sample(name, Asked(one.answered, one.run, tuple(one.exchange.said)))

    def answered_by(self, info: WorkerInfo) -> None:
        """Takes the model that every worker has. Raises StoreError where another one judged before."""
        self._model = info.model
        for loop in self.loops.values():
            loop.check_served(reply_of(TextResponse(""), info.model, 0.0).model)

    def save(self, records: Sequence[Record]) -> None:
        with self._lock:
            for record in records:
                self._save(record)

    def _save(self, record: Record) -> None:
        place = record.task, record.sample
        waiting = self._waiting.get(place)
        if waiting is None:
            return
        if waiting.question is not None:
            reply: Reply | str = record.error or "the judge's answer is no text"
            said = said_by(record.response, waiting.question.chat.choices)
            if said is not None:
                reply = reply_of(said, self._model, record.seconds)
            self.loops[record.task].save(waiting.open, waiting.question, reply)
            waiting.records.append(record)
            try:
                waiting.question = waiting.open.exchange.next()
            except SampleError:  # the task's code on this reply: the worker met the same
                waiting.question = None
        if record.last:
            del self._waiting[place]

    def note(self, task: str, text: str) -> None:
        """Deaths and the like are told; a run keeps no notes on its judges."""

    def steps(self, task: str, sample: str) -> Sequence[Record]:
        """What this session saved of an exchange that is not at its end."""
        with self._lock:
            waiting = self._waiting.get((task, sample))
            return [] if waiting is None else list(waiting.records)
