"""Where an engine's program is, and which version of it runs."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

_VERSION = "import sys; from importlib import metadata; print(metadata.version(sys.argv[1]))"


def located(words: Sequence[str]) -> list[str]:
    """The command with its program's path: an engine that is installed beside evalsuite is found although
    the environment is not activated.

    `python3 -m MODULE` is this interpreter where it has the module.
    """
    program, rest = words[0], list(words[1:])
    if program in ("python", "python3") and rest[:1] == ["-m"] and len(rest) > 1 and _has(rest[1]):
        return [sys.executable, *rest]
    if shutil.which(program) is None:
        beside = Path(sys.executable).parent / program
        if "/" not in program and beside.is_file():
            return [str(beside), *rest]
    return [program, *rest]


def version_of(package: str, words: Sequence[str]) -> str:
    """`package VERSION` as the interpreter that runs the command has it; empty where that cannot be told."""
    python = _interpreter(words[0])
    if not package or python is None:
        return ""
    try:
        found = subprocess.run(
            [python, "-c", _VERSION, package], capture_output=True, text=True, timeout=60, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return f"{package} {found.stdout.strip()}"


def _has(module: str) -> bool:
    try:
        return find_spec(module.partition(".")[0]) is not None
    except (ImportError, ValueError):
        return False


def _interpreter(program: str) -> str | None:
    """The Python that runs a program: itself, or what its first line names."""
    path = shutil.which(program)
    if path is None:
        return None
    if Path(path).name.startswith("python"):
        return path
    try:
        with Path(path).open("rb") as opened:
            first = opened.readline(4096)
    except OSError:
        return None
    if not first.startswith(b"#!"):
        return None
    words = first[2:].decode("utf-8", "replace").split()
    if words and words[0].endswith("/env") and len(words) > 1:
        return shutil.which(words[1])
    return words[0] if words and "python" in words[0] else None
