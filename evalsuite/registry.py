"""Finds task and model plugins: installed ones through entry points, and those in a file the user names.

An entry point of the groups in `GROUPS`, and a plugin file's module, is an object with any of the attributes
`tasks`, `models`, `suites`, `published`: functions without arguments that return entries. They must be cheap:
nothing heavy is imported until an entry is built.
"""

from __future__ import annotations

import difflib
import importlib.util
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeVar

from evalsuite.data.inspection import DataReport
from evalsuite.errors import EvalsuiteError, SpecError
from evalsuite.model import Model
from evalsuite.request import Capability
from evalsuite.spec import TaskSpec
from evalsuite.task import Metric, Task

if TYPE_CHECKING:
    from evalsuite.published.schema import Publication

GROUPS = ("evalsuite.tasks", "evalsuite.models", "evalsuite.published")


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
        capability: what it needs from a model.
        metrics: its columns.
        protocols, rules: the names that TaskOptions may use; the first is the default.
        build: makes the task; raises DataError when its data are missing.
        family: the room it lives in, for listings.
        inspect: what is here of its data, given the user's folder and whether to read it all; None where the
            task cannot tell.
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


@dataclass(frozen=True, slots=True)
class ModelOptions:
    """How a model is to be loaded.

    Args:
        argument: what stands behind the colon of `dreamllm:FOLDER`.
        device: torch device string, or `auto`.
        dtype: `float32`, `bfloat16`, `float16`, or `auto` (the checkpoint's on a GPU, float32 on a CPU).
        options: further options of the adapter.
    """

    argument: str = ""
    device: str = "auto"
    dtype: str = "auto"
    options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """A model that can be loaded.

    Args:
        name: as users type it.
        title: one line for `evalsuite list`.
        capabilities: known before anything is loaded, so that an impossible run is refused at once.
        build: loads it.
        takes_argument: it is called `name:ARGUMENT`.
        group: what it stands under in listings.
        reads_annotations: it is no model but an upper bound: the engine hands it the task's own answers
            (`prepare_annotated(request, answer)` in place of `prepare`). Recorded in every run of it.
    """

    name: str
    title: str
    capabilities: frozenset[Capability]
    build: Callable[[ModelOptions], Model]
    takes_argument: bool = False
    group: str = ""
    reads_annotations: bool = False


@dataclass(frozen=True, slots=True)
class SuiteEntry:
    """A named list of tasks, with the models a bare `evalsuite run --suite NAME` measures."""

    name: str
    title: str
    tasks: tuple[TaskSpec, ...]
    models: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class BrokenEntry:
    """Stands for an entry that cannot be read, so that a plugin can offer the others.

    Args:
        name: as users would type it, as far as it is known.
        reason: what is wrong and where.
    """

    name: str
    reason: str


Entry = TypeVar("Entry", TaskEntry, ModelEntry, SuiteEntry)


class Registry:
    """All entries known to this process. Looking a name up that is not there suggests the nearest."""

    def __init__(self) -> None:
        self.tasks: dict[str, TaskEntry] = {}
        self.models: dict[str, ModelEntry] = {}
        self.suites: dict[str, SuiteEntry] = {}
        self._published: list[tuple[str, Callable[[], Iterable[Publication]]]] = []
        self.broken: dict[str, str] = {}
        """Installed plugins and single entries that failed to load, with the reason; `evalsuite doctor` shows
        them."""

    @cached_property
    def published(self) -> dict[str, Publication]:
        """Published numbers by name, read when they are first asked for."""
        found: dict[str, Publication] = {}
        for source, function in self._published:
            self._take(source, function(), found)
        return found

    def task(self, name: str) -> TaskEntry:
        return self._find(name, self.tasks, "task")

    def suite(self, name: str) -> SuiteEntry:
        return self._find(name, self.suites, "suite")

    def model(self, name: str) -> tuple[ModelEntry, str]:
        """The entry and its argument for `name` or `name:ARGUMENT`."""
        head, colon, argument = name.partition(":")
        entry = self._find(head, self.models, "model")
        if entry.takes_argument and not argument:
            raise SpecError(f"Model {head!r} needs an argument.", f"Write {head}:FOLDER (or a hub id).")
        if colon and not entry.takes_argument:
            raise SpecError(
                f"Model {head!r} takes no argument, but {argument!r} was given.", f"Write {head}."
            )
        return entry, argument

    def add(self, source: str, plugin: Any) -> None:
        """Takes the entries of one plugin object. Raises SpecError for a name that is already taken."""
        kinds: Sequence[tuple[str, dict[str, Any]]] = (
            ("tasks", self.tasks),
            ("models", self.models),
            ("suites", self.suites),
        )
        functions = [(getattr(plugin, kind, None), known) for kind, known in kinds]
        numbers = getattr(plugin, "published", None)
        if callable(numbers):
            self._published.append((source, numbers))
        elif not any(callable(function) for function, _ in functions):
            raise SpecError(
                f"Plugin {source} offers nothing.",
                "Define tasks(), models(), suites() or published() that return entries.",
            )
        for function, known in functions:
            if callable(function):
                self._take(source, function(), known)

    def add_file(self, path: Path) -> None:
        """Takes the entries of a Python file named by the user."""
        self.add(str(path), _import_file(path))

    def _take(self, source: str, entries: Iterable[Any], known: dict[str, Any]) -> None:
        for entry in entries:
            if isinstance(entry, BrokenEntry):
                self.broken[entry.name] = entry.reason
            elif entry.name in known:
                raise SpecError(
                    f"Plugin {source} defines {entry.name!r}, which exists already.", "Rename it."
                )
            else:
                known[entry.name] = entry

    def _find(self, name: str, known: Mapping[str, Entry], kind: str) -> Entry:
        if name in known:
            return known[name]
        if name in self.broken:
            raise SpecError(f"The {kind} {name!r} cannot be used: {self.broken[name]}")
        raise SpecError(
            f"There is no {kind} {name!r}.", f"{suggest(name, known)} See `evalsuite list {kind}s`."
        )


def load_registry(plugins: Iterable[Path] = ()) -> Registry:
    """Installed plugins plus the given files, each once. A broken installed plugin is recorded, not fatal."""
    registry = Registry()
    for group in GROUPS:
        for point in metadata.entry_points(group=group):
            try:
                registry.add(f"{point.name} ({point.value})", point.load())
            except Exception as error:  # third-party code: whatever it raises must not stop the others
                registry.broken[f"{group}: {point.name}"] = f"{type(error).__name__}: {error}"
    # Several runs of one plugin file name it several times.
    for path in dict.fromkeys(map(Path, plugins)):
        registry.add_file(path)
    return registry


def suggest(name: str, known: Iterable[str]) -> str:
    """A sentence naming the nearest known names, for error messages."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    if near:
        return f"Did you mean {' or '.join(near)}?"
    return f"Known: {', '.join(names)}." if names else "None are installed."


def _import_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise SpecError(f"Plugin file {path} does not exist.", "Give the path of a Python file.")
    name = f"evalsuite_plugin_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise SpecError(f"Plugin file {path} is not a Python file.", "It must end in .py.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except EvalsuiteError:
        raise
    except Exception as error:
        raise SpecError(
            f"Plugin file {path} fails: {type(error).__name__}: {error}.", "Run it alone to see why."
        ) from error
    return module
