"""One run from specification to metrics; started again, it resumes where it stopped."""

from __future__ import annotations

import gc
import logging
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from evalsuite.engine import NullProgress, Progress, TaskPlan, plan_task
from evalsuite.engine.faults import release_device_memory
from evalsuite.errors import StoreError
from evalsuite.model import Model
from evalsuite.model.steps import Place
from evalsuite.registry import Registry, load_registry
from evalsuite.running.answering import answering
from evalsuite.running.asking import ask_here
from evalsuite.running.distributing import ask_distributed, is_distributed
from evalsuite.running.featuring import feature_workers
from evalsuite.running.resolving import build_model, build_task, resolve, task_keys
from evalsuite.running.scoring import score_all
from evalsuite.spec import ExecutionOptions, RunSpec
from evalsuite.store import Counts, RunWriter, TaskRecord, TaskResult, check_usable

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RunOutcome:
    """How a run ended.

    Args:
        path: its directory.
        counts: per task, samples to be asked, answered and failed.
        results: the numbers of the tasks that could be scored.
        scoring_errors: one line for each task that could not.
        failures_allowed: from `max_failures`; a fraction has been multiplied out.
    """

    path: Path
    counts: Mapping[str, Counts]
    results: tuple[TaskResult, ...]
    scoring_errors: Mapping[str, str]
    failures_allowed: float

    @property
    def failed(self) -> int:
        """Samples without a score: not answered, or answered and not scorable."""
        return sum(c.failed for c in self.counts.values()) + sum(r.unscored for r in self.results)

    @property
    def missing(self) -> int:
        """Samples neither answered nor failed; more than none only if the data changed while being read."""
        return sum(c.missing for c in self.counts.values())

    @property
    def too_many_failures(self) -> bool:
        return self.failed > self.failures_allowed

    @property
    def exit_code(self) -> int:
        """0 when all samples were asked, all tasks scored and no more samples failed than allowed, else 1."""
        return int(bool(self.scoring_errors) or self.missing > 0 or self.too_many_failures)


def run(
    spec: RunSpec,
    out: Path,
    options: ExecutionOptions | None = None,
    registry: Registry | None = None,
    progress: Progress | None = None,
    place: Place | None = None,
) -> RunOutcome:
    """Measures what is missing of a run and scores it.

    Order: names, capabilities and the directory are checked, then all data, then the model is loaded (only if
    something is missing), asked, and every task scored. What is answered is on disk at once. A new run whose
    model cannot be loaded leaves nothing behind: a mistyped option can be corrected, and is not on record.

    Args:
        spec: what to ask.
        out: the run's directory, new or one of the same specification.
        options: how to carry it out.
        registry: None loads installed plugins and those of the specification.
        progress: gets the progress of the run.
        place: step, series and seed of the checkpoint's training; what it leaves open is read from the folder
            of the model (`checkpoint-1000`, `trainer_state.json`).

    Raises:
        SpecError, DataError, StoreError, CheckpointError, UnavailableError: nothing could be measured, or not
            to the end; what was answered before is kept.
        KeyboardInterrupt: likewise; the session is recorded as interrupted.
    """
    options = options or ExecutionOptions()
    registry = registry or load_registry(spec.plugins)
    progress = progress or NullProgress()
    try:
        spec = resolve(spec, registry)
        begun = check_usable(out, spec)
        progress.on_stage("reading data")
        plans = [
            plan_task(key, build_task(task, registry), seed=spec.seed, limit=spec.limit)
            for key, task in zip(task_keys(spec), spec.tasks, strict=True)
        ]
        loaded = [] if begun or is_distributed(options) else [_load(spec, registry, progress)]
        new = not out.exists()
        with RunWriter.open(out, spec, [_record(plan) for plan in plans], options, place) as writer:
            try:
                _ask(writer, plans, spec, options, registry, progress, loaded)
                _free()
                outcome = _score(writer, plans, options, progress)
            except BaseException as error:
                with suppress(StoreError):  # the disk may be full: the first error is the one to report
                    writer.end_session("interrupted" if isinstance(error, KeyboardInterrupt) else "failed")
                if new and writer.manifest.model is None:
                    # No worker could load the model: a mistyped option is not to be on record.
                    shutil.rmtree(out, ignore_errors=True)
                raise
            writer.end_session("finished")
        return outcome
    finally:
        progress.on_end()


def _ask(
    writer: RunWriter,
    plans: list[TaskPlan],
    spec: RunSpec,
    options: ExecutionOptions,
    registry: Registry,
    progress: Progress,
    loaded: list[Model],
) -> None:
    """Asks what is missing.

    Args:
        loaded: the model, if it is loaded already; taken out, so that nobody holds it when this is done.
    """
    if options.retry_failed:
        for plan in plans:
            count = writer.discard_lost(plan.key)
            if count:
                progress.on_note(
                    plan.key, f"the images of {count} answered samples are lost: generating them again"
                )
    finished = {
        plan.key: frozenset(writer.finished(plan.key, retry_failed=options.retry_failed)) for plan in plans
    }
    total = sum(plan.total for plan in plans)
    done = sum(len(names) for names in finished.values())
    if done >= total:
        loaded.clear()
        progress.on_start(total, done)
        return
    if is_distributed(options):
        progress.on_start(total, done)
        ask_distributed(writer, plans, finished, spec, options, progress)
        return
    model = loaded.pop() if loaded else _load(spec, registry, progress)
    progress.on_start(total, done)
    ask_here(writer, plans, finished, answering(model, spec, options, registry), options, progress)


def _free() -> None:
    """Makes room for the networks that score: the model has answered."""
    gc.collect()
    release_device_memory()


def _load(spec: RunSpec, registry: Registry, progress: Progress) -> Model:
    progress.on_stage(f"loading {spec.model.name}")
    return build_model(spec, registry)


def _score(
    writer: RunWriter, plans: list[TaskPlan], options: ExecutionOptions, progress: Progress
) -> RunOutcome:
    progress.on_stage("scoring")
    workers = feature_workers(options, writer.manifest.spec, writer, progress)
    scored = score_all(writer, {plan.key: plan.task for plan in plans}, workers=workers)
    allowed = options.max_failures
    if allowed < 1:
        allowed *= sum(plan.total for plan in plans)
    return RunOutcome(writer.path, writer.counts(), scored.results, scored.errors, allowed)


def _record(plan: TaskPlan) -> TaskRecord:
    return TaskRecord(
        key=plan.key,
        info=plan.task.info,
        data_fingerprint=plan.data_fingerprint,
        total=plan.total,
        available=plan.available,
    )
