"""Finds the Python of a task family: an installed one by name, or a module beside the benchmark's file."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import sys
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Any

from evalsuite.errors import EvalsuiteError, SpecError, is_interruption, reason_of, suggest

GROUP = "evalsuite.families"
"""Entry points of installed families: name -> module with `build(plan) -> Task`."""


def installed_families() -> dict[str, str]:
    """Name -> module of every installed family, sorted by name."""
    return {point.name: point.value for point in sorted(metadata.entry_points(group=GROUP))}


def family_module(family: str, folder: Path | None = None) -> Any:
    """The Python of a family: a module with `build(plan) -> Task`.

    Args:
        family: the name of an installed family, of a module or package beside the benchmark's file
            (`my_family.py`, `my_family/family.py`, `my_family/__init__.py`), or a dotted module name.
        folder: where the benchmark's file lies; its parents are not searched.

    Raises:
        SpecError: there is none of that name, it has no `build`, or importing it fails.
    """
    known = installed_families()
    if family in known:
        module: Any = importlib.import_module(known[family])
    elif (path := _beside(family, folder)) is not None:
        module = import_file(path, f"the task family {family!r}")
    elif "." in family:
        module = _import_dotted(family)
    else:
        where = f" or put {family}.py into {folder}" if folder is not None else ""
        raise SpecError(
            f"There is no task family {family!r}.",
            f"{suggest(family, known)} Name an installed family{where}, or give a dotted module name.",
        )
    if not callable(getattr(module, "build", None)):
        raise SpecError(f"The task family {family!r} has no function build(plan).", "Define it.")
    return module


def _beside(family: str, folder: Path | None) -> Path | None:
    if folder is None or "." in family:
        return None
    places = (folder / f"{family}.py", folder / family / "family.py", folder / family / "__init__.py")
    return next((path for path in places if path.is_file()), None)


def import_file(path: Path, what: str) -> ModuleType:
    """A Python file beside a benchmark's file as a module, imported once.

    Args:
        what: what the file is, for messages.

    Raises:
        SpecError: it is no Python, or importing it fails.
    """
    # The folder's digest keeps two plugins' modules of one name apart.
    digest = hashlib.sha256(str(path.resolve().parent).encode()).hexdigest()[:12]
    name = f"evalsuite_beside_{digest}_{path.stem}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise SpecError(f"{what[:1].upper()}{what[1:]} cannot be imported from {path}.", "Is it Python?")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except EvalsuiteError:
        del sys.modules[name]
        raise
    except BaseException as error:
        del sys.modules[name]
        if is_interruption(error):
            raise
        raise SpecError(
            f"{what[:1].upper()}{what[1:]} fails to import from {path}: {reason_of(error)}.",
            "Run the file alone to see why.",
        ) from error
    return module


def _import_dotted(family: str) -> ModuleType:
    try:
        return importlib.import_module(family)
    except ModuleNotFoundError as error:
        if error.name is None or not family.startswith(error.name):
            raise
        raise SpecError(
            f"There is no task family {family!r}.",
            f"No module {error.name!r} can be imported; {suggest(family, installed_families())}",
        ) from error
