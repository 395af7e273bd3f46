"""A run from what the user asked for to its numbers: building, resolving, measuring, scoring."""

from __future__ import annotations

from evalsuite.running.measuring import RunOutcome, run

__all__ = ["RunOutcome", "run"]
