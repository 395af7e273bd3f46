"""From what the user typed to what is built: names looked up, defaults filled in, the impossible refused."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from evalsuite.errors import SpecError, leaving, suggest
from evalsuite.model import METHODS, Model
from evalsuite.model.entry import ModelOptions
from evalsuite.registry import Registry, load_registry
from evalsuite.spec import RunSpec, TaskSpec
from evalsuite.task import Task
from evalsuite.task.entry import TaskEntry, TaskOptions

if TYPE_CHECKING:
    from evalsuite.store import RunReader


def resolve(spec: RunSpec, registry: Registry) -> RunSpec:
    """The specification with default protocols and rules filled in and paths made absolute.

    Raises SpecError, before anything is loaded, for an unknown name, protocol, rule or option, for a task
    that is listed twice, and for a task that needs what the model cannot do.
    """
    if not spec.tasks:
        raise SpecError(
            "The run has no task.", "Name one with --task or --suite; see `evalsuite list tasks`."
        )
    model, _ = registry.model(spec.model.name)
    model.check_options(spec.model.options)
    entries = [registry.task(task.name) for task in spec.tasks]
    for entry, task in zip(entries, spec.tasks, strict=True):
        entry.check_options(task.options)
    entries = [entry.with_options(task.options) for entry, task in zip(entries, spec.tasks, strict=True)]
    lacking = {entry.name: entry.lacking(model.capabilities) for entry in entries}
    if any(lacking.values()):
        wishes = ", ".join(f"{name} ({' and '.join(needed)})" for name, needed in lacking.items() if needed)
        can = ", ".join(sorted(model.capabilities)) or "nothing"
        raise SpecError(
            f"Model {spec.model.name!r} cannot do what these tasks need: {wishes}; it can: {can}.",
            "Leave them out or choose another model; see `evalsuite list models`.",
        )
    edits = [entry.name for entry in entries if "edit" in entry.needs]
    if spec.model.blind and edits:
        raise SpecError(
            f"--blind takes the images away, and {', '.join(edits)} is about changing one.",
            "Leave it out of a blind run.",
        )
    tasks = tuple(_with_defaults(task, entry) for task, entry in zip(spec.tasks, entries, strict=True))
    resolved = spec.model_copy(
        update={"tasks": tasks, "plugins": tuple(Path(path).absolute() for path in spec.plugins)}
    )
    repeated = [key for key, count in Counter(task_keys(resolved)).items() if count > 1]
    if repeated:
        raise SpecError(f"The task {repeated[0]} is listed twice with the same protocol.", "List it once.")
    return resolved


def task_keys(spec: RunSpec) -> list[str]:
    """What each task is called in the run: its name, with `@protocol` where the name repeats."""
    names = Counter(task.name for task in spec.tasks)
    return [task.name if names[task.name] == 1 else f"{task.name}@{task.protocol}" for task in spec.tasks]


def build_task(spec: TaskSpec, registry: Registry, rules: str | None = None) -> Task:
    """Makes a task; `rules` replaces the specification's. Raises DataError when its data are missing."""
    entry = registry.task(spec.name)
    resolved = _with_defaults(spec if rules is None else spec.model_copy(update={"rules": rules}), entry)
    with leaving(f"Task {spec.name!r}"):
        return entry.build(
            TaskOptions(
                protocol=resolved.protocol, rules=resolved.rules, data=resolved.data, options=resolved.options
            )
        )


def built_task(run: RunReader, key: str, registry: Registry | None = None) -> Task:
    """The task of a run that is called `key`; None loads installed plugins and those of the run.

    Raises SpecError when the run has no such task, DataError when its data are missing.
    """
    specs = dict(zip(task_keys(run.spec), run.spec.tasks, strict=True))
    if key not in specs:
        raise SpecError(f"{run.path} has no task {key!r}.", suggest(key, specs))
    return build_task(specs[key], registry or load_registry(run.spec.plugins))


def build_model(spec: RunSpec, registry: Registry) -> Model:
    """Loads the model.

    Raises CheckpointError or UnavailableError where it cannot be loaded, SpecError where it lacks a method.
    """
    entry, argument = registry.model(spec.model.name)
    with leaving(f"Model {spec.model.name!r}"):
        model = entry.build(
            ModelOptions(
                argument=argument,
                device=spec.model.device,
                dtype=spec.model.dtype,
                options=spec.model.options,
            )
        )
    wanted = [registry.task(task.name).with_options(task.options) for task in spec.tasks]
    for capability in {needed for task in wanted for needed in task.needs}:
        if not callable(getattr(model, METHODS[capability], None)):
            raise SpecError(
                f"Model {spec.model.name!r} says it can do {capability!r} but has no {METHODS[capability]}.",
                "Correct the capabilities of its entry.",
            )
    return model


def _with_defaults(task: TaskSpec, entry: TaskEntry) -> TaskSpec:
    protocol = task.protocol or entry.protocols[0]
    rules = task.rules or entry.rules[0]
    if protocol not in entry.protocols:
        raise SpecError(
            f"Task {entry.name!r} has no protocol {protocol!r}.", suggest(protocol, entry.protocols)
        )
    if rules not in entry.rules:
        raise SpecError(f"Task {entry.name!r} has no rules {rules!r}.", suggest(rules, entry.rules))
    data = Path(task.data).absolute() if task.data is not None else None
    return task.model_copy(update={"protocol": protocol, "rules": rules, "data": data})
