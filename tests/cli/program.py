"""The program: a process of its own, as users start it, or this process where many cases are tried."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from evalsuite.cli import main

PLUGIN = Path(__file__).parent.parent / "engine" / "sums_plugin.py"
"""Benchmarks of sums and a model that adds, wrong for every seventh; see there."""


def evalsuite(
    *arguments: str | Path, cwd: Path | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Runs the command line and waits for it."""
    return subprocess.run(
        [sys.executable, "-m", "evalsuite", *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=cwd,
        timeout=300,
        env={**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "200", "NO_COLOR": "1", **environment},
    )


@dataclass(frozen=True)
class Ended:
    """How a command ended in this process."""

    returncode: int
    stdout: str
    stderr: str


def here(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> Ended:
    """The same entry point without the price of a new process."""
    with pytest.raises(SystemExit) as end:
        main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    code = end.value.code
    return Ended(code if isinstance(code, int) else 0, captured.out, captured.err)


def lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.strip()]
