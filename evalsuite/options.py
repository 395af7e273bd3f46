"""Options that users set by `--option KEY=VALUE` and `--task-option KEY=VALUE`: declared, checked, read.

What declares its options (`ModelEntry.options`, `TaskEntry.options`, a family's `OPTIONS`) has them listed,
and a misspelt name or a value out of range is refused before anything is loaded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evalsuite.errors import SpecError, suggest

_KINDS: Mapping[type, str] = {
    str: "text", int: "a whole number", float: "a number", bool: "yes or no", Path: "a path",
}  # fmt: skip
_SWITCH = {"yes": True, "true": True, "no": False, "false": False}


@dataclass(frozen=True, slots=True)
class Option:
    """One option.

    Args:
        name: as users type it.
        help: what it does, one line; with the unit of a number.
        type: `str`, `int`, `float`, `bool` (`yes`/`no`, `true`/`false`) or `Path`.
        default: what holds where it is not given; None: whatever the help says.
        choices: the values there are; empty: any.
        minimum: least value of a number.
        adds, removes: capabilities that a model must have besides, or need not have, where it is given.

    >>> Option("steps", type=int, minimum=1).parse("20")
    20
    """

    name: str
    help: str = ""
    type: type = str
    default: Any = None
    choices: tuple[str, ...] = ()
    minimum: float | None = None
    adds: tuple[str, ...] = ()
    removes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.type not in _KINDS:
            known = ", ".join(kind.__name__ for kind in _KINDS)
            raise SpecError(f"Option {self.name!r} has type {self.type!r}.", f"Use one of: {known}.")

    @property
    def kind(self) -> str:
        """The type in words: `a whole number`."""
        return _KINDS[self.type]

    def describe(self) -> str:
        """What it does, its kind or values, and its default as it is typed.

        >>> Option("fast", "compiles", bool, False).describe()
        'compiles (yes or no; default no)'
        """
        kind = " or ".join(self.choices) if self.choices else self.kind
        default = "" if self.default is None else f"; default {_text(self.default)}"
        return f"{self.help} ({kind}{default})" if self.help else f"{kind}{default}"

    def parse(self, text: str) -> Any:
        """The value that a text stands for. Raises SpecError."""
        if self.choices and text not in self.choices:
            raise SpecError(
                f"Option {self.name}={text!r} is not one of its values.", suggest(text, self.choices)
            )
        try:
            value = _SWITCH[text.lower()] if self.type is bool else self.type(text)
        except (ValueError, KeyError) as error:
            what = "neither yes nor no" if self.type is bool else f"not {self.kind}"
            raise SpecError(
                f"Option {self.name}={text!r} is {what}.", f"Write {self.name}={self._example()}."
            ) from error
        if self.minimum is not None and not value >= self.minimum:
            raise SpecError(f"Option {self.name}={text} is out of range.", f"At least {self.minimum:g}.")
        return value

    def _example(self) -> str:
        if self.default is not None:
            return _text(self.default)
        return {bool: "yes", int: "20", float: "7.5"}.get(self.type, "…")


Options = Sequence[Option] | Callable[[], Sequence[Option]]
"""Declared options, or a function that gives them where finding out costs an import."""


def declared(options: Options | None) -> tuple[Option, ...] | None:
    """The declared options; None where nothing is declared, and anything is accepted."""
    if options is None:
        return None
    return tuple(options() if callable(options) else options)


def check_options(options: Iterable[Option], given: Mapping[str, str], owner: str, *, more: str = "") -> None:
    """Refuses what is not declared, and values that are none.

    Args:
        owner: whose options they are, as the message begins: `Model 'random'`.
        more: in words, which further names are accepted unseen; empty: none.

    Raises:
        SpecError: an unknown name, with the nearest known ones, or a value of another kind or out of range.
    """
    known = {option.name: option for option in options}
    for name, text in given.items():
        if name in known:
            try:
                known[name].parse(text)
            except SpecError as error:
                raise SpecError(f"{owner}: {error.what}", error.remedy) from error
        elif not more:
            remedy = suggest(name, known) if known else "It takes none."
            raise SpecError(f"{owner} has no option {name!r}.", remedy)


def option_values(options: Iterable[Option], given: Mapping[str, str]) -> dict[str, Any]:
    """Every declared option with its value: what was given, parsed, else its default.

    Raises SpecError for a value that is none; names that are not declared are left out.
    """
    return {
        option.name: option.parse(given[option.name]) if option.name in given else option.default
        for option in options
    }


def _text(value: Any) -> str:
    return ("yes" if value else "no") if isinstance(value, bool) else str(value)
