"""From the command line and a YAML file to run specifications."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from evalsuite.data.yamlfile import read_yaml, validated
from evalsuite.errors import SpecError
from evalsuite.registry import Registry
from evalsuite.spec import ExecutionOptions, ModelSpec, RunSpec, TaskSpec, slug


class RunFile(BaseModel):
    """What a YAML file given with `--config` may hold; the command line goes first."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    models: tuple[ModelSpec, ...] = ()
    suite: str | None = None
    tasks: tuple[TaskSpec, ...] = ()
    out: Path | None = None
    seed: int | None = None
    limit: int | None = Field(default=None, ge=1)
    plugins: tuple[Path, ...] = ()
    execution: ExecutionOptions = ExecutionOptions()

    @field_validator("models", "tasks", mode="before")
    @classmethod
    def _names(cls, value: Any) -> Any:
        """One name, or a list in which a name stands for an entry without options."""
        listed = value if isinstance(value, (list, tuple)) else [value]
        return [{"name": one} if isinstance(one, str) else one for one in listed]


@dataclass(frozen=True, slots=True)
class Asked:
    """The command line of `run`; None and empty mean not given."""

    models: Sequence[str] = ()
    suite: str | None = None
    tasks: Sequence[str] = ()
    out: Path | None = None
    limit: int | None = None
    seed: int | None = None
    device: str | None = None
    dtype: str | None = None
    blind: bool = False
    protocol: str | None = None
    rules: str | None = None
    data: Path | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    task_options: Mapping[str, str] = field(default_factory=dict)
    plugins: Sequence[Path] = ()
    execution: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Planned:
    """One run to be made.

    Args:
        left_out: tasks of the suite that the model cannot do.
    """

    spec: RunSpec
    out: Path
    left_out: tuple[str, ...] = ()


def read_file(path: Path | None) -> RunFile:
    """The YAML file; paths in it are relative to its folder. Raises SpecError that names the field."""
    if path is None:
        return RunFile()
    value = read_yaml(path) or {}
    if isinstance(value, dict) and "model" in value and "models" not in value:
        value["models"] = value.pop("model")
    file = validated(path, value, RunFile)
    folder = path.parent
    tasks = tuple(
        task if task.data is None else task.model_copy(update={"data": folder / task.data})
        for task in file.tasks
    )
    return file.model_copy(update={
        "tasks": tasks,
        "plugins": tuple(folder / plugin for plugin in file.plugins),
        "out": None if file.out is None else folder / file.out,
    })  # fmt: skip


def plan(asked: Asked, file: RunFile, registry: Registry) -> tuple[list[Planned], ExecutionOptions]:
    """The runs to be made, one per model.

    A suite is a wish: what a model cannot do is left out. A task named by itself is an order: a model that
    cannot do it is an error when the run starts.

    Raises SpecError for an unknown name, and where model, task or folder is missing.
    """
    suite_name = asked.suite or (file.suite if not asked.tasks else None)
    suite = registry.suite(suite_name) if suite_name else None
    named = [TaskSpec(name=name) for name in asked.tasks] or ([] if asked.suite else list(file.tasks))
    tasks = [_changed(task, asked) for task in [*(suite.tasks if suite else ()), *named]]
    if not tasks:
        raise SpecError("No task is given.", "Use --suite NAME or --task NAME; see `evalsuite list`.")
    models = [ModelSpec(name=name) for name in asked.models] or list(file.models)
    models = models or [ModelSpec(name=name) for name in (suite.models if suite else ())]
    models = [_with_options(model, asked) for model in models]
    if not models:
        raise SpecError("No model is given.", "Use --model NAME; see `evalsuite list models`.")
    out = asked.out or file.out
    if out is None:
        raise SpecError("No folder for the run is given.", "Use --out FOLDER.")
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
        spec = RunSpec(
            model=model,
            tasks=tuple(fitting),
            seed=asked.seed if asked.seed is not None else file.seed or 0,
            limit=asked.limit if asked.limit is not None else file.limit,
            plugins=(*file.plugins, *asked.plugins),
        )
        runs.append(Planned(spec, folder, tuple(task.name for task in tasks if task not in fitting)))
    try:
        execution = ExecutionOptions.model_validate({**file.execution.model_dump(), **asked.execution})
    except ValidationError as error:
        faults = error.errors()
        name = str(faults[0]["loc"][0])
        # A field of several kinds has a fault for each: a batch size is neither a number nor `auto`.
        told = "; or: ".join(fault["msg"] for fault in faults if fault["loc"][0] == name)
        raise SpecError(f"--{name.replace('_', '-')}: {told}.", "See `evalsuite run --help`.") from error
    return runs, execution


def _changed(task: TaskSpec, asked: Asked) -> TaskSpec:
    changes: dict[str, Any] = {
        name: value
        for name, value in (("protocol", asked.protocol), ("rules", asked.rules), ("data", asked.data))
        if value is not None
    }
    if asked.task_options:
        changes["options"] = {**task.options, **asked.task_options}
    return task.model_copy(update=changes)


def _with_options(model: ModelSpec, asked: Asked) -> ModelSpec:
    changes: dict[str, Any] = {
        name: value for name, value in (("device", asked.device), ("dtype", asked.dtype)) if value is not None
    }
    if asked.options:
        changes["options"] = {**model.options, **asked.options}
    if asked.blind:
        changes["blind"] = True
    return model.model_copy(update=changes)


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
