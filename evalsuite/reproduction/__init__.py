"""Published tables measured again: what is needed, what came out, and whether the two can be compared."""

from __future__ import annotations

from evalsuite.reproduction.needs import Need, needs_of
from evalsuite.reproduction.reproduce import Reproduction, Subject, measure, subjects_of
from evalsuite.reproduction.stored import Found, results_of
from evalsuite.reproduction.verdict import Comparison, Ours, Verdict, compare

__all__ = [
    "Comparison", "Found", "Need", "Ours", "Reproduction", "Subject", "Verdict", "compare", "measure",
    "needs_of", "results_of", "subjects_of",
]  # fmt: skip
