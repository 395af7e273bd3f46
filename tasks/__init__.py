"""Benchmarks: a folder per family, in it the family's Python and one declarative file per benchmark."""

from __future__ import annotations

from pathlib import Path

from evalsuite.task import BrokenEntry, SuiteEntry, TaskEntry, entries, suite_entries

_HERE = Path(__file__).resolve().parent


def tasks() -> list[TaskEntry | BrokenEntry]:
    """All benchmarks of this package."""
    return entries(_HERE)


def suites() -> list[SuiteEntry]:
    """All suites of this package."""
    return suite_entries(_HERE / "suites")
