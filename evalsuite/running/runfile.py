"""The YAML file of `--config`: one model's run or several, as data. docs/configuration.md shows it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from evalsuite.data.yamlfile import read_yaml, validated
from evalsuite.model.reasoning import Reasoning
from evalsuite.spec import ExecutionOptions, ModelSpec, TaskSpec


def option_texts(given: Any) -> Any:
    """Options with numbers and switches as they are typed on the command line: 20 is "20", true is "yes"."""
    if not isinstance(given, Mapping):
        return given
    return {
        str(name): ("yes" if value else "no")
        if isinstance(value, bool)
        else str(value)
        if isinstance(value, int | float | Path)
        else value
        for name, value in given.items()
    }


_OptionTexts = Annotated[dict[str, str], BeforeValidator(option_texts)]


class RunFile(BaseModel):
    """What a file given with `--config` may hold: the settings of `evalsuite run`.

    `model` and `task` are other names for `models` and `tasks`. What stands in an entry of these overrides
    the file's own `device`, `protocol` …, and a command-line option overrides both.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    models: tuple[ModelSpec, ...] = ()
    """Names, or mappings with `name`, `device`, `dtype`, `options`, `blind`."""
    suite: str | None = None
    """A named list of tasks."""
    tasks: tuple[TaskSpec, ...] = ()
    """Names, or mappings with `name`, `protocol`, `rules`, `data`, `options`."""
    out: Path | None = None
    """Folder of the run; several models go to `out/MODEL`."""
    seed: int | None = None
    limit: int | None = Field(default=None, ge=1)
    device: str | None = None
    dtype: str | None = None
    blind: bool | None = None
    protocol: str | None = None
    rules: str | None = None
    data: Path | None = None
    """Folder with the benchmark's files."""
    options: _OptionTexts = Field(default_factory=dict)
    """Of the models."""
    task_options: _OptionTexts = Field(default_factory=dict)
    reasoning: Reasoning | None = None
    """`strip` (default) or `keep`: what scoring does with reasoning in front of an answer."""
    step: int | None = Field(default=None, ge=0)
    """Of the training that made the checkpoint; read from its folder where it is not given."""
    series: str | None = None
    """Name of that training."""
    train_seed: int | None = Field(default=None, ge=0)
    """Seed of that training."""
    plugins: tuple[Path, ...] = ()
    """Python files with tasks or models of one's own."""
    execution: ExecutionOptions = ExecutionOptions()
    """How the run is carried out; changes nothing in its results."""

    @model_validator(mode="before")
    @classmethod
    def _singular(cls, value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        found = dict(value)
        for one, several in (("model", "models"), ("task", "tasks")):
            if one in found:
                if several in found:
                    raise ValueError(f"{one} and {several} both stand here; keep one of the two")
                found[several] = found.pop(one)
        return found

    @field_validator("models", "tasks", mode="before")
    @classmethod
    def _names(cls, value: Any) -> Any:
        """One name, or a list in which a name stands for an entry without options."""
        listed = value if isinstance(value, list | tuple) else [value]
        named = [{"name": one} if isinstance(one, str) else one for one in listed]
        return [
            {**one, "options": option_texts(one["options"])}
            if isinstance(one, Mapping) and "options" in one
            else one
            for one in named
        ]

    @field_validator("plugins", mode="before")
    @classmethod
    def _files(cls, value: Any) -> Any:
        return [value] if isinstance(value, str) else value


def read_file(path: Path | None) -> RunFile:
    """The YAML file; paths in it are relative to its folder. Raises SpecError that names the field."""
    if path is None:
        return RunFile()
    value = read_yaml(path)
    file = validated(path, {} if value is None else value, RunFile)
    folder = path.parent
    tasks = tuple(
        task if task.data is None else task.model_copy(update={"data": folder / task.data})
        for task in file.tasks
    )
    return file.model_copy(update={
        "tasks": tasks,
        "plugins": tuple(folder / plugin for plugin in file.plugins),
        "out": None if file.out is None else folder / file.out,
        "data": None if file.data is None else folder / file.data,
    })  # fmt: skip
