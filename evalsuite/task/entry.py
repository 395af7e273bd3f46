"""What a plugin returns for a benchmark: entries of the registry, and the options a task is built with."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from evalsuite.data.inspection import DataReport
from evalsuite.options import Option, Options, check_options, declared
from evalsuite.request import CAPABILITIES, Capability, all_needs
from evalsuite.spec import TaskSpec
from evalsuite.task.types import Metric, Task

if TYPE_CHECKING:
    from evalsuite.task.schema import Benchmark


@dataclass(frozen=True, slots=True)
class TaskOptions:
    """How a task is to be built.

    Args:
        protocol: named protocol; None takes the benchmark's first.
        rules: named scoring rules; None takes `official`.
        data: folder with the benchmark's files; None uses `EVALSUITE_DATA/<benchmark>` or the hub.
        options: further options of the family, e.g. {"shots": "4"}.
    """

    protocol: str | None = None
    rules: str | None = None
    data: Path | None = None
    options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TaskEntry:
    """A benchmark that can be built.

    Args:
        name: as users type it.
        title: one line for `evalsuite list`.
        capability: what the answer that is scored takes of a model.
        metrics: its columns.
        protocols, rules: the names that TaskOptions may use; the first is the default.
        build: makes the task; raises DataError when its data are missing.
        family: the room it lives in, for listings.
        inspect: what is here of its data, given the user's folder and whether to read it all; None where the
            task cannot say.
        needs: all capabilities that a model must have, `capability` among them; empty stands for it alone.
        benchmark: what the benchmark's file declares; None for a task that is Python alone.
        options: the options it takes, or a function that gives them; any other, and a value of another kind,
            is refused before anything is loaded. None declares nothing: anything is accepted.
    """

    name: str
    title: str
    capability: Capability
    metrics: tuple[Metric, ...]
    protocols: tuple[str, ...]
    rules: tuple[str, ...]
    build: Callable[[TaskOptions], Task]
    family: str = ""
    inspect: Callable[[Path | None, bool], DataReport] | None = None
    needs: tuple[Capability, ...] = ()
    benchmark: Benchmark | None = None
    options: Options | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "needs", all_needs(self.capability, self.needs))

    def lacking(self, capabilities: Collection[Capability]) -> tuple[Capability, ...]:
        """What it needs that is not among these."""
        return tuple(needed for needed in self.needs if needed not in capabilities)

    @property
    def declared_options(self) -> tuple[Option, ...] | None:
        """The options it declares; None where it declares nothing."""
        return declared(self.options)

    def check_options(self, given: Mapping[str, str]) -> None:
        """Raises SpecError for an option that it does not take, with the nearest that it does."""
        known = self.declared_options if given else None
        if known is not None:
            check_options(known, given, f"Task {self.name!r}")

    def with_options(self, given: Mapping[str, str]) -> TaskEntry:
        """With the needs that it has where these options are given."""
        chosen = [one for one in self.declared_options or () if one.name in given]
        switched = [one for one in chosen if one.type is not bool or one.parse(given[one.name])]
        added = {name for one in switched for name in one.adds}
        removed = {name for one in switched for name in one.removes}
        if not added and not removed:
            return self
        needs = tuple(name for name in CAPABILITIES if name in (set(self.needs) | added) - removed)
        return replace(self, needs=needs)


@dataclass(frozen=True, slots=True)
class AveragePart:
    """A number that a suite's average is made of.

    Args:
        task: one of the suite's tasks; only numbers under the protocol and rules that the suite names count.
        metric: its column; empty: its headline.
        out_of: the maximum in printed units, which counts as 100 in the average.
    """

    task: str
    metric: str = ""
    out_of: float = 100.0


@dataclass(frozen=True, slots=True)
class SuiteAverage:
    """The mean that a leaderboard prints over a suite's tasks, each scaled to 0–100; all have equal weight.

    Args:
        name: of its column.
        note: where the scaling is published.
    """

    name: str
    of: tuple[AveragePart, ...]
    note: str = ""
    digits: int = 1


@dataclass(frozen=True, slots=True)
class SuiteEntry:
    """A named list of tasks, with the models a bare `evalsuite run --suite NAME` measures, and the average
    over them that a leaderboard prints, where there is one."""

    name: str
    title: str
    tasks: tuple[TaskSpec, ...]
    models: tuple[str, ...] = ()
    average: SuiteAverage | None = None


@dataclass(frozen=True, slots=True)
class BrokenEntry:
    """Stands for an entry that cannot be read, so that a plugin can offer the others.

    Args:
        name: as users would type it, as far as it is known.
        reason: what is wrong and where.
    """

    name: str
    reason: str
