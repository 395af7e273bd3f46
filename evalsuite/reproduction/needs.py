"""What a table needs of a model: tasks, data, time and disk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from evalsuite.engine import plan_task
from evalsuite.errors import EvalsuiteError, SpecError
from evalsuite.published import PublishedColumn, PublishedTable
from evalsuite.registry import Registry
from evalsuite.reproduction.stored import Found, best_for
from evalsuite.request import Capability, GenerateDocument, GenerateImages, Output
from evalsuite.running.resolving import build_task
from evalsuite.spec import TaskSpec
from evalsuite.task.entry import TaskEntry

State = Literal["stored", "ready", "no data", "cannot"]
"""`stored`: a run has it. `ready`: can be measured now. `no data`: data or weights are missing. `cannot`: the
model lacks the capability, or no such task is installed."""

_BYTES_PER_PIXEL = 1.7
"""Of a photograph-like image as PNG; drawn from the usual 1.5 to 2."""
_USUAL_EDGE = 512
"""Pixels, where the model chooses the size."""


@dataclass(frozen=True, slots=True)
class Need:
    """One task that some columns of a table need.

    Args:
        columns: their names.
        rules: all scoring rules that they name; answers are asked for once.
        detail: what is missing and how to get it, or where it is stored.
        samples: to be asked; of the official split where the data are not here, None where that is not known.
        seconds: device time, from how long stored runs of the same model took; None where there are none.
        images: to be generated, and the bytes they take.
    """

    task: TaskSpec
    columns: tuple[str, ...]
    rules: tuple[str, ...]
    state: State
    detail: str = ""
    samples: int | None = None
    seconds: float | None = None
    images: int = 0
    size: int = 0


def task_of(column: PublishedColumn) -> TaskSpec:
    """The task that is asked for a column: its substitute where it has one. Rules are a matter of scoring."""
    name = column.instead.task if column.instead else column.task
    protocol = (column.instead.protocol if column.instead else "") or column.protocol
    return TaskSpec(name=name, protocol=protocol or None, options=column.options)


def needs_of(
    table: PublishedTable,
    columns: Sequence[str],
    capabilities: frozenset[Capability],
    registry: Registry,
    stored: Sequence[Found] = (),
    *,
    seed: int = 0,
    limit: int | None = None,
) -> list[Need]:
    """The tasks of some columns of a table, each once, in the table's order.

    Args:
        capabilities: of the model.
        stored: results of the model that may be used again.
    """
    asked: dict[str, tuple[TaskSpec, list[str]]] = {}
    for name in columns:
        if table.columns[name].task:
            task = task_of(table.columns[name])
            asked.setdefault(task.model_dump_json(), (task, []))[1].append(name)
    needs = []
    for task, names in asked.values():
        have = _stored(table.columns[names[0]], task, stored, limit)
        rules = tuple(dict.fromkeys(table.columns[name].rules for name in names))
        need = Need(task, tuple(names), rules, "ready")
        if have is not None:
            need = replace(need, state="stored", detail=f"in {have.run}", samples=have.result.total)
        else:
            need = _to_do(need, capabilities, registry, stored, seed, limit)
        needs.append(need)
    return needs


def _stored(
    column: PublishedColumn, task: TaskSpec, stored: Sequence[Found], limit: int | None
) -> Found | None:
    """A finished result of exactly this task; anything else is measured again."""
    fitting = [
        one for one in stored if one.answers(task) and (one.result.limit is None or one.result.limit == limit)
    ]
    return best_for(column, fitting)


def _to_do(
    need: Need,
    capabilities: frozenset[Capability],
    registry: Registry,
    stored: Sequence[Found],
    seed: int,
    limit: int | None,
) -> Need:
    task = need.task
    try:
        entry = registry.task(task.name)
        if lacking := entry.lacking(capabilities):
            missing = " and ".join(map(repr, lacking))
            return replace(need, state="cannot", detail=f"the model lacks the capability {missing}")
        built = build_task(task, registry)
        plan = plan_task(task.name, built, seed=seed, limit=limit)
        first = next(iter(plan.samples()))
        request = built.request(first)
    except SpecError as error:
        return replace(need, state="cannot", detail=str(error))
    except EvalsuiteError as error:
        count = _official_count(entry, limit)
        seconds = None
        if count is not None:
            seconds = _seconds(entry.name, entry.capability, count, stored, registry)
        return replace(need, state="no data", detail=str(error), samples=count, seconds=seconds)
    images, pixels = _images(request.output) if request else (0, 0)
    return replace(
        need,
        samples=plan.total,
        seconds=_seconds(entry.name, entry.capability, plan.total, stored, registry),
        images=images * plan.total,
        size=int(images * plan.total * pixels * _BYTES_PER_PIXEL),
    )


def _official_count(entry: TaskEntry, limit: int | None) -> int | None:
    """Samples that a task would ask if its data were here; None where its file does not say."""
    expected = entry.inspect(None, False).expected if entry.inspect else None
    return expected if expected is None or limit is None else min(expected, limit)


def _images(output: Output) -> tuple[int, int]:
    """Images per sample at the most, and pixels of each."""
    if isinstance(output, GenerateImages):
        return output.count, (output.width or _USUAL_EDGE) * (output.height or _USUAL_EDGE)
    if isinstance(output, GenerateDocument):
        return output.max_images, _images(output.image)[1]
    return 0, 0


def _seconds(
    task: str, capability: Capability, samples: int, stored: Sequence[Found], registry: Registry
) -> float | None:
    """From the seconds per sample of the same task, else of tasks that need the same of a model."""

    def rate(chosen: list[Found]) -> float | None:
        answered = sum(one.result.answered for one in chosen)
        return sum(one.result.cost.seconds for one in chosen) / answered if answered else None

    same = rate([one for one in stored if one.result.info.name == task])
    alike = rate([
        one
        for one in stored
        if one.result.info.name in registry.tasks
        and registry.tasks[one.result.info.name].capability == capability
    ])  # fmt: skip
    found = same if same is not None else alike
    return None if found is None else found * samples
