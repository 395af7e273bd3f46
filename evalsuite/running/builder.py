"""The one builder of runs: from the command line, from Python and from a YAML file to run specifications."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from evalsuite.errors import SpecError, suggest
from evalsuite.model.reasoning import Reasoning
from evalsuite.model.steps import Place
from evalsuite.registry import Registry
from evalsuite.running.runfile import RunFile, read_file
from evalsuite.spec import ExecutionOptions, ModelSpec, RunSpec, TaskSpec, slug

__all__ = ["Asked", "Planned", "RunFile", "plan", "read_file"]


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked for on the command line or in Python; None and empty mean not given.

    Args:
        blind: the models are shown no images.
        options, task_options: further options of the models and of the tasks.
        step, series, train_seed: where in which training the models' checkpoint stands.
        execution: fields of ExecutionOptions.
        spelling: how the user writes a setting, for messages.
    """

    models: Sequence[str] = ()
    suite: str | None = None
    tasks: Sequence[str] = ()
    out: Path | None = None
    limit: int | None = None
    seed: int | None = None
    device: str | None = None
    dtype: str | None = None
    blind: bool | None = None
    protocol: str | None = None
    rules: str | None = None
    data: Path | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    task_options: Mapping[str, str] = field(default_factory=dict)
    plugins: Sequence[Path] = ()
    reasoning: Reasoning | None = None
    step: int | None = None
    series: str | None = None
    train_seed: int | None = None
    execution: Mapping[str, Any] = field(default_factory=dict)
    spelling: Callable[[str], str] = str


@dataclass(frozen=True, slots=True)
class Planned:
    """One run to be made.

    Args:
        left_out: tasks of the suite that the model cannot do.
        place: where in a training its checkpoint stands, as far as it was given.
    """

    spec: RunSpec
    out: Path
    left_out: tuple[str, ...] = ()
    place: Place | None = None


def plan(asked: Asked, file: RunFile, registry: Registry) -> tuple[list[Planned], ExecutionOptions]:
    """The runs to be made, one per model.

    What was asked for overrides an entry of the file, which overrides the file's own settings. A suite is a
    wish: what a model cannot do is left out. A task named by itself is an order: a model that cannot do it is
    an error when the run starts.

    Raises SpecError for an unknown name, a value out of range, and where model, task or folder is missing.
    """
    says = asked.spelling
    suite_name = asked.suite or (file.suite if not asked.tasks else None)
    suite = registry.suite(suite_name) if suite_name else None
    named = [TaskSpec(name=name) for name in asked.tasks] or ([] if asked.suite else list(file.tasks))
    tasks = [_task(task, file, asked) for task in [*(suite.tasks if suite else ()), *named]]
    if not tasks:
        raise SpecError(
            "No task is given.",
            f"Name a suite or a task ({says('suite')}, {says('task')}); see `evalsuite list`.",
        )
    models = [ModelSpec(name=name) for name in asked.models] or list(file.models)
    models = models or [ModelSpec(name=name) for name in (suite.models if suite else ())]
    models = [_model(model, file, asked) for model in models]
    if not models:
        raise SpecError("No model is given.", f"Name one ({says('model')}); see `evalsuite list models`.")
    out = asked.out or file.out
    if out is None:
        raise SpecError("No folder for the run is given.", f"Name one ({says('out')}).")
    for task in tasks:
        registry.task(task.name)  # a misspelt name is refused before any model is measured
    ordered = {task.name for task in named}
    folders = _folders([model.name + (" blind" if model.blind else "") for model in models], out)
    runs = []
    for model, folder in zip(models, folders, strict=True):
        can = registry.model(model.name)[0].capabilities - ({"edit"} if model.blind else set())
        fitting = [t for t in tasks if t.name in ordered or not registry.task(t.name).lacking(can)]
        if not fitting:
            raise SpecError(
                f"Model {model.name!r} can do no task of suite {suite_name!r}.",
                "See `evalsuite list models`.",
            )
        spec = _checked(
            RunSpec,
            asked,
            model=model,
            tasks=tuple(fitting),
            seed=asked.seed if asked.seed is not None else file.seed or 0,
            limit=asked.limit if asked.limit is not None else file.limit,
            plugins=(*file.plugins, *asked.plugins),
            reasoning=asked.reasoning or file.reasoning or "strip",
        )
        left_out = tuple(task.name for task in tasks if task not in fitting)
        runs.append(Planned(spec, folder, left_out, _place(asked, file)))
    return runs, execution_options(asked.execution, file.execution, asked.spelling)


def execution_options(
    given: Mapping[str, Any], base: ExecutionOptions | None = None, spelling: Callable[[str], str] = str
) -> ExecutionOptions:
    """How to carry runs out: `given` over `base`. Raises SpecError for an unknown name and a bad value."""
    for name in given:
        if name not in ExecutionOptions.model_fields:
            raise SpecError(f"There is no setting {name!r}.", suggest(name, ExecutionOptions.model_fields))
    before = {} if base is None else base.model_dump()
    options: ExecutionOptions = _checked(ExecutionOptions, Asked(spelling=spelling), **{**before, **given})
    return options


def _place(asked: Asked, file: RunFile) -> Place | None:
    """The checkpoint's place as far as it was given; None where nothing was. Raises SpecError for a step or a
    seed below zero."""
    step = asked.step if asked.step is not None else file.step
    series = asked.series if asked.series is not None else file.series or ""
    seed = asked.train_seed if asked.train_seed is not None else file.train_seed
    for name, value in (("step", step), ("train_seed", seed)):
        if value is not None and value < 0:
            raise SpecError(f"{asked.spelling(name)} {value} is below zero.", "Give the number of the step.")
    if step is None and not series and seed is None:
        return None
    return Place(step, series, seed, "given")


def _checked(kind: Callable[..., Any], asked: Asked, **values: Any) -> Any:
    """The model of these values. Raises SpecError for the first that is out of range."""
    try:
        return kind(**values)
    except ValidationError as error:
        faults = error.errors()
        name = str(faults[0]["loc"][0])
        # A field of several kinds has a fault for each: a batch size is neither a number nor `auto`.
        said = "; or: ".join(fault["msg"] for fault in faults if fault["loc"][0] == name)
        raise SpecError(
            f"{asked.spelling(name)}: {said}.", "See `evalsuite run --help` and docs/configuration.md."
        ) from error


def _task(task: TaskSpec, file: RunFile, asked: Asked) -> TaskSpec:
    changes = _changes(task, file, asked, ("protocol", "rules", "data"))
    changes["options"] = {**file.task_options, **task.options, **asked.task_options}
    return task.model_copy(update=changes)


def _model(model: ModelSpec, file: RunFile, asked: Asked) -> ModelSpec:
    changes = _changes(model, file, asked, ("device", "dtype", "blind"))
    changes["options"] = {**file.options, **model.options, **asked.options}
    return model.model_copy(update=changes)


def _changes(
    entry: TaskSpec | ModelSpec, file: RunFile, asked: Asked, names: Sequence[str]
) -> dict[str, Any]:
    """The settings that the entry gets: what was asked for, else the file's where the entry has none."""
    found = {}
    for name in names:
        value = getattr(asked, name)
        if value is None and name not in entry.model_fields_set:
            value = getattr(file, name)
        if value is not None:
            found[name] = value
    return found


def _folders(models: Sequence[str], out: Path) -> list[Path]:
    """One model has the folder to itself, unless it already holds other models' runs."""
    holds_runs = out.is_dir() and any((child / "run.json").exists() for child in out.iterdir())
    if len(models) == 1 and not holds_runs:
        return [out]
    slugs = [slug(name) for name in models]
    return [
        out
        / (found if slugs.count(found) == 1 else f"{found}-{hashlib.sha256(name.encode()).hexdigest()[:6]}")
        for name, found in zip(models, slugs, strict=True)
    ]
