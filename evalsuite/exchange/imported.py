"""A run of answers that were made elsewhere: specified as if it had been asked, written, scored."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from evalsuite.engine.plan import plan_task
from evalsuite.errors import SpecError
from evalsuite.model import ModelInfo
from evalsuite.model.reasoning import Reasoning
from evalsuite.registry import Registry
from evalsuite.request import fingerprint
from evalsuite.running.resolving import build_task
from evalsuite.running.scoring import Scored, score_all
from evalsuite.spec import ExecutionOptions, ModelSpec, RunSpec, TaskSpec
from evalsuite.store import Record, RunWriter, TaskRecord
from evalsuite.task import Task


def specified(task: TaskSpec, registry: Registry, needs: Collection[str], what: str) -> tuple[TaskSpec, Task]:
    """The task with its first protocol and rules where none are named, and the task built.

    Args:
        needs: what the answers at hand are (`text`, `image` …).
        what: the same in words, for the error.

    Raises SpecError: there is no such task, or its answers are of another kind.
    """
    entry = registry.task(task.name)
    if not set(entry.needs) <= set(needs):
        kinds = " and ".join(map(repr, entry.needs))
        raise SpecError(
            f"{task.name} takes {kinds} answers; {what} can be imported here.",
            f"`evalsuite list tasks {next(iter(needs))}` lists the tasks that take them.",
        )
    spec = task.model_copy(
        update={
            "protocol": task.protocol or entry.protocols[0],
            "rules": task.rules or entry.rules[0],
            "data": task.data.absolute() if task.data else None,
        }
    )
    return spec, build_task(spec, registry)


def write_imported(
    out: Path,
    spec: TaskSpec,
    task: Task,
    model: str,
    origin: dict[str, str],
    batches: Iterable[Sequence[Record]],
    note: str,
    reasoning: Reasoning = "strip",
) -> Scored:
    """Writes a new run at `out` and scores it.

    Args:
        model: what the answers' model is called.
        origin: where the answers come from, for the record.
        batches: records that are saved together.
        note: what a reader of the results should know.

    Raises StoreError: `out` is no place for a new run.
    """
    plan = plan_task(spec.name, task, seed=0, limit=None)
    record = TaskRecord(
        key=spec.name,
        info=task.info,
        data_fingerprint=plan.data_fingerprint,
        total=plan.total,
        available=plan.available,
    )
    run = RunSpec(model=ModelSpec(name=model), tasks=(spec,), reasoning=reasoning)
    with RunWriter.open(out, run, [record], ExecutionOptions()) as writer:
        writer.set_model(ModelInfo(model, fingerprint({"imported": model}), details={"imported": origin}))
        for records in batches:
            writer.save(records)
        writer.note(spec.name, note)
        scored = score_all(writer, {spec.name: task})
        writer.end_session("finished")
    return scored
