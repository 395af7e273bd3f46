"""Estimates with intervals: what a score says, and how far chance alone could have moved it.

`estimate` turns a task's scores into numbers with intervals. Two runs are compared sample by sample
(`paired_means`, `paired_functions` for corpus metrics and distances) or, where the samples differ, as they
are (`unpaired_means`, `independent_functions`); `holm` and `benjamini_hochberg` correct for many tasks;
`repeated_mean` joins runs of several seeds; `samples_needed` plans a comparison. Underneath:
`proportion` (exact and score intervals), `resampling` (cluster bootstrap, half-samples), `significance`
(McNemar, sign flips, permutations).
"""

from __future__ import annotations

from evalsuite.stats.corpus import independent_functions, paired_functions
from evalsuite.stats.correction import CORRECTIONS, Correction, benjamini_hochberg, holm
from evalsuite.stats.difference import Difference
from evalsuite.stats.estimating import Estimate, estimate
from evalsuite.stats.paired import paired_difference, paired_means
from evalsuite.stats.proportion import clopper_pearson, tango
from evalsuite.stats.repeats import Repeated, repeated_mean, repeated_value, with_seeds
from evalsuite.stats.resampling import Clusters
from evalsuite.stats.sample_size import (
    Aim,
    Spread,
    detectable,
    disagreement,
    power,
    samples_needed,
    spread_of,
)
from evalsuite.stats.significance import mcnemar, permutation, sign_flip
from evalsuite.stats.unpaired import stored_difference, unpaired_means

__all__ = [
    "CORRECTIONS",
    "Aim",
    "Clusters",
    "Correction",
    "Difference",
    "Estimate",
    "Repeated",
    "Spread",
    "benjamini_hochberg",
    "clopper_pearson",
    "detectable",
    "disagreement",
    "estimate",
    "holm",
    "independent_functions",
    "mcnemar",
    "paired_difference",
    "paired_functions",
    "paired_means",
    "permutation",
    "power",
    "repeated_mean",
    "repeated_value",
    "samples_needed",
    "sign_flip",
    "spread_of",
    "stored_difference",
    "tango",
    "unpaired_means",
    "with_seeds",
]
