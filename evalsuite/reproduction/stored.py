"""Results in stored runs that can stand for a column of a published table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evalsuite.leaderboards.frame import open_runs
from evalsuite.leaderboards.marks import partial
from evalsuite.published import PublishedColumn
from evalsuite.running.resolving import task_keys
from evalsuite.spec import TaskSpec
from evalsuite.store import RunReader, TaskResult


@dataclass(frozen=True, slots=True)
class Found:
    """One task's numbers in a run.

    Args:
        fingerprint, parameters, details: of the model, where it says.
        partial: why the data were not the official split; empty where they were.
        options: of the task in the run's specification.
    """

    run: Path
    model: str
    fingerprint: str
    parameters: int | None
    result: TaskResult
    options: dict[str, str]
    details: dict[str, Any] = field(default_factory=dict)
    partial: str = ""

    def answers(self, task: TaskSpec) -> bool:
        """Whether it is of this task in this protocol (the default: any) with these options."""
        info = self.result.info
        return (
            info.name == task.name
            and task.protocol in (None, info.protocol)
            and all(self.options.get(name) == value for name, value in task.options.items())
        )


def results_of(paths: Iterable[Path], model: str | None = None) -> list[Found]:
    """All results in runs, or in folders of runs; only of the model called so (as specified, or as shown).

    Raises StoreError where there is no run.
    """
    found: list[Found] = []
    for reader in open_runs(list(paths)):
        with reader:
            if model is None or model in (reader.spec.model.name, reader.model_name):
                found += _of_run(reader)
    return found


def _of_run(reader: RunReader) -> list[Found]:
    specs: dict[str, TaskSpec] = dict(zip(task_keys(reader.spec), reader.spec.tasks, strict=True))
    model = reader.manifest.model
    fingerprint, parameters = (model.fingerprint, model.parameters) if model else ("", None)
    return [
        Found(
            reader.path,
            reader.model_name,
            fingerprint,
            parameters,
            result,
            dict(specs[result.task].options),
            model.details if model else {},
            partial(result.info, reader.manifest.task(result.task)),
        )
        for result in reader.metrics()
        if result.task in specs
    ]


def best_for(column: PublishedColumn, found: Sequence[Found]) -> Found | None:
    """The result that comes nearest to what a column was measured with; None where none is of its tasks.

    In this order count: the column's own task before its substitute, its options, its protocol, its rules,
    all samples before a subset, few failures.
    """
    tasks = [column.task, *([column.instead.task] if column.instead else [])]

    def distance(one: Found) -> tuple[bool, bool, bool, bool, bool, int]:
        result = one.result
        return (
            result.info.name != column.task,
            any(one.options.get(name) != value for name, value in column.options.items()),
            bool(column.protocol) and result.info.protocol != column.protocol,
            result.rules != column.rules,
            result.limit is not None or bool(one.partial),
            result.failures,
        )

    # The answers of a test split, or those nobody has judged, have no score: such a result says nothing about
    # the column.
    usable = [
        one for one in found if one.result.info.name in tasks and one.result.n > 0 and one.result.estimates
    ]
    return min(usable, key=distance, default=None)
