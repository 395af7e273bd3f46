"""Where a research model's environment and clone are, and which commit the clone is of."""

from __future__ import annotations

import logging
import subprocess
from pathlib import Path

from evalsuite.cache import cache_folder
from evalsuite.errors import SpecError
from evalsuite.model.card import Card, Environment

log = logging.getLogger(__name__)


def folders(name: str) -> tuple[Path, Path]:
    """The clone and the environment of a model where the user names none: in the cache folder."""
    home = cache_folder() / "models" / name
    return home / "clone", home / "env"


def interpreter(folder: Path) -> Path:
    """The interpreter of a virtual environment."""
    windows = folder / "Scripts" / "python.exe"
    return windows if windows.is_file() else folder / "bin" / "python"


def places(card: Card, repo: str | None = None, python: str | None = None) -> tuple[Path, str]:
    """The clone and the interpreter of a research model.

    Args:
        repo, python: as the user gives them; None takes what `evalsuite models setup` made.

    Raises:
        SpecError: one of them is not there; the remedy says how to get it.
    """
    if card.environment is None:
        raise SpecError(f"{card.name} has no environment of its own.", "See `evalsuite show model`.")
    clone, env = folders(card.name)
    clone = Path(repo).expanduser() if repo else clone
    setup = f"`evalsuite models setup {card.name}` says how to get it"
    if not (clone / card.environment.folder).is_dir():
        raise SpecError(
            f"{card.name} needs a clone of {card.environment.repository}; {clone} is none.",
            f"{setup}; --option repo=FOLDER names another.",
        )
    if python is None:
        path = interpreter(env)
        if not path.is_file():
            raise SpecError(
                f"{card.name} has no environment: there is no {path}.",
                f"{setup}; --option python=ENV/bin/python names another.",
            )
        python = str(path)
    found = commit_of(clone)
    if found is not None and found != card.environment.commit:
        log.warning(
            "%s is at commit %s; the adapter of %s was written against %s",
            clone, found[:12], card.name, card.environment.commit[:12],
        )  # fmt: skip
    return clone, python


def commit_of(clone: Path) -> str | None:
    """The commit that is checked out; None where the folder is no clone (an unpacked archive), or no git is
    here."""
    if not (clone / ".git").exists():
        return None
    try:
        done = subprocess.run(
            ["git", "-C", str(clone), "rev-parse", "HEAD"], capture_output=True, text=True, timeout=30
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None


def how_to_clone(environment: Environment, clone: Path) -> list[str]:
    """The commands that get the repository at the named commit."""
    return [
        f"git clone {environment.repository} {clone}",
        f"git -C {clone} checkout {environment.commit}",
    ]
