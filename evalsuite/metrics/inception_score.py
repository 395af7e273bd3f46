"""Inception Score (Salimans et al. 2016): are single images clear, are all together diverse."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evalsuite.errors import SampleError
from evalsuite.metrics.feature_sets import MeanAndDeviation

__all__ = ["InceptionScoreStatistics", "inception_score"]

Floats = NDArray[np.float64]


class InceptionScoreStatistics:
    """Accumulates the score's sums per split in float64; parts made apart can be merged in any order.

    Args:
        total: how many images there will be: the splits depend on it.
        splits: of equal size, up to rounding.
        shuffle: rows are put into the order of numpy's RandomState(seed) before they are split, as
            torch-fidelity does.
    """

    def __init__(self, total: int, *, splits: int = 10, shuffle: bool = True, seed: int = 2020) -> None:
        if total < splits:
            raise SampleError(f"An Inception Score over {splits} splits got {total} images.")
        order = np.random.RandomState(seed).permutation(total) if shuffle else np.arange(total)
        self._split = np.empty(total, dtype=np.int64)
        for split in range(splits):
            self._split[order[split * total // splits : (split + 1) * total // splits]] = split
        self._seen = np.zeros(total, dtype=bool)
        self._probability: Floats | None = None
        self._entropy = np.zeros(splits)

    def update(self, logits: ArrayLike, start: int) -> None:
        """Adds logits (B, classes) of the images at positions `start`, `start` + 1 …

        Raises SampleError on other shapes, values not finite, positions taken or past the total.
        """
        rows = np.asarray(logits, dtype=np.float64)
        if rows.ndim != 2 or not np.isfinite(rows).all():
            raise SampleError(f"Logits of shape {rows.shape} are not (images, classes), or not finite.")
        chosen = slice(start, start + len(rows))
        if start < 0 or start + len(rows) > len(self._seen) or self._seen[chosen].any():
            raise SampleError(f"Images {start} to {start + len(rows) - 1} came twice or are too many.")
        self._seen[chosen] = True
        log_p = rows - rows.max(axis=1, keepdims=True)
        log_p = log_p - np.log(np.exp(log_p).sum(axis=1, keepdims=True))
        p = np.exp(log_p)
        if self._probability is None:
            self._probability = np.zeros((len(self._entropy), rows.shape[1]))
        if self._probability.shape[1] != rows.shape[1]:
            raise SampleError(f"Logits of {self._probability.shape[1]} and {rows.shape[1]} classes.")
        np.add.at(self._probability, self._split[chosen], p)
        np.add.at(self._entropy, self._split[chosen], (p * log_p).sum(axis=1))

    def merge(self, other: InceptionScoreStatistics) -> None:
        """Adds what `other` has seen. Raises SampleError when both have seen the same image."""
        if not np.array_equal(self._split, other._split) or (self._seen & other._seen).any():
            raise SampleError("These parts do not belong to one Inception Score.", "Merge each shard once.")
        self._seen |= other._seen
        self._entropy += other._entropy
        if other._probability is not None:
            mine = 0 if self._probability is None else self._probability
            self._probability = mine + other._probability

    def finalize(self) -> MeanAndDeviation:
        """exp of the mean divergence of p(class | image) from p(class), mean and deviation over splits.

        Raises SampleError where an image is missing.
        """
        if self._probability is None or not self._seen.all():
            raise SampleError(f"{int((~self._seen).sum())} of {len(self._seen)} images are missing.")
        sizes = np.bincount(self._split, minlength=len(self._entropy))
        marginal = self._probability / sizes[:, None]
        # mean of p log p - p log q, where the mean of p is q itself
        divergence = self._entropy / sizes - (marginal * np.log(np.maximum(marginal, _TINY))).sum(axis=1)
        scores = np.exp(divergence)
        return MeanAndDeviation(float(np.mean(scores)), float(np.std(scores)))


_TINY = np.finfo(np.float64).tiny


def inception_score(
    logits: ArrayLike, *, splits: int = 10, shuffle: bool = True, seed: int = 2020
) -> MeanAndDeviation:
    """The Inception Score (Salimans et al. 2016) of all logits at once.

    exp(mean over images of KL(p(class | image) || p(class))) of each split, then mean and standard deviation
    over the splits; from 1 to the number of classes, higher is better.

    Args:
        logits: (N, classes), officially the 1,008 of the FID network without bias.
        splits, shuffle, seed: as in `InceptionScoreStatistics`.

    Raises:
        SampleError: logits of another shape, or not finite.
    """
    rows = np.asarray(logits)
    if rows.ndim != 2:
        raise SampleError(f"An Inception Score got logits of shape {rows.shape}.")
    statistics = InceptionScoreStatistics(len(rows), splits=splits, shuffle=shuffle, seed=seed)
    statistics.update(rows, 0)
    return statistics.finalize()
