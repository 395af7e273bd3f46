"""Scores of stored responses: needs the benchmark's data, never the model."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import overload

from evalsuite.engine.hashing import sample_hash
from evalsuite.errors import DataError, EvalsuiteError, SpecError, is_interruption, reason_of
from evalsuite.features.keeping import Workers, keeping
from evalsuite.judging import Judged, with_judgements
from evalsuite.judging.stored import Verdicts, verdicts
from evalsuite.model.reasoning import Reasoning
from evalsuite.registry import Registry, load_registry
from evalsuite.running.answers import reading_of
from evalsuite.running.featuring import feature_workers
from evalsuite.running.resolving import build_task, task_keys
from evalsuite.running.usage import usage_of
from evalsuite.spec import ExecutionOptions
from evalsuite.store import Judge, Record, RunReader, RunWriter, TaskResult
from evalsuite.store.forms import form_of
from evalsuite.store.manifest import Manifest, TaskRecord
from evalsuite.store.results import stored
from evalsuite.task import Answered, Sample, SampleScore, Scores, Task
from evalsuite.task.preference import own_values, preferred

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Scored:
    """What scoring a run gave.

    Args:
        results: of the tasks that could be scored.
        errors: one line for each task that could not; its responses are untouched.
    """

    results: tuple[TaskResult, ...]
    errors: dict[str, str]


class StoredAnswers(Sequence[Answered]):
    """The answered samples of a task in the data's order, read at each iteration so that memory stays flat.

    The first iteration checks that the data are those that were asked about. The first access by index reads
    all and keeps them: a scorer of large samples should iterate.

    Args:
        run: where the responses are.
        key: the task in the run.
        task: gives the samples.
        complete: adds to an answer what else is known of it.
        reasoning: what is done with reasoning in front of answers; None: as the task was scored last, else as
            the run says.

    `failed` names the samples that could not be asked or answered, `unanswered` those whose reasoning has no
    answer behind it; neither are among the answers.
    """

    def __init__(
        self,
        run: RunReader | RunWriter,
        key: str,
        task: Task,
        complete: Callable[[Answered], Answered] | None = None,
        reasoning: Reasoning | None = None,
    ) -> None:
        self._run = run
        self._key = key
        self._task = task
        self._complete = complete
        self._checked = False
        self._kept: list[Answered] | None = None
        self.failed = {record.sample: record.error for record in run.failures(key)}
        self.reading = reading_of(run, key, reasoning)
        answered = run.answered(key)
        self.unanswered = {
            name: reason for name, reason in self.reading.unanswered.items() if name in answered
        }
        self._answered = answered - self.unanswered.keys()

    def __len__(self) -> int:
        return len(self._answered)

    def __iter__(self) -> Iterator[Answered]:
        found = 0
        for sample in self._task.samples():
            if sample.id not in self._answered:
                continue
            found += 1
            records = self._run.steps(self._key, sample.id)
            if not self._checked:
                self._check(sample, records[0])
            responses = [r.response for r in records if r.response is not None]
            one = Answered(sample, self.reading.read(responses))
            yield one if self._complete is None else self._complete(one)
        if found != len(self._answered):
            raise DataError(
                f"Task {self._key!r}: {len(self._answered) - found} answered samples are not in its data.",
                "Run the `evalsuite run` command again with --data where the run's own data are.",
            )
        self._checked = True

    @overload
    def __getitem__(self, index: int) -> Answered: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Answered]: ...
    def __getitem__(self, index: int | slice) -> Answered | Sequence[Answered]:
        if self._kept is None:
            self._kept = list(self)
        return self._kept[index]

    def _check(self, sample: Sample, record: Record) -> None:
        # Answers imported where the images were not have no hash; the data's fingerprint guards them.
        if record.sample_hash and sample_hash(sample) != record.sample_hash:
            raise DataError(
                f"Task {self._key!r}, sample {sample.id!r}: its data have changed since it was asked about.",
                "Put the run's own data back, or measure again with another --out.",
            )


def compute(
    run: RunReader | RunWriter,
    key: str,
    task: Task,
    judged: Verdicts | None = None,
    reasoning: Reasoning | None = None,
    workers: Workers | None = None,
) -> tuple[Scores, StoredAnswers]:
    """The rows and statistics of one task of a run; features that the run keeps are not computed again.

    Args:
        judged: what a judge said; None takes what the judge said that was asked first, where there is one.
        reasoning: see `StoredAnswers`.
        workers: compute the features of images; None: this process does.

    Raises:
        DataError: the data have changed.
        EvalsuiteError: whatever the task's scorer raises.
    """
    complete = None
    if judged is None and (judge := judges_of(run, key, task)[0]) is not None:
        judged = verdicts(run, judge, key)
    if judged is not None and isinstance(task, Judged):
        complete = partial(with_judgements, task, known=judged.known, runs=judged.runs)
    answers = StoredAnswers(run, key, task, complete, reasoning)
    if not len(answers):
        return Scores((), ()), answers
    try:
        with keeping(run.features, workers):
            scores = task.score(answers)
            if len(scores.rows) == len(answers):
                scores = preferred(task, answers, scores)
    except EvalsuiteError:
        raise
    except BaseException as error:
        if is_interruption(error):
            raise
        _log.debug("scoring %s failed", key, exc_info=True)
        raise EvalsuiteError(
            f"Scoring task {key!r} failed ({reason_of(error)}).",
            "Its responses are kept; once the scorer is fixed, `evalsuite score` needs no model.",
        ) from error
    if len(scores.rows) != len(answers):
        raise EvalsuiteError(
            f"Task {key!r}: its scorer gave {len(scores.rows)} rows for {len(answers)} samples.",
            "This is a bug of the task; responses are kept.",
        )
    return scores, answers


def judges_of(run: RunReader | RunWriter, key: str, task: Task) -> list[Judge | None]:
    """The judges to score a task by: those that were asked about it; None alone where nobody judges, or where
    the task brings its judge's grades itself."""
    if not isinstance(task, Judged) or task.info.judge:
        return [None]
    return list(run.judges(key)) or [None]


def score_task(
    writer: RunWriter,
    key: str,
    task: Task,
    judge: Judge | None = None,
    reasoning: Reasoning | None = None,
    workers: Workers | None = None,
) -> TaskResult:
    """Scores one task of a run and writes its table; `save_results` of the writer keeps the numbers."""
    from evalsuite.stats import estimate

    judged = verdicts(writer, judge, key) if judge else None
    scores, answers = compute(writer, key, task, judged, reasoning, workers)
    numbers = estimate(scores, seed=writer.manifest.spec.seed)
    without = {**answers.failed, **answers.unanswered}
    failed = [SampleScore(name, failure=reason) for name, reason in without.items()]
    info = replace(task.info, judge=judged.name) if judged else replace(task.info)
    writer.save_scores(key, info.rules, [*scores.rows, *failed], info.judge)
    if note := getattr(task, "source_note", ""):
        writer.note(key, note)  # what the numbers are of stands with the run, not only in the log
    record = writer.manifest.task(key)
    return TaskResult(
        task=key,
        info=info,
        data_fingerprint=record.data_fingerprint,
        seed=writer.manifest.spec.seed,
        limit=writer.manifest.spec.limit,
        total=record.total,
        answered=len(answers) + len(answers.unanswered),
        failed=len(answers.failed),
        unscored=sum(bool(row.failure) for row in scores.rows) + len(answers.unanswered),
        unjudged=_unjudged(task, scores),
        cost=usage_of(writer, key),
        estimates=stored(numbers),
        missing=dict(scores.missing),
        details=dict(scores.details),
        judging=judged.account() if judged else None,
        unread=sum(row.unread for row in scores.rows if not row.failure),
        notes=dict(scores.notes),
        form=form_of(writer.manifest.model, task.info.capability, answers.reading.reasoning),
        answers=answers.reading.counts,
    )


def _unjudged(task: Task, scores: Scores) -> int:
    """Answers that a judge has not been asked about to the end: they have neither scores nor a failure."""
    if not isinstance(task, Judged) or task.info.judge:
        return 0
    options = getattr(getattr(task, "plan", None), "options", {})
    return sum(not row.failure and not own_values(row, options) for row in scores.rows)


def score_run(
    path: Path,
    rules: str | None = None,
    registry: Registry | None = None,
    reasoning: Reasoning | None = None,
    options: ExecutionOptions | None = None,
) -> Scored:
    """Re-scores a run, without its model.

    Args:
        path: the run.
        rules: named rules, for the tasks that have them; None: those of the run's specification.
        registry: None loads installed plugins and those of the run.
        reasoning: `keep` scores answers with their reasoning; None: as before.
        options: `workers` and what belongs to them: who computes the features of images.

    Raises:
        StoreError: it is no run, or it is being written.
        SpecError: no task of the run has such rules.
        DataError: the data of a task are missing.
    """
    registry = registry or load_registry(RunReader(path).spec.plugins)
    with RunWriter.for_scoring(path) as writer:
        tasks = built_tasks(writer.manifest, registry, rules)
        changed: dict[str, str] = {}
        for key, task in tasks.items():
            try:
                check_same(writer.manifest.task(key), task)
            except DataError as error:
                changed[key] = str(error)
        unchanged = {key: task for key, task in tasks.items() if key not in changed}
        scored = score_all(
            writer, unchanged, reasoning, feature_workers(options, writer.manifest.spec, writer)
        )
    return Scored(scored.results, {**changed, **scored.errors})


def built_tasks(manifest: Manifest, registry: Registry, rules: str | None = None) -> dict[str, Task]:
    """The tasks of a run by key; with `rules`, those that have such rules. Raises SpecError when none has."""
    pairs = list(zip(task_keys(manifest.spec), manifest.spec.tasks, strict=True))
    if rules is not None:
        known = sorted({name for _, spec in pairs for name in registry.task(spec.name).rules})
        pairs = [(key, spec) for key, spec in pairs if rules in registry.task(spec.name).rules]
        if not pairs:
            raise SpecError(f"No task of this run has rules {rules!r}.", f"They have: {', '.join(known)}.")
    return {key: build_task(spec, registry, rules) for key, spec in pairs}


def score_all(
    writer: RunWriter,
    tasks: Mapping[str, Task],
    reasoning: Reasoning | None = None,
    workers: Workers | None = None,
) -> Scored:
    """Scores tasks one by one, a judged one by each of its judges; one that cannot be scored does not stop
    the others."""
    results: list[TaskResult] = []
    errors: dict[str, str] = {}
    for key, task in tasks.items():
        try:
            results += [
                score_task(writer, key, task, judge, reasoning, workers)
                for judge in judges_of(writer, key, task)
            ]
        except EvalsuiteError as error:
            errors[key] = str(error)
        except BaseException as error:  # statistics of a task's own function, a table it cannot write
            if is_interruption(error):
                raise
            _log.debug("scoring %s failed", key, exc_info=True)
            errors[key] = f"Scoring task {key!r} failed ({reason_of(error)})."
    writer.save_results(results)
    return Scored(tuple(results), errors)


def check_same(record: TaskRecord, task: Task) -> None:
    """Raises DataError when the task's data are not those that the run was measured with."""
    found = task.fingerprint()
    if found != record.data_fingerprint:
        raise DataError(
            f"Task {record.key!r}: its data have changed (fingerprint {found[:12]}…, "
            f"measured with {record.data_fingerprint[:12]}…).",
            "Put the run's own data back, or measure again with another --out.",
        )
