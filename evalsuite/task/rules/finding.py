"""Finds a rule by name: beside the benchmark's file, in its plugin, built in, or installed by a plugin."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from evalsuite.errors import SpecError, suggest
from evalsuite.task import extensions
from evalsuite.task.rules.types import Kind, Rule

GROUP = "evalsuite.rules"
"""Entry points of installed rules: the rule's name -> a `Rule` (`my_package.rules:my_rule`)."""
BESIDE = "rules.py"
"""The Python file beside a benchmark's file whose rules it may name."""


def built_in() -> tuple[Rule, ...]:
    """The rules of evalsuite itself."""
    from evalsuite.task.rules import lettered, mathvista, open_answers, puzzles, yes_no

    return (*open_answers.RULES, *lettered.RULES, *mathvista.RULES, *puzzles.RULES, *yes_no.RULES)


def installed() -> tuple[list[Rule], dict[str, str]]:
    """The rules of installed plugins, and those that cannot be loaded, each with the reason."""
    return extensions.installed(GROUP, _checked)


def beside(folder: Path | None) -> tuple[Rule, ...]:
    """The rules of `rules.py` in the folder of a benchmark's file. Raises SpecError where it fails."""
    if folder is None or not (folder / BESIDE).is_file():
        return ()
    from evalsuite.task.families import import_file

    module = import_file(folder / BESIDE, f"the rules {folder / BESIDE}")
    return tuple(value for value in vars(module).values() if isinstance(value, Rule))


def find_rule(name: str, kinds: Sequence[Kind], own: Iterable[Rule] = (), folder: Path | None = None) -> Rule:
    """The rule of that name, of the first of `kinds` that has one.

    Args:
        own: the rules that came with the benchmark's plugin.
        folder: where the benchmark's file lies.

    Raises:
        SpecError: there is none, two share the name, or a plugin that should give it is broken.
    """
    local = [_checked(one, "a plugin's list of rules") for one in (*own, *beside(folder))]
    known = [*local, *built_in()]
    found = _named(name, kinds, known)
    if found is None:
        more, broken = installed()
        if name in broken:
            raise SpecError(f"The rule {name!r} cannot be used: {broken[name]}", "Repair its plugin.")
        known += more
        found = _named(name, kinds, known)
    if found is None:
        raise SpecError(
            f"There is no rule {name!r} for {' or '.join(kinds)} questions.",
            suggest(name, {one.name for one in known if one.kind in kinds}),
        )
    return found


def _named(name: str, kinds: Sequence[Kind], known: Sequence[Rule]) -> Rule | None:
    for kind in kinds:
        found = {id(one.function): one for one in known if (one.kind, one.name) == (kind, name)}
        if len(found) > 1:
            raise SpecError(f"There are {len(found)} rules {name!r} for {kind} questions.", "Rename one.")
        if found:
            return next(iter(found.values()))
    return None


def _checked(value: Any, where: str) -> Rule:
    if not isinstance(value, Rule):
        raise SpecError(
            f"{value!r:.60}, from {where}, is a {type(value).__name__}, not a rule.",
            "Put @rule() over the function.",
        )
    return value
