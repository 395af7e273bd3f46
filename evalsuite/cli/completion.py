"""Completion of names in a shell: tasks, models, suites, protocols, rules."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from evalsuite.registry import Registry

Completer = Callable[[str], list[tuple[str, str]]]


def _completer(names: Callable[[Registry], Iterable[tuple[str, str]]]) -> Completer:
    """Names that begin with what is typed, each with a line about it; nothing where plugins fail."""

    def complete(incomplete: str) -> list[tuple[str, str]]:
        from evalsuite.errors import EvalsuiteError
        from evalsuite.registry import load_registry

        try:
            found = dict(names(load_registry(())))
        except EvalsuiteError:
            return []
        return [(name, text) for name, text in found.items() if name.startswith(incomplete)]

    return complete


def _protocols(registry: Registry) -> Iterator[tuple[str, str]]:
    yield from ((name, "") for entry in registry.tasks.values() for name in entry.protocols)


def _rules(registry: Registry) -> Iterator[tuple[str, str]]:
    yield from ((name, "") for entry in registry.tasks.values() for name in entry.rules)


tasks = _completer(lambda registry: ((one.name, one.title) for one in registry.tasks.values()))
suites = _completer(lambda registry: ((one.name, one.title) for one in registry.suites.values()))
models = _completer(
    lambda registry: (
        (f"{one.name}:" if one.takes_argument else one.name, one.title) for one in registry.models.values()
    )
)
protocols = _completer(_protocols)
rules = _completer(_rules)
