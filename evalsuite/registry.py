"""Finds task and model plugins: installed ones through entry points, and those in a file the user names.

An entry point of the groups in `GROUPS`, and a plugin file's module, is an object with any of the attributes
`tasks`, `models`, `suites`, `published`: functions without arguments that return entries. They must be cheap:
nothing heavy is imported until an entry is built.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeVar

from evalsuite.deprecation import renamed
from evalsuite.errors import EvalsuiteError, SpecError, is_interruption, reason_of, suggest
from evalsuite.model.entry import ModelEntry
from evalsuite.task.entry import BrokenEntry, SuiteEntry, TaskEntry

if TYPE_CHECKING:
    from evalsuite.published.schema import Publication

GROUPS = ("evalsuite.tasks", "evalsuite.models", "evalsuite.published")


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
        """Takes the entries of a Python file named by the user; modules beside it become importable."""
        folder = str(path.resolve().parent)
        if path.is_file() and folder not in sys.path:
            sys.path.append(folder)  # last: a plugin's neighbour never hides an installed module
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


def load_registry(plugins: Iterable[Path | str] = ()) -> Registry:
    """Installed plugins plus the given files, each once. A broken installed plugin is recorded, not fatal."""
    registry = Registry()
    for group in GROUPS:
        for point in metadata.entry_points(group=group):
            try:
                registry.add(f"{point.name} ({point.value})", point.load())
            except BaseException as error:  # third-party code: whatever it raises must not stop the others
                if is_interruption(error):
                    raise
                registry.broken[f"{group}: {point.name}"] = reason_of(error)
    # Several runs of one plugin file name it several times.
    for path in dict.fromkeys(map(Path, plugins)):
        registry.add_file(path)
    return registry


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
    except BaseException as error:
        if is_interruption(error):
            raise
        raise SpecError(
            f"Plugin file {path} fails: {reason_of(error)}.", "Run it alone to see why."
        ) from error
    return module


if not TYPE_CHECKING:
    __getattr__ = renamed(
        __name__,
        {
            "ModelOptions": "evalsuite.model.entry.ModelOptions",
            "TaskOptions": "evalsuite.task.entry.TaskOptions",
        },
    )
