"""Gates: what a candidate must hold to pass, as a TOML file says it. docs/ci.md shows a whole file."""

from __future__ import annotations

import math
import tomllib
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from evalsuite.comparison.sides import ASPECTS, Aspect
from evalsuite.errors import SpecError, suggest
from evalsuite.stats import Correction

Mode = Literal["evidence", "strict", "off"]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Drops(_Strict):
    """Limits on the way from base to candidate; in units of display (points), as leaderboards print."""

    max_drop: float | None = Field(default=None, ge=0)
    """Largest drop of the value itself, chance or not."""
    max_drop_relative: float | None = Field(default=None, ge=0)
    """The same as a share of the base's value: 0.02 is 2 %."""
    margin: float | None = Field(default=None, ge=0)
    """Non-inferiority margin: how much worse still counts as equal."""
    mode: Mode | None = None
    """`evidence`: fails when it is shown that the candidate is worse by more than the margin; `strict`: fails
    unless it is shown that it is not; `off`: the margin is not tested."""


class Limits(Drops):
    """Limits on one metric."""

    min: float | None = None
    """Least value of the candidate."""
    max: float | None = None
    """Largest value of the candidate."""


class MetricGate(Limits):
    groups: dict[str, Limits] = Field(default_factory=dict)
    """Breakdowns, e.g. "answer_type=number"."""


class TaskGate(Limits):
    """Its own limits hold for the task's headline."""

    metrics: dict[str, MetricGate] = Field(default_factory=dict)


class Gates(_Strict):
    """The whole file."""

    alpha: float = Field(default=0.05, gt=0, lt=1)
    """Level of tests and, as 1 - alpha, of intervals."""
    correction: Correction = "holm"
    allow: tuple[Aspect, ...] = ()
    """What may differ between the runs."""
    allow_missing: tuple[str, ...] = ()
    """What the candidate may lack of the base: a task by its name, or one number of it as `TASK/METRIC`."""
    max_failures: float | None = Field(default=None, ge=0)
    """Share of a task's samples that may be without score; by default no more than the base has."""
    defaults: Drops = Drops()
    """For the headline of every task."""
    tasks: dict[str, TaskGate] = Field(default_factory=dict)

    @field_validator("allow", mode="before")
    @classmethod
    def _known(cls, value: Any) -> Any:
        for name in value if isinstance(value, list | tuple) else ():
            if name not in ASPECTS:
                raise ValueError(
                    f"{name!r} is not a difference that can be allowed. {suggest(str(name), ASPECTS)}"
                )
        return value

    def limits(self, task: str, metric: str, group: str = "", *, headline: bool = False) -> Limits:
        """The limits on one number.

        The headline of a task: defaults, overridden by the task's own, overridden by those of the metric by
        name; without a margin anywhere it is tested against margin 0. Other metrics and groups: what their
        own table says.
        """
        gate = self.tasks.get(task, TaskGate())
        named = gate.metrics.get(metric, MetricGate())
        if group:
            found = _given(named.groups.get(group, Limits()))
        elif headline:
            found = {"margin": 0.0, **_given(self.defaults), **_given(gate), **_given(named)}
        else:
            found = _given(named)
        return Limits(**{"mode": self.defaults.mode or "evidence", **found})

    def named(self, task: str) -> list[tuple[str, str]]:
        """Metrics and groups that a task's gates name."""
        gate = self.tasks.get(task, TaskGate())
        return [(metric, group) for metric, limits in gate.metrics.items() for group in ("", *limits.groups)]


def load_gates(path: Path) -> Gates:
    """Reads gates from TOML. Raises SpecError that names the file and the field."""
    try:
        value = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SpecError(f"{path} cannot be read ({error.strerror}).", "Check --gate.") from error
    except (ValueError, TypeError, RecursionError) as error:  # also numbers and depths without end
        raise SpecError(f"{path} is not TOML: {error}.", "Correct the file; docs/ci.md shows one.") from error
    try:
        gates = Gates.model_validate(value)
    except ValidationError as error:
        fault = error.errors()[0]
        where = ".".join(map(str, fault["loc"])) or "file"
        said = fault["msg"].removeprefix("Value error, ")
        remedy = "Correct the file."
        if fault["type"] == "extra_forbidden":
            said = "there is no such setting"
            remedy = suggest(str(fault["loc"][-1]), _settings_at(fault["loc"]))
        raise SpecError(f"{path}: {where}: {said}.", remedy) from error
    for number in _numbers(gates.model_dump()):
        if not math.isfinite(number):
            raise SpecError(f"{path}: a limit is {number}.", "Give a number, or leave the limit out.")
    return gates


def _settings_at(location: tuple[int | str, ...]) -> list[str]:
    """The settings that are known where an unknown one was found."""
    if len(location) == 1:
        return list(Gates.model_fields)
    if location[0] == "defaults":
        return list(Drops.model_fields)
    kinds: dict[int, type[BaseModel]] = {3: TaskGate, 5: MetricGate}
    return list(kinds.get(len(location), Limits).model_fields)


def _given(limits: BaseModel) -> dict[str, Any]:
    """The limits that were set."""
    names = Limits.model_fields
    return {
        name: value
        for name in names
        if name in limits.model_fields_set and (value := getattr(limits, name)) is not None
    }


def _numbers(value: Any) -> list[float]:
    if isinstance(value, dict):
        return [number for one in value.values() for number in _numbers(one)]
    return [value] if isinstance(value, float) else []
