"""Makes the environment of a research model; says what else is to be fetched, and fetches none of it."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from evalsuite.errors import SpecError, UnavailableError
from evalsuite.isolated.places import commit_of, folders, how_to_clone, interpreter
from evalsuite.model.card import Card

Say = Callable[[str], None]
_VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done for one model.

    Args:
        clone, env: folders of the repository and the environment.
        profile: name of the chosen packages.
        commands: that make the environment, each as its words.
        check: that imports what must be there.
        lacking: in words, what the user has to fetch, with the commands.
        notes: of the profile, and on the interpreter.
    """

    clone: Path
    env: Path
    profile: str
    commands: tuple[tuple[str, ...], ...]
    check: tuple[str, ...]
    lacking: tuple[str, ...]
    notes: tuple[str, ...] = ()


def plan(
    card: Card,
    *,
    repo: Path | None = None,
    env: Path | None = None,
    profile: str | None = None,
    python: str | None = None,
) -> Plan:
    """What `evalsuite models setup` would do. Touches nothing.

    Args:
        repo, env: folders; by default in the cache folder.
        profile: name of the packages; by default the repository's own.
        python: interpreter or version for the environment; by default the version the card names with uv,
            else this interpreter.

    Raises:
        SpecError: the model has no environment, or no such profile.
    """
    if card.environment is None:
        raise SpecError(
            f"{card.name} runs in this environment; there is nothing to set up.",
            "`evalsuite list models` names those of research repositories.",
        )
    made = card.environment
    name, chosen = made.profile(profile)
    default_clone, default_env = folders(card.name)
    clone, target = repo or default_clone, env or default_env
    binary = str(interpreter(target))
    uv = shutil.which("uv")
    commands: list[tuple[str, ...]] = []
    notes = [chosen.note] if chosen.note else []
    if not Path(binary).is_file():
        if uv is None and python is None and made.python != _VERSION:
            notes.append(
                f"Its authors use Python {made.python}, this is {_VERSION}: packages may have no build for "
                "it. --python PATH makes the environment with another interpreter."
            )
        if uv is not None:
            commands.append((uv, "venv", "--python", python or made.python, str(target)))
        else:
            commands.append((python or sys.executable, "-m", "venv", str(target)))
    install = (uv, "pip", "install", "--python", binary) if uv else (binary, "-m", "pip", "install")
    commands.append((*install, *chosen.requirements))
    if chosen.afterwards:
        commands.append((*install, "--no-build-isolation", *chosen.afterwards))
    modules = [module for module in made.modules if module not in chosen.lacks]
    check = (binary, "-c", "".join(f"import {module}\n" for module in modules))
    return Plan(clone, target, name, tuple(commands), check, tuple(_lacking(card, clone)), tuple(notes))


def _lacking(card: Card, clone: Path) -> list[str]:
    assert card.environment is not None
    found, lines = commit_of(clone), []
    if not clone.is_dir():
        lines.append("the repository:")
        lines += [f"  {line}" for line in how_to_clone(card.environment, clone)]
    elif found is not None and found != card.environment.commit:
        lines.append(f"the commit that the adapter was written against ({clone} is at {found[:12]}):")
        lines.append(f"  {how_to_clone(card.environment, clone)[1]}")
    if card.weights:
        lines.append("weights (one of):" if len(card.weights) > 1 else "weights:")
        for one in card.weights:
            size = one.memory()
            more = [f"about {size:.0f} GiB in bfloat16"] if size else []
            more.append(one.licence or "licence: see its page")
            more += [one.note] if one.note else []
            lines.append(f"  {one.name} ({'; '.join(more)})")
    return lines


def carry_out(todo: Plan, say: Say) -> None:
    """Makes the environment and checks it.

    Raises:
        UnavailableError: a command failed; its last lines are in the message.
    """
    for command in todo.commands:
        say(shlex.join(command))
        _run(command)
    if todo.check[-1]:
        modules = [line.removeprefix("import ") for line in todo.check[-1].splitlines()]
        say(f"checking: {', '.join(modules)}")
        _run(todo.check, f"importing {', '.join(modules)} in {todo.env}")


def _run(command: Sequence[str], what: str = "") -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except OSError as error:
        raise UnavailableError(
            f"{command[0]} cannot be run ({error.strerror}).", "Is it installed?"
        ) from error
    if done.returncode != 0:
        words = " | ".join(line for line in (done.stderr or done.stdout).strip().splitlines()[-4:])
        raise UnavailableError(
            f"{what or shlex.join(command)[:200]} failed: {words}",
            "Correct what it names, or choose another --profile; the command can be repeated.",
        )
