"""Suites: named lists of tasks in YAML files, with the average that a leaderboard prints over them.

name: opencompass-8
title: …
tasks: [mmstar, {name: ai2d, rules: vlmevalkit}]
models: [dreamllm-mini]
average:
  name: average of 8
  of: [mmstar, {task: mme, metric: MME-P, out_of: 2000}]
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

from pydantic import Field, model_validator

from evalsuite.data.yamlfile import read_yaml, validated
from evalsuite.errors import suggest
from evalsuite.spec import TaskSpec
from evalsuite.task.entry import AveragePart, SuiteAverage, SuiteEntry
from evalsuite.task.schema import Strict


class _Part(Strict):
    task: str
    metric: str = ""
    out_of: float = Field(default=100.0, gt=0)


class _Average(Strict):
    name: str
    of: tuple[_Part, ...] = Field(min_length=1)
    note: str = ""
    digits: int = Field(default=1, ge=0)


class _Suite(Strict):
    name: str
    title: str
    tasks: tuple[TaskSpec, ...] = Field(min_length=1)
    models: tuple[str, ...] = ()
    average: _Average | None = None

    @model_validator(mode="after")
    def _own_tasks(self) -> Self:
        names = [task.name for task in self.tasks]
        for part in self.average.of if self.average else ():
            if part.task not in names:
                raise ValueError(
                    f"average.of: the suite has no task {part.task!r}. {suggest(part.task, names)}"
                )
        return self


def suite_entries(folder: Path | str) -> list[SuiteEntry]:
    """The suites (`*.yaml`) of a folder. Raises SpecError that names the file and the field."""
    found = []
    for path in sorted(Path(folder).glob("*.yaml")):
        value = read_yaml(path)
        if isinstance(value, dict):
            # A task without options is written as its name alone.
            _spell_out(value, "tasks", "name")
            if isinstance(value.get("average"), dict):
                _spell_out(value["average"], "of", "task")
        suite = validated(path, value, _Suite)
        found.append(SuiteEntry(suite.name, suite.title, suite.tasks, suite.models, _average_of(suite)))
    return found


def _spell_out(value: dict[str, Any], key: str, field: str) -> None:
    if isinstance(value.get(key), list):
        value[key] = [{field: one} if isinstance(one, str) else one for one in value[key]]


def _average_of(suite: _Suite) -> SuiteAverage | None:
    if suite.average is None:
        return None
    parts = tuple(AveragePart(**part.model_dump()) for part in suite.average.of)
    return SuiteAverage(suite.average.name, parts, suite.average.note, suite.average.digits)
