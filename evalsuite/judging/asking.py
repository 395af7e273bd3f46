"""Asks a judge about a run's stored answers: only what is missing, each judgement on disk before it
counts."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from evalsuite.endpoint import Chat, Reply, Server
from evalsuite.engine import NullProgress, Progress
from evalsuite.errors import DataError, EvalsuiteError, SampleError, SpecError, StoreError, suggest
from evalsuite.judging.asked import AskedJudge, opened
from evalsuite.judging.exchange import Exchange, Question
from evalsuite.judging.model import ModelJudge
from evalsuite.judging.protocol import Judged
from evalsuite.judging.stored import spoken, verdicts
from evalsuite.registry import Registry, load_registry
from evalsuite.running.resolving import build_task, task_keys
from evalsuite.running.scoring import Scored, StoredAnswers, check_same, score_all
from evalsuite.store import Judge, RunReader, RunWriter, StoredJudgement
from evalsuite.store.manifest import Manifest
from evalsuite.task import Answered, Judgement

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
    """

    runs: int = 1
    parameters: Mapping[str, Any] = field(default_factory=dict)
    price_in: float | None = None
    price_out: float | None = None
    retry_failed: bool = False

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
class JudgeOutcome:
    """How judging a run ended; `scored` has the numbers of all its judges, with what each of them took."""

    path: Path
    judge: str
    tallies: Mapping[str, Tally]
    scored: Scored

    @property
    def failed(self) -> int:
        """Questions of this call that got no reply."""
        return sum(tally.failed for tally in self.tallies.values())

    @property
    def unscored(self) -> int:
        """Answers without a score by this judge: a failed judgement, now or before, or numbers that may not
        be counted."""
        return sum(
            result.unscored
            for result in self.scored.results
            if result.judging is not None and result.judging.judge == self.judge
        )

    @property
    def off_scale(self) -> int:
        """Answers that have judgements to the end, but no score: numbers off the judge's scale."""
        return max(0, self.unscored - sum(tally.open for tally in self.tallies.values()))

    def too_many_failures(self, allowed: float) -> bool:
        """Whether more questions are without a judgement than allowed, those of earlier calls included.

        Args:
            allowed: a share of all below 1, else a count.
        """
        known = sum(tally.known for tally in self.tallies.values())
        without = sum(tally.open for tally in self.tallies.values())
        return without > (allowed * known if allowed < 1 else allowed)


def judge_run(
    path: Path,
    server: Server | ModelJudge,
    options: JudgeOptions | None = None,
    *,
    tasks: Collection[str] = (),
    rules: str | None = None,
    registry: Registry | None = None,
    progress: Progress | None = None,
) -> JudgeOutcome:
    """Judges what is missing of a run, and scores it.

    Args:
        path: the run.
        server: where the judge is; or the model of the registry that judges, in this process.
        tasks: their keys in the run; empty: all that are judged.
        rules: scoring rules that say how it is judged; None: those of the run, else the task's first that a
            judge belongs to.
        registry: None loads installed plugins and those of the run.

    Raises:
        StoreError: no run, another process writes it, or the server's model is not the one that judged
            before.
        SpecError: nothing in the run is judged.
        DataError: a named task's data are missing or have changed.
        UnavailableError: the server cannot be used. What was judged is kept, here as after any other end.
    """
    options = options or JudgeOptions()
    progress = progress or NullProgress()
    registry = registry or load_registry(RunReader(path).spec.plugins)
    judge = Judge(server.model, dict(options.parameters))
    try:
        with RunWriter.for_scoring(path) as writer:
            found = judged_tasks(writer.manifest, registry, tasks, rules)
            tallies = {}
            try:
                with opened(server, registry) as endpoint:
                    for key, task in found.items():
                        asker = _JudgeLoop(writer, key, task, judge, endpoint, options)
                        progress.on_stage(f"judging {key}")
                        tallies[key] = asker.ask_all(progress)
            except EvalsuiteError:
                with suppress(EvalsuiteError):  # the first error is the one to report
                    score_all(writer, found)  # what was judged until then counts, and says how far it is
                raise
            progress.on_stage("scoring")
            scored = score_all(writer, found)
        return JudgeOutcome(path, judge.named(judge.model), tallies, scored)
    finally:
        progress.on_end()


def judged_tasks(
    manifest: Manifest, registry: Registry, tasks: Collection[str] = (), rules: str | None = None
) -> dict[str, Judged]:
    """The tasks of a run that a judge belongs to, by key. Raises as `judge_run`."""
    specs = dict(zip(task_keys(manifest.spec), manifest.spec.tasks, strict=True))
    for key in tasks:
        if key not in specs:
            raise SpecError(f"The run has no task {key!r}.", suggest(key, specs))
    found: dict[str, Judged] = {}
    for key in tasks or specs:
        known = registry.task(specs[key].name).rules
        first = specs[key].rules or known[0]
        for name in dict.fromkeys((first, *known)) if rules is None else [rules]:
            if name not in known:
                continue
            try:
                task = build_task(specs[key], registry, name)
                if isinstance(task, Judged) and not task.info.judge:
                    check_same(manifest.task(key), task)
                    found[key] = task
                    break
            except EvalsuiteError as error:
                if key in tasks:
                    raise
                _log.warning("%s is left out: %s", key, error)
                break
    if not found:
        named = f" under the rules {rules!r}" if rules else ""
        raise SpecError(
            f"No task of {', '.join(tasks) or 'the run'} is judged{named}.",
            "`evalsuite list tasks` shows which rules have a judge.",
        )
    return found


@dataclass(frozen=True, slots=True)
class _Open:
    """An exchange that continues with `question`."""

    answered: Answered
    run: int
    exchange: Exchange
    question: Question


class _JudgeLoop:
    """Asks one judge about one task's answers."""

    def __init__(
        self,
        writer: RunWriter,
        key: str,
        task: Judged,
        judge: Judge,
        endpoint: AskedJudge,
        options: JudgeOptions,
    ) -> None:
        self._writer, self._key, self._task = writer, key, task
        self._judge, self._endpoint, self._options = judge, endpoint, options
        before = verdicts(writer, judge, key)
        self._known = {
            place: judgement
            for place, judgement in before.known.items()
            if not (options.retry_failed and judgement.failure)
        }
        self._served = next((row.model for row in before.rows if row.model), "")
        self._tally = Tally()

    def ask_all(self, progress: Progress) -> Tally:
        answers = StoredAnswers(self._writer, self._key, self._task)
        progress.on_start(len(answers) * self._options.runs, 0)
        for _, result in self._endpoint.each(self._missing(answers, progress), self._ask):
            progress.on_batch(1, 1 if isinstance(result, SampleError) else result, self._key)
        latest: dict[tuple[str, int], tuple[int, bool]] = {}
        for (question, attempt, run), judgement in self._known.items():
            # a task may retry where a judgement cannot be read: the last attempt counts
            place = (question, run)
            latest[place] = max(latest.get(place, (-1, False)), (attempt, bool(judgement.failure)))
        self._tally.known = len(latest)
        self._tally.open = sum(failed for _, failed in latest.values())
        return self._tally

    def _missing(self, answers: StoredAnswers, progress: Progress) -> Iterator[_Open]:
        for one in answers:
            for run in range(self._options.runs):
                exchange = Exchange(self._task, one)
                try:
                    question = exchange.recall(self._known, run)
                    if question is not None:
                        yield _Open(one, run, exchange, question)
                        continue
                except SampleError as error:
                    _log.debug("%s, %s is not judged: %s", self._key, one.sample.id, error)
                progress.on_batch(1, 0, self._key)

    async def _ask(self, item: _Open) -> int:
        """Asks to the end of one exchange; gives the number of failures."""
        exchange = item.exchange
        question: Question | None = item.question
        while question is not None:
            row = await self._judgement(question, item.answered, item.run)
            self._writer.save_judgement(self._judge, row)
            exchange.add(question, self._counted(row))
            question = exchange.next()
        return int(bool(exchange.said[-1].failure))

    def _counted(self, row: StoredJudgement) -> Judgement:
        judgement = spoken(row)
        self._known[row.question, row.attempt, row.run] = judgement
        if judgement.failure:
            self._tally.failed += 1
        else:
            self._tally.asked += 1
        return judgement

    async def _judgement(self, question: Question, one: Answered, run: int) -> StoredJudgement:
        place = StoredJudgement(self._key, question.digest, question.attempt, run, one.sample.id, None)
        try:
            chat = self._with_parameters(self._task.prepared(one, question.chat))
            reply = await self._endpoint.ask(chat, f"{question.digest}/{question.attempt}/{run}")
        except (SampleError, DataError) as error:  # DataError: an image that cannot be decoded
            return replace(place, error=str(error))
        self._check_served(reply)
        return replace(
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

    def _check_served(self, reply: Reply) -> None:
        self._served = self._served or reply.model
        if reply.model and reply.model != self._served:  # a server may leave its model's name out
            raise StoreError(
                f"{self._judge.model!r} is answered by {reply.model!r} now and was by {self._served!r}: "
                "two judges must not make one number.",
                "Name one exactly with --judge. What was judged is kept.",
            )

    def _with_parameters(self, chat: Chat) -> Chat:
        own = {name: value for name, value in self._options.parameters.items() if name in _FIELDS}
        rest = {name: value for name, value in self._options.parameters.items() if name not in _FIELDS}
        return replace(chat, **own, extra={**chat.extra, **rest})
