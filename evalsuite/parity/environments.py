"""Interpreters in which official packages run: one that the user names, one made for the package, or this."""

from __future__ import annotations

import json
import logging
import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

from evalsuite.errors import SpecError, UnavailableError, suggest
from evalsuite.parity.packages import PACKAGES, Package

_CHILD = Path(__file__).with_name("child.py")
_BIN = ("Scripts/python.exe", "bin/python")
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Environments:
    """Where each package is looked for.

    Args:
        pythons: package -> interpreter, environment folder or command; the key "" stands for all others.
        made_in: folder in which an environment per package is made where `pythons` names none; kept and used
            again. None: packages are looked for in the environment of this process.
    """

    pythons: Mapping[str, str] = field(default_factory=dict)
    made_in: Path | None = None

    def __post_init__(self) -> None:
        for name in self.pythons:
            if name and name not in PACKAGES:
                raise SpecError(f"There is no package {name!r} to compare with.", suggest(name, PACKAGES))

    def python(self, package: Package) -> str:
        """The interpreter for a package; its environment is made first where it is to be.

        Raises:
            SpecError: there is no such interpreter.
            UnavailableError: the environment cannot be made.
        """
        named = self.pythons.get(package.name, self.pythons.get("", ""))
        if named:
            return interpreter(named)
        return made(package, self.made_in) if self.made_in is not None else sys.executable


def interpreter(named: str) -> str:
    """The interpreter of an environment folder, or the program itself.

    Raises SpecError where there is none.
    """
    place = Path(named).expanduser()
    if place.is_dir():
        for name in _BIN:
            if (place / name).is_file():
                return str(place / name)
        raise SpecError(f"{named} is no environment: it has no {_BIN[1]}.", "Name its folder or its python.")
    found = shutil.which(str(place))
    if found is None:
        raise SpecError(f"There is no interpreter {named!r}.", "Name an environment's folder or its python.")
    return found


def made(package: Package, folder: Path) -> str:
    """The interpreter of `FOLDER/PACKAGE`, which is made with the package where it is not there yet.

    `uv` makes it where it is on the PATH, else venv and pip. torch and transformers get the versions of this
    environment, so that differences are the package's own.

    Raises UnavailableError with the installer's last words; what was made is removed then.
    """
    place = folder.expanduser().absolute() / package.name
    done = place / "evalsuite-parity.json"
    if done.is_file():
        return interpreter(str(place))
    _log.info("making %s with %s", place, ", ".join(package.requirements))
    wanted = [_pinned(requirement) for requirement in package.requirements]
    uv = shutil.which("uv")
    try:
        shutil.rmtree(place, ignore_errors=True)
        if uv is not None:
            links = {"UV_FIND_LINKS": os.environ.get("UV_FIND_LINKS", os.environ.get("PIP_FIND_LINKS", ""))}
            environment = {**os.environ, **{name: value for name, value in links.items() if value}}
            _run([uv, "venv", "-q", "-p", sys.executable, str(place)], environment)
            python = interpreter(str(place))
            _run([uv, "pip", "install", "-q", "-p", python, *wanted], environment)
        else:
            venv.create(place, with_pip=True)
            python = interpreter(str(place))
            _run([python, "-m", "pip", "install", "-q", "--disable-pip-version-check", *wanted], os.environ)
        done.write_text(json.dumps(wanted))
    except (OSError, subprocess.SubprocessError) as error:
        shutil.rmtree(place, ignore_errors=True)
        raise UnavailableError(
            f"The environment {place} cannot be made: {error}", f"Make one with `{package.install}`."
        ) from error
    except BaseException:
        shutil.rmtree(place, ignore_errors=True)
        raise
    return python


_SHARED = ("torch", "transformers")
"""What both sides compute with."""


def _pinned(requirement: str) -> str:
    """A shared package at this environment's version; a build's name (`+cpu`) is the installer's to find."""
    if requirement not in _SHARED:
        return requirement
    try:
        return f"{requirement}=={metadata.version(requirement).partition('+')[0]}"
    except metadata.PackageNotFoundError:
        return requirement


def _run(command: list[str], environment: Mapping[str, str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", env=dict(environment))
    if done.returncode:
        words = " | ".join((done.stderr or done.stdout).strip().splitlines()[-4:])
        raise subprocess.SubprocessError(words[-600:] or f"exit status {done.returncode}")


def ask(
    package: Package, python: str, job: Mapping[str, Any], environment: Mapping[str, str]
) -> dict[str, Any]:
    """What the package makes of a job: `version` ("" where it is not installed), `values`, and `error` where
    all of it failed.

    Args:
        job: `kind` of `child.JOBS`, and what that needs; JSON-able.
        environment: variables for the process.
    """
    given = json.dumps({**job, "distribution": package.name}).encode()
    variables = {**os.environ, **environment}
    variables.pop("PYTHONPATH", None)
    try:
        done = subprocess.run(
            [python, "-c", _CHILD.read_text(encoding="utf-8")],
            input=given,
            capture_output=True,
            env=variables,
        )
    except OSError as error:
        return {"version": "?", "values": [], "error": f"{python} cannot be run: {error.strerror or error}"}
    told = done.stderr.decode("utf-8", "replace").strip()
    for line in told.splitlines():
        _log.debug("%s: %s", package.name, line)
    try:
        found: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        words = " | ".join(told.splitlines()[-2:])
        found = {
            "version": "?",
            "values": [],
            "error": f"ended with status {done.returncode}: {words[-400:]}",
        }
    return found
