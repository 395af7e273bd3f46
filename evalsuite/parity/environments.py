"""Interpreters in which official packages run: one that the user names, one made for the package, or this."""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
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

    `uv` makes it where it is on the PATH, else venv and pip; uv is told pip's variables where its own are not
    set. torch and transformers get the versions of this environment, torch its build too (`+cpu`, `+cu130`),
    so that differences are the package's own. One that was left half made, that lost its interpreter, or that
    was made for other versions is rebuilt.

    Raises:
        SpecError: `FOLDER/PACKAGE` is there and was not made by this function.
        UnavailableError: the environment cannot be made; with the installer's last words. What was made is
            removed then.
    """
    place = folder.expanduser().absolute() / package.name
    wanted = [_pinned(requirement) for requirement in package.requirements]
    with _alone(place):
        if _is_made(place, wanted):
            return interpreter(str(place))
        if not _is_ours(place):
            raise SpecError(
                f"{place} is there, and evalsuite did not make it.",
                f"Choose another folder, or name your environment: --python {package.name}={place}.",
            )
        return _make(package, place, wanted)


_DONE = "evalsuite-parity.json"
"""File in an environment that is whole: what was installed into it."""
_BEGUN = ".{}.making"
"""File beside an environment of that name while it is being made; stays where the process was killed."""


@contextmanager
def _alone(place: Path) -> Iterator[None]:
    """Two processes do not make one environment: the second waits, and finds it made."""
    from filelock import FileLock

    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(place.with_name(f".{place.name}.lock"))
        lock.acquire()
    except OSError as error:
        raise UnavailableError(
            f"No environment can be made in {place.parent}: {error.strerror or error}.",
            "Choose another folder.",
        ) from error
    try:
        yield
    finally:
        lock.release()


def _is_made(place: Path, wanted: list[str]) -> bool:
    try:
        return bool(json.loads((place / _DONE).read_text()) == wanted and interpreter(str(place)))
    except (OSError, ValueError, SpecError):
        return False


def _is_ours(place: Path) -> bool:
    """Whether what is there may be removed."""
    if not place.exists() and not place.is_symlink():
        return True
    if (place / _DONE).is_file() or place.with_name(_BEGUN.format(place.name)).is_file():
        return True
    return place.is_dir() and not place.is_symlink() and not any(place.iterdir())


def _make(package: Package, place: Path, wanted: list[str]) -> str:
    begun = place.with_name(_BEGUN.format(place.name))
    uv = shutil.which("uv")
    _log.info("making %s with %s: %s", place, "uv" if uv else "pip", ", ".join(wanted))
    try:
        begun.touch()
        shutil.rmtree(place, ignore_errors=True)
        if uv is not None:
            _run([uv, "venv", "-q", "-p", sys.executable, str(place)], _for_uv(os.environ))
        else:
            venv.create(place, with_pip=True)
        python = interpreter(str(place))
        _install(uv, python, wanted)
        (place / _DONE).write_text(json.dumps(wanted))
    except (OSError, subprocess.SubprocessError, SpecError) as error:
        shutil.rmtree(place, ignore_errors=True)
        raise UnavailableError(
            f"The environment {place} cannot be made: {error}",
            f"Make one with `{package.install}`, and name it: --python {package.name}=ENV.",
        ) from error
    except BaseException:
        shutil.rmtree(place, ignore_errors=True)
        raise
    finally:
        if not place.exists() or (place / _DONE).is_file():
            begun.unlink(missing_ok=True)
    return python


def _install(uv: str | None, python: str, wanted: list[str]) -> None:
    """From where the user's own settings say; where these do not have torch's build, from PyTorch's index
    too."""
    build = next((one.partition("+")[2] for one in wanted if one.startswith("torch==")), "")
    if uv is not None:
        command, environment = [uv, "pip", "install", "-q", "-p", python, *wanted], _for_uv(os.environ)
        further = ["--torch-backend", build]
    else:
        command = [python, "-m", "pip", "install", "-q", "--disable-pip-version-check", *wanted]
        environment = dict(os.environ)
        further = ["--extra-index-url", f"https://download.pytorch.org/whl/{build}"]
    try:
        _run(command, environment)
    except subprocess.SubprocessError as error:
        if not build:
            raise
        _log.info("trying PyTorch's own index for its build %s", build)
        try:
            _run([*command, *further], environment)
        except subprocess.SubprocessError as second:
            raise subprocess.SubprocessError(f"{error} (and from PyTorch's index: {second})") from second


_PIPS = {
    "PIP_FIND_LINKS": ("UV_FIND_LINKS",),
    "PIP_INDEX_URL": ("UV_DEFAULT_INDEX", "UV_INDEX_URL"),
    "PIP_EXTRA_INDEX_URL": ("UV_INDEX", "UV_EXTRA_INDEX_URL"),
    "PIP_CONSTRAINT": ("UV_CONSTRAINT",),
    "PIP_NO_INDEX": ("UV_NO_INDEX",),
    "PIP_CERT": ("SSL_CERT_FILE",),
}
"""Variables of pip -> those by which uv reads the same, the one that is set here first."""
_LISTS = {"PIP_FIND_LINKS": ","}
"""How uv parts several values, where pip takes spaces and uv does not."""


def _for_uv(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment in which uv looks where pip would; what the user told uv itself stays."""
    found = dict(environment)
    for name, names in _PIPS.items():
        value = environment.get(name, "").strip()
        if value and not any(one in environment for one in names):
            found[names[0]] = _LISTS.get(name, " ").join(value.split())
    return found


_SHARED = ("torch", "transformers")
"""What both sides compute with."""
_BUILD = re.compile(r"cpu|cu\d+|rocm[\d.]+|xpu")
"""Builds of torch that PyTorch's index has."""


def _pinned(requirement: str) -> str:
    """A shared package at this environment's version; torch in its build too where that can be had: plain
    `torch==…` is CUDA's on Linux, gigabytes that a machine without a GPU has no use for."""
    if requirement not in _SHARED:
        return requirement
    try:
        version, _, build = metadata.version(requirement).partition("+")
    except metadata.PackageNotFoundError:
        return requirement
    return f"{requirement}=={version}" + (f"+{build}" if _BUILD.fullmatch(build) else "")


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
