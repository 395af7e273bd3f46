"""Estimates with intervals: what a score says, and how far chance alone could have moved it.

`estimate` turns a task's scores into numbers with intervals; `paired_difference` compares two runs on the
same samples. Underneath: `proportion` (exact binomial) and `resampling` (cluster bootstrap, half-samples).
"""

from __future__ import annotations

from evalsuite.stats.estimating import Estimate, estimate
from evalsuite.stats.paired import Difference, paired_difference
from evalsuite.stats.proportion import clopper_pearson

__all__ = ["Difference", "Estimate", "clopper_pearson", "estimate", "paired_difference"]
