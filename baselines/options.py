"""Options of adapters as users type them: known names only, numbers and switches checked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from evalsuite.errors import SpecError, suggest
from evalsuite.model import Option


def check_known(options: Mapping[str, str], known: Iterable[str], adapter: str) -> None:
    """Raises SpecError for an option that the adapter does not have: a typing error must not pass unseen."""
    names = tuple(known)
    for name in options:
        if name not in names:
            raise SpecError(f"Adapter {adapter!r} has no option {name!r}.", suggest(name, names))


def switch(options: Mapping[str, str], name: str, default: bool = False) -> bool:
    """A `yes` or `no` (`true`, `false`). Raises SpecError for anything else."""
    return bool(Option(name, type=bool).parse(options.get(name, "yes" if default else "no")))


def integer(options: Mapping[str, str], name: str) -> int | None:
    """A whole number; None where it is not given. Raises SpecError."""
    try:
        return int(options[name]) if name in options else None
    except ValueError as error:
        raise SpecError(
            f"Option {name}={options[name]!r} is not a whole number.", f"Write {name}=20."
        ) from error


def number(options: Mapping[str, str], name: str) -> float | None:
    """A number; None where it is not given. Raises SpecError."""
    try:
        return float(options[name]) if name in options else None
    except ValueError as error:
        raise SpecError(f"Option {name}={options[name]!r} is not a number.", f"Write {name}=7.5.") from error
