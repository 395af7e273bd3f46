"""Rules and readers that installed plugins add, by their entry points."""

from __future__ import annotations

from collections.abc import Callable
from importlib import metadata
from typing import Any, TypeVar

from evalsuite.errors import EvalsuiteError

_Kind = TypeVar("_Kind")


def installed(group: str, checked: Callable[[Any, str], _Kind]) -> tuple[list[_Kind], dict[str, str]]:
    """What the entry points of `group` give, and those that cannot be loaded, each with the reason.

    Args:
        checked: takes a loaded value and where it comes from; returns it, or raises SpecError.
    """
    found: list[_Kind] = []
    broken: dict[str, str] = {}
    for point in sorted(metadata.entry_points(group=group)):
        try:
            found.append(checked(point.load(), f"the entry point {point.name} ({point.value})"))
        except EvalsuiteError as error:
            broken[point.name] = str(error)
        except Exception as error:  # third-party code: whatever it raises must not stop the others
            broken[point.name] = f"{type(error).__name__}: {error}"
    return found, broken
