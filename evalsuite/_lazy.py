"""Public names that are imported when they are first used, so that a package's face costs nothing."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from typing import Any


def attach(
    package: str, homes: Mapping[str, str | Iterable[str]]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """`__getattr__` and `__dir__` of a module whose public names live elsewhere.

    Args:
        package: `__name__` of the module.
        homes: module -> the names it has, separated by blanks or as an iterable; `public:name` offers `name`
            as `public`; a name may be a submodule.
    """
    places: dict[str, tuple[str, str]] = {}
    for module, names in homes.items():
        for entry in names.split() if isinstance(names, str) else names:
            public, _, name = entry.partition(":")
            places[public] = (module, name or public)

    def __getattr__(name: str) -> Any:
        if name not in places:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        module, there = places[name]
        home = import_module(module)
        found = getattr(home, there) if hasattr(home, there) else import_module(f"{module}.{there}")
        setattr(sys.modules[package], name, found)
        return found

    def __dir__() -> list[str]:
        return sorted({*vars(sys.modules[package]), *places})

    return __getattr__, __dir__
