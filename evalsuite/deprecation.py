"""Names that have moved: the old ones work for one version, and say where the new ones are.

A module that moved stands in `MODULES`; importing it by its old name gives the module itself, with a
DeprecationWarning. A name that was renamed inside a module is offered by that module's `__getattr__`, made
with `renamed`. `overdue(version)` lists what should have been removed by then; a test keeps it empty.
"""

from __future__ import annotations

import pkgutil
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

REMOVED_IN = "0.3.0"
"""The version that drops what 0.2 deprecated."""


@dataclass(frozen=True, slots=True)
class Moved:
    """Where a deprecated name is now.

    Args:
        new: dotted name of the module, or of the attribute.
        removed_in: first version without the old name.
    """

    new: str
    removed_in: str = REMOVED_IN


MODULES: dict[str, Moved] = {
    old: Moved(new)
    for old, new in {
        "evalsuite.devices": "evalsuite.model.devices",
        "evalsuite.document_sheet": "evalsuite.gallery.documents",
        "evalsuite.leaderboard": "evalsuite.leaderboards",
        "evalsuite.memory": "evalsuite.model.memory",
        "evalsuite.resolving": "evalsuite.running.resolving",
        "evalsuite.schedulers": "evalsuite.model.schedulers",
        "evalsuite.scoring": "evalsuite.running.scoring",
        "evalsuite.sheets": "evalsuite.gallery.sheets",
        "evalsuite.weights": "evalsuite.model.weights",
        "evalsuite.endpoint.talk": "evalsuite.endpoint.types",
        "evalsuite.endpoint.trouble": "evalsuite.endpoint.errors",
        "evalsuite.features.pictures": "evalsuite.features.decoding",
        "evalsuite_tasks.benchmark": "evalsuite.task.benchmark",
        "evalsuite_tasks.captioned": "evalsuite.task.captioned",
        "evalsuite_tasks.checking": "evalsuite.task.data_check",
        "evalsuite_tasks.columns": "evalsuite.task.columns",
        "evalsuite_tasks.family": "evalsuite.task.family",
        "evalsuite_tasks.frechet": "evalsuite.task.frechet",
        "evalsuite_tasks.judging": "evalsuite.task.judged",
        "evalsuite_tasks.miniature": "evalsuite.task.miniature",
        "evalsuite_tasks.networks": "evalsuite.task.networks",
        "evalsuite_tasks.prompts": "evalsuite.task.prompts",
        "evalsuite_tasks.schema": "evalsuite.task.schema",
        "evalsuite_tasks.shots": "evalsuite.task.few_shot",
        "evalsuite_tasks.sources": "evalsuite.task.sources",
    }.items()
}
"""Old module -> where it is now."""

NAMES: dict[str, Moved] = {}
"""Every name given to `renamed`, as `module.name`, with where it is now."""


def renamed(module: str, names: Mapping[str, str], removed_in: str = REMOVED_IN) -> Callable[[str], Any]:
    """A module's `__getattr__` that offers old names.

    Args:
        module: `__name__` of the module.
        names: old name -> dotted name of what it is called now (`evalsuite.engine.RequestLoop`).
        removed_in: first version without the old names.
    """
    for old, new in names.items():
        NAMES[f"{module}.{old}"] = Moved(new, removed_in)

    def __getattr__(name: str) -> Any:
        if name not in names:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        home, _, attribute = names[name].rpartition(".")
        warn(f"{module}.{name}", Moved(names[name], removed_in))
        return getattr(import_module(home), attribute)

    return __getattr__


def warn(old: str, moved: Moved, *, stacklevel: int = 3) -> None:
    """A DeprecationWarning that names the replacement and the version without the old name."""
    warnings.warn(
        f"{old} is now {moved.new}; the old name goes with evalsuite {moved.removed_in}.",
        DeprecationWarning,
        stacklevel=stacklevel,
    )


def overdue(version: str) -> list[str]:
    """Deprecated names that this version should no longer have.

    >>> overdue("0.2.0")
    []
    """
    here = _parts(version)
    return sorted(old for old, moved in {**MODULES, **NAMES}.items() if here >= _parts(moved.removed_in))


def _parts(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")[:3] if part.isdecimal())


class _Alias(Loader):
    """Loads a module by its old name: the module of the new name, which keeps its own `__spec__`."""

    def __init__(self, new: str) -> None:
        self._new = new
        self._spec: ModuleSpec | None = None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        module = import_module(self._new)
        self._spec = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        # The import system has just written the old name's specification over the module's own.
        module.__spec__ = self._spec
        # A submodule imported by its old name would be bound in the package, over a function of that name
        # (`leaderboards.table`): the old names of all of them are registered at once instead.
        old = next(name for name, moved in MODULES.items() if moved.new == self._new)
        for found in pkgutil.iter_modules(getattr(module, "__path__", ())):
            sys.modules[f"{old}.{found.name}"] = import_module(f"{self._new}.{found.name}")


class _Finder(MetaPathFinder):
    """Finds modules by their old names."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname not in MODULES:
            return None
        moved = MODULES[fullname]
        warn(fullname, moved, stacklevel=2)
        return ModuleSpec(fullname, _Alias(moved.new))


def install() -> None:
    """Makes old module names importable; called when evalsuite is imported."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        # First: a moved package's own path would else be searched under its old name, and load a second copy.
        sys.meta_path.insert(0, _Finder())
