"""METEOR over any selection of images, from the statistics that one run of its program prints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from evalsuite.task.metrics import meteor

if TYPE_CHECKING:
    import numpy as np

ALPHA, BETA, GAMMA, DELTA = 0.85, 0.20, 0.60, 0.75
WEIGHTS = (1.0, 0.6, 0.8, 0.6)
"""METEOR 1.5's parameters for English: of the score, and of exact, stem, synonym and paraphrase matches."""


@dataclass(frozen=True)
class Measured:
    """METEOR of each image, and the statistics (images, 23) that add up to the corpus score."""

    segments: np.ndarray
    statistics: np.ndarray

    def corpus(self, images: np.ndarray) -> float:
        """METEOR in [0, 1] of the images at these positions, repeats count."""
        return aggregate(total(self.statistics[images]))


def measure(captions: Sequence[str], references: Sequence[Sequence[str]]) -> Measured:
    """METEOR of tokenised captions. Raises UnavailableError without Java."""
    import numpy as np

    found = meteor(captions, references)
    statistics = np.array([[float(value) for value in line.split()] for line in found.segments])
    return Measured(np.asarray(found.per_image), statistics)


def total(statistics: np.ndarray) -> np.ndarray:
    """Statistics (n, 23) added up as the program does: a caption equal to a reference brings no chunk."""
    length, reference_length = statistics[:, 0], statistics[:, 1]
    chunks, matched, reference_matched = statistics[:, 20:23].T
    equal = (matched == length) & (reference_matched == reference_length) & (chunks == 1)
    summed: np.ndarray = statistics.sum(axis=0)
    summed[20] -= equal.sum()
    return summed


def aggregate(statistics: np.ndarray) -> float:
    """METEOR in [0, 1] from summed statistics, as the program aggregates them (Denkowski & Lavie 2014).

    Args:
        statistics: (23,) in the program's order: lengths and function words of test and reference; for each
            of the four kinds of match the content words in test and reference, then the function words in
            test and reference; chunks; matched words in test and reference.

    Equal to the program's own aggregation to the last digits (tests/tasks/test_caption.py).
    """
    import numpy as np

    length, reference_length, function, reference_function = statistics[:4]
    stages = statistics[4:20].reshape(4, 4)
    chunks, matched, reference_matched = statistics[20:23]
    weights = np.array(WEIGHTS)
    hits = float(weights @ (DELTA * stages[:, 0] + (1 - DELTA) * stages[:, 2]))
    reference_hits = float(weights @ (DELTA * stages[:, 1] + (1 - DELTA) * stages[:, 3]))
    if hits == 0 or reference_hits == 0:
        return 0.0
    precision = hits / (DELTA * (length - function) + (1 - DELTA) * function)
    recall = reference_hits / (
        DELTA * (reference_length - reference_function) + (1 - DELTA) * reference_function
    )
    mean = 1 / ((1 - ALPHA) / precision + ALPHA / recall)
    whole = matched == length and reference_matched == reference_length and chunks == 1
    fragmentation = 0.0 if whole else chunks / ((matched + reference_matched) / 2)
    return float(mean * (1 - GAMMA * fragmentation**BETA))
