"""One judge and one task: what is missing, and how a reply is kept. Who asks is somebody else's matter."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from evalsuite.endpoint.types import Chat, Reply
from evalsuite.engine import Progress
from evalsuite.engine.seeds import request_seed
from evalsuite.errors import DataError, SampleError, SpecError, StoreError
from evalsuite.judging.asked import AskedJudge
from evalsuite.judging.exchange import Exchange, Question
from evalsuite.judging.protocol import Judged
from evalsuite.judging.stored import spoken, verdicts
from evalsuite.running.scoring import StoredAnswers
from evalsuite.spec import ExecutionOptions
from evalsuite.store import Judge, RunWriter, StoredJudgement
from evalsuite.task import Answered

_log = logging.getLogger(__name__)
_FIELDS = frozenset({"max_tokens", "temperature", "top_p", "seed"})


@dataclass(frozen=True, slots=True)
class JudgeOptions:
    """How a judge is asked.

    Args:
        runs: judge passes per answer.
        parameters: what is to be otherwise than the task's protocol has it: `temperature`, `max_tokens`,
            `top_p`, `seed`, and any field of the request's body. They are part of the judge's name.
        price_in, price_out: of a million tokens; None: unknown, and so is the cost.
        retry_failed: retry failed judgements.
        execution: how a judge of the registry is carried out: `workers`, `ray_address` and the fields beside
            them answer in place of this process.
    """

    runs: int = 1
    parameters: Mapping[str, Any] = field(default_factory=dict)
    price_in: float | None = None
    price_out: float | None = None
    retry_failed: bool = False
    execution: ExecutionOptions = field(default_factory=ExecutionOptions)

    def __post_init__(self) -> None:
        if self.runs < 1:
            raise SpecError(f"runs={self.runs}: a judge is asked at least once.")
        for name in ("price_in", "price_out"):
            price = getattr(self, name)
            if price is not None and not price >= 0:
                raise SpecError(f"{name}={price} is not a price.", "Give the price of a million tokens.")


@dataclass(slots=True)
class Tally:
    """What one call did for one task.

    Args:
        asked, failed: questions that were answered, and that failed, now.
        known, open: all questions, those of earlier calls included, and those without a judgement.
    """

    asked: int = 0
    failed: int = 0
    known: int = 0
    open: int = 0


@dataclass(frozen=True, slots=True)
class Open:
    """An exchange that continues with `question`."""

    answered: Answered
    run: int
    exchange: Exchange
    question: Question


class JudgeLoop:
    """Asks one judge about one task's answers.

    Args:
        writer: the run.
        key: the task in the run.
        judge: who is asked, as stored.
    """

    def __init__(
        self,
        writer: RunWriter,
        key: str,
        task: Judged,
        judge: Judge,
        options: JudgeOptions,
    ) -> None:
        self._writer, self._key, self._task = writer, key, task
        self._judge, self._options = judge, options
        before = verdicts(writer, judge, key)
        self._known = {
            place: judgement
            for place, judgement in before.known.items()
            if not (options.retry_failed and judgement.failure)
        }
        self._served = next((row.model for row in before.rows if row.model), "")
        self._tally = Tally()

    @property
    def task(self) -> Judged:
        """What the answers belong to."""
        return self._task

    def ask_all(self, endpoint: AskedJudge, progress: Progress) -> Tally:
        """Asks in this process what is missing."""

        async def one(item: Open) -> int:
            return await self._ask(item, endpoint)

        for _, result in endpoint.each(self.missing(progress), one):
            progress.on_batch(1, 1 if isinstance(result, SampleError) else result, self._key)
        return self.tally()

    def tally(self) -> Tally:
        """What was done until now."""
        latest: dict[tuple[str, int], tuple[int, bool]] = {}
        for (question, attempt, run), judgement in self._known.items():
            # a task may retry where a judgement cannot be read: the last attempt counts
            place = (question, run)
            latest[place] = max(latest.get(place, (-1, False)), (attempt, bool(judgement.failure)))
        self._tally.known = len(latest)
        self._tally.open = sum(failed for _, failed in latest.values())
        return self._tally

    def missing(self, progress: Progress) -> Iterator[Open]:
        """Exchanges that are not at their end, in the order of the answers."""
        answers = StoredAnswers(self._writer, self._key, self._task)
        progress.on_start(len(answers) * self._options.runs, 0)
        for one in answers:
            for run in range(self._options.runs):
                exchange = Exchange(self._task, one)
                try:
                    question = exchange.recall(self._known, run)
                    if question is not None:
                        yield Open(one, run, exchange, question)
                        continue
                except SampleError as error:
                    _log.debug("%s, %s is not judged: %s", self._key, one.sample.id, error)
                progress.on_batch(1, 0, self._key)

    async def _ask(self, item: Open, endpoint: AskedJudge) -> int:
        """Asks to the end of one exchange; gives the number of failures."""
        exchange = item.exchange
        question: Question | None = item.question
        while question is not None:
            seed = seed_of(self._options, self._task, item.answered, item.run, len(exchange.said))
            reply: Reply | str
            try:
                chat = as_sent(self._task, item.answered, question, self._options)
                reply = await endpoint.ask(chat, seed)
            except (SampleError, DataError) as error:  # DataError: an image that cannot be decoded
                reply = str(error)
            self.save(item, question, reply)
            question = exchange.next()
        return int(bool(exchange.said[-1].failure))

    def save(self, item: Open, question: Question, reply: Reply | str) -> None:
        """Puts what was said to a question, or why nothing was, on disk and into its exchange.

        Raises StoreError where another model answers than before.
        """
        place = StoredJudgement(
            self._key, question.digest, question.attempt, item.run, item.answered.sample.id, None
        )
        if isinstance(reply, str):
            row = replace(place, error=reply)
        else:
            self.check_served(reply.model)
            row = replace(
                place,
                text=reply.text,
                model=reply.model,
                system_fingerprint=reply.system_fingerprint,
                finish_reason=reply.finish_reason,
                prompt_tokens=reply.prompt_tokens,
                completion_tokens=reply.completion_tokens,
                price_in=self._options.price_in,
                price_out=self._options.price_out,
                retries=reply.retries,
                seconds=reply.seconds,
            )
        self._writer.save_judgement(self._judge, row)
        judgement = spoken(row)
        self._known[row.question, row.attempt, row.run] = judgement
        if judgement.failure:
            self._tally.failed += 1
        else:
            self._tally.asked += 1
        item.exchange.add(question, judgement)

    def check_served(self, model: str) -> None:
        """Raises StoreError where another model answers than before."""
        self._served = self._served or model
        if model and model != self._served:  # a server may leave its model's name out
            raise StoreError(
                f"{self._judge.model!r} is answered by {model!r} now and was by {self._served!r}: "
                "two judges must not make one number.",
                "Name one exactly with --judge. What was judged is kept.",
            )


def as_sent(task: Judged, answered: Answered, question: Question, options: JudgeOptions) -> Chat:
    """A question as the judge gets it: images as the protocol has them, parameters as the user wants them.

    Raises SampleError, DataError: an image that cannot be decoded.
    """
    chat = task.prepared(answered, question.chat)
    own = {name: value for name, value in options.parameters.items() if name in _FIELDS}
    rest = {name: value for name, value in options.parameters.items() if name not in _FIELDS}
    return replace(chat, **own, extra={**chat.extra, **rest})


def seed_of(options: JudgeOptions, task: Judged, answered: Answered, run: int, step: int) -> int:
    """Seed of one reply, the same in this process and on any worker."""
    return request_seed(base_seed(options), task.info.name, exchange_id(answered, run), step)


def base_seed(options: JudgeOptions) -> int:
    """What all seeds are derived from: the user's parameter `seed`, else 0."""
    seed = options.parameters.get("seed", 0)
    return seed if isinstance(seed, int) else 0


def exchange_id(answered: Answered, run: int) -> str:
    """A name for one pass of a judge over one answer, unique in the task."""
    return f"{answered.sample.id}/{run}"
