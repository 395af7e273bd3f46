"""What the functions share."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from evalsuite.registry import Registry


def registry_of(registry: Registry | None, plugins: Iterable[Path | str] = ()) -> Registry:
    """The registry that was given, else the installed plugins and these files."""
    from evalsuite.registry import load_registry

    return registry or load_registry(map(Path, plugins))


def listed(paths: Path | str | Iterable[Path | str]) -> list[Path]:
    """One path or several, as a list."""
    return [Path(paths)] if isinstance(paths, str | Path) else [Path(path) for path in paths]
