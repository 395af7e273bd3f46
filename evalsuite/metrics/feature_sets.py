"""Distances between two sets of features that need the sets themselves: KID and CMMD.

`FeatureSet` gathers features by their position, so that shards that finish in any order give the same set,
and with it the same numbers, as one pass.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evalsuite.errors import SampleError, SpecError

__all__ = [
    "FeatureSet",
    "MeanAndDeviation",
    "cmmd",
    "cmmd_kernel",
    "feature_pair",
    "kernel_distance",
    "polynomial_kernel",
]

Floats = NDArray[np.float64]


class FeatureSet:
    """Features with their positions, float32; parts made apart can be merged in any order.

    Memory is that of the features: 4 bytes × count × dimensions (246 MB for 30,000 of 2,048).

    >>> left, right = FeatureSet(), FeatureSet()
    >>> right.update([[3.0]], start=1); left.update([[2.0]], start=0); right.merge(left)
    >>> right.finalize().tolist()
    [[2.0], [3.0]]
    """

    def __init__(self) -> None:
        self._parts: dict[int, NDArray[np.float32]] = {}

    @property
    def count(self) -> int:
        return sum(map(len, self._parts.values()))

    def update(self, features: ArrayLike, start: int | None = None) -> None:
        """Adds features (B, D) that stand at positions `start`, `start` + 1 …; None: after all there are.

        Raises SampleError on other shapes, values not finite, and positions that are taken.
        """
        batch = np.array(features, dtype=np.float32)
        if batch.ndim != 2:
            raise SampleError(f"Features must have shape (count, dimensions), not {batch.shape}.")
        if not np.isfinite(batch).all():
            raise SampleError("Features contain NaN or infinity.", "Check the feature network.")
        if len(batch):
            self._put(
                max((at + len(part) for at, part in self._parts.items()), default=0)
                if start is None
                else start,
                batch,
            )

    def merge(self, other: FeatureSet) -> None:
        """Adds what `other` holds."""
        for start, part in other._parts.items():
            self._put(start, part)

    def _put(self, start: int, batch: NDArray[np.float32]) -> None:
        for at, part in self._parts.items():
            if part.shape[1] != batch.shape[1]:
                raise SampleError(
                    f"Features of {part.shape[1]} and {batch.shape[1]} dimensions cannot be mixed."
                )
            if start < at + len(part) and at < start + len(batch):
                raise SampleError(
                    f"Features at position {max(start, at)} came twice.", "Merge each shard once."
                )
        self._parts[start] = batch

    def finalize(self) -> NDArray[np.float32]:
        """(N, D) in the order of positions. Raises SampleError where a position is missing, or all are."""
        if not self._parts:
            raise SampleError("There are no features.")
        at = 0
        for start in sorted(self._parts):
            if start != at:
                raise SampleError(f"Features at position {at} are missing.", "Merge every shard.")
            at += len(self._parts[start])
        return np.concatenate([self._parts[start] for start in sorted(self._parts)])


@dataclass(frozen=True, slots=True)
class MeanAndDeviation:
    """Mean and standard deviation (population) over subsets or splits."""

    mean: float
    deviation: float


def feature_pair(generated: ArrayLike, real: ArrayLike) -> tuple[NDArray[Any], NDArray[Any]]:
    """Both as arrays (N, D) and (M, D). Raises SampleError for other shapes."""
    first, second = np.asarray(generated), np.asarray(real)
    if first.ndim != 2 or second.ndim != 2 or first.shape[1] != second.shape[1]:
        raise SampleError(f"Feature sets of shapes {first.shape} and {second.shape} cannot be compared.")
    return first, second


def kernel_distance(
    generated: ArrayLike,
    real: ArrayLike,
    *,
    subsets: int = 100,
    subset_size: int = 1000,
    rule: str = "torch-fidelity",
    seed: int | None = None,
) -> MeanAndDeviation:
    """KID (Bińkowski et al. 2018): unbiased squared MMD with the kernel (x·y / D + 1)³, over random subsets.

    Lower is better; about 0 for equal distributions, and negative by chance. Published values are often
    multiplied by 1,000.

    Args:
        generated: (N, D) features.
        real: (M, D) features.
        subsets: number of random subsets that are averaged.
        subset_size: features per subset; numbers made with different sizes cannot be compared.
        rule: how subsets are drawn. ``torch-fidelity``: the generated side first, seed 2020, sets smaller
            than `subset_size` refused. ``clean-fid``: the real side first, seed 0, sizes cut to the smaller
            set.
        seed: another seed of numpy's RandomState.

    Both tools compute in the features' own precision, and so does this: float32 features leave noise of 1e-7.

    Raises:
        SampleError: other shapes, or a set smaller than a subset may be.
        SpecError: unknown rule.
    """
    first, second = feature_pair(generated, real)
    if rule not in ("torch-fidelity", "clean-fid"):
        raise SpecError(f"There is no KID rule {rule!r}.", "Choose from torch-fidelity, clean-fid.")
    smaller = min(len(first), len(second))
    if smaller < (subset_size if rule == "torch-fidelity" else 2):
        raise SampleError(
            f"KID with subsets of {subset_size} got a set of {smaller} features.",
            "Use a smaller subset size, on both sides of every comparison.",
        )
    clean = rule == "clean-fid"
    size = min(smaller, subset_size)
    source = np.random.RandomState((0 if clean else 2020) if seed is None else seed)
    sides = (second, first) if clean else (first, second)
    values = []
    for _ in range(subsets):
        x, y = (side[source.choice(len(side), size, replace=False)] for side in sides)
        values.append(_polynomial_mmd(x, y))
    return MeanAndDeviation(float(np.mean(values)), float(np.std(values)))


def polynomial_kernel(a: NDArray[Any], b: NDArray[Any]) -> NDArray[Any]:
    """KID's kernel (x·y / D + 1)³ of every pair, in the features' own precision."""
    kernel: NDArray[Any] = ((a @ b.T) * (1.0 / a.shape[1]) + 1.0) ** 3
    return kernel


def _polynomial_mmd(x: NDArray[Any], y: NDArray[Any]) -> float:
    size = len(x)
    within_x, within_y = polynomial_kernel(x, x), polynomial_kernel(y, y)
    within = (within_x.sum(axis=1) - np.diagonal(within_x)).sum()
    within += (within_y.sum(axis=1) - np.diagonal(within_y)).sum()
    across = polynomial_kernel(x, y).sum(axis=0).sum()
    return float(within / (size * (size - 1)) - 2 * across / size**2)


def cmmd(generated: ArrayLike, real: ArrayLike, *, sigma: float = 10.0, scale: float = 1000.0) -> float:
    """CMMD (Jayasumana et al. 2024): biased squared MMD with a Gaussian kernel, times 1,000.

    scale × (mean k(x, x') + mean k(y, y') - 2 mean k(x, y)), k(a, b) = exp(-|a - b|² / (2 sigma²)). From 0
    on, lower is better.

    Args:
        generated: (N, D) L2-normalised image embeddings, officially of CLIP ViT-L/14 at 336 pixels.
        real: (M, D) of the same.
        sigma: of the kernel, officially 10.
        scale: factor of the result, officially 1,000.

    The published code works in float32, where the difference of means near 1 loses all but four digits and
    changes with the number of threads (by up to 3e-4 on the recorded cases); this is float64.

    Raises:
        SampleError: sets of other shapes.
    """
    x, y = feature_pair(generated, real)
    within, across = (
        cmmd_kernel(x, x, sigma).mean() + cmmd_kernel(y, y, sigma).mean(),
        cmmd_kernel(x, y, sigma),
    )
    return float(scale * (within - 2 * across.mean()))


def cmmd_kernel(a: NDArray[Any], b: NDArray[Any], sigma: float) -> Floats:
    """(N,) each of `a` against all of `b` under CMMD's Gaussian kernel, averaged, in float64."""
    a, b = a.astype(np.float64, copy=False), b.astype(np.float64, copy=False)
    found = np.empty(len(a))
    for start in range(0, len(a), 2000):
        part = a[start : start + 2000]
        squares = (part**2).sum(axis=1)[:, None] + (b**2).sum(axis=1)[None] - 2 * part @ b.T
        found[start : start + 2000] = np.exp(-squares / (2 * sigma**2)).mean(axis=1)
    return found
