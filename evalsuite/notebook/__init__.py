"""A run in a notebook: tables of its numbers and scores, and samples that show themselves."""

from __future__ import annotations

from evalsuite.notebook.run import Run, load_run
from evalsuite.notebook.sample import SampleView, Turn

__all__ = ["Run", "SampleView", "Turn", "load_run"]
