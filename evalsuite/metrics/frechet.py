"""How far generated images are from real ones, from their features: Fréchet distance, KID, precision/recall,
Inception Score, CMMD.

Features are arrays of shape (N, D). `GaussianStatistics` accumulates them in float64 without keeping them and
merges, so that one machine and a hundred give the same Fréchet distance. Implementations differ in the last
digits because some average float32 features in float32; ours agrees with pytorch-fid and torchmetrics, which
do not, to 1e-9, with torch-fidelity and clean-fid to 1e-5 (tests/metrics/test_frechet.py).
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evalsuite.errors import DataError, SampleError, SpecError

__all__ = [
    "Gaussian",
    "GaussianStatistics",
    "MeanAndDeviation",
    "PrecisionRecall",
    "cmmd",
    "frechet_distance",
    "inception_score",
    "kernel_distance",
    "precision_recall",
]

Floats = NDArray[np.float64]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Gaussian:
    """Mean and covariance of a feature set.

    Args:
        mu: (D,) mean.
        sigma: (D, D) covariance, divided by count - 1.
        count: how many features it was made of; None where the file does not say.
    """

    mu: Floats
    sigma: Floats
    count: int | None = None

    def save(self, path: Path | str) -> None:
        """Writes `path` as .npz with `mu` and `sigma` (pytorch-fid's and clean-fid's form) and `count`."""
        arrays: dict[str, Any] = {"mu": self.mu, "sigma": self.sigma}
        if self.count is not None:
            arrays["count"] = np.int64(self.count)
        with Path(path).open("wb") as stream:
            np.savez(stream, **arrays)

    @classmethod
    def load(cls, path: Path | str) -> Gaussian:
        """Reads an .npz with `mu` and `sigma`. Raises DataError when it is missing or is something else."""
        try:
            with np.load(path, allow_pickle=False) as arrays:
                mu = np.asarray(arrays["mu"], dtype=np.float64)
                sigma = np.asarray(arrays["sigma"], dtype=np.float64)
                count = int(arrays["count"]) if "count" in arrays else None
        except (OSError, KeyError, ValueError) as error:
            raise DataError(
                f"Feature statistics {path} cannot be read ({error}).",
                "It must be an .npz file with the arrays mu (D,) and sigma (D, D), as pytorch-fid writes it.",
            ) from error
        if mu.ndim != 1 or sigma.shape != (mu.size, mu.size):
            raise DataError(f"Feature statistics {path}: mu {mu.shape} and sigma {sigma.shape} do not fit.")
        return cls(mu, sigma, count)


class GaussianStatistics:
    """Accumulates count, mean and co-moment of features in float64; parts made apart can be merged.

    >>> whole, left, right = (GaussianStatistics() for _ in range(3))
    >>> data = np.arange(12.0).reshape(6, 2) ** 2
    >>> whole.update(data); left.update(data[:2]); right.update(data[2:]); left.merge(right)
    >>> np.allclose(whole.finalize().sigma, left.finalize().sigma)
    True
    """

    def __init__(self) -> None:
        self.count = 0
        self._mean: Floats | None = None
        self._moment: Floats | None = None

    def update(self, features: ArrayLike) -> None:
        """Adds features of shape (B, D). Raises SampleError on other shapes and on values not finite."""
        batch = np.asarray(features, dtype=np.float64)
        if batch.ndim != 2:
            raise SampleError(f"Features must have shape (count, dimensions), not {batch.shape}.")
        if not np.isfinite(batch).all():
            raise SampleError("Features contain NaN or infinity.", "Check the feature network.")
        if len(batch):
            mean = batch.mean(axis=0)
            centred = batch - mean
            self._add(len(batch), mean, centred.T @ centred)

    def merge(self, other: GaussianStatistics) -> None:
        """Adds what `other` has seen, as if this one had seen it."""
        if other._mean is not None and other._moment is not None:
            self._add(other.count, other._mean, other._moment)

    def _add(self, count: int, mean: Floats, moment: Floats) -> None:
        if self._mean is None or self._moment is None:
            self.count, self._mean, self._moment = count, mean.copy(), moment.copy()
            return
        if mean.shape != self._mean.shape:
            raise SampleError(f"Features of {mean.size} and {self._mean.size} dimensions cannot be mixed.")
        # Chan, Golub & LeVeque 1979.
        total = self.count + count
        delta = mean - self._mean
        self._moment += moment + np.outer(delta, delta) * (self.count * count / total)
        self._mean += delta * (count / total)
        self.count = total

    def finalize(self) -> Gaussian:
        """Mean and covariance of everything seen; at least two features are needed."""
        if self._mean is None or self._moment is None or self.count < 2:
            raise SampleError(f"A covariance needs at least two features, there are {self.count}.")
        if self.count <= self._mean.size:
            _log.warning(
                "Only %d features of %d dimensions: their covariance is singular, the Fréchet distance far "
                "too high; it cannot be compared with published numbers.",
                self.count,
                self._mean.size,
            )
        return Gaussian(self._mean.copy(), self._moment / (self.count - 1), self.count)


def frechet_distance(first: Gaussian, second: Gaussian) -> float:
    """|mu1 - mu2|² + Tr(S1 + S2 - 2 (S1 S2)^½), at least about 0.

    The trace of the root is the sum of the roots of the eigenvalues of S1^½ S2 S1^½, which is symmetric: all
    in float64, and nothing to patch when a covariance is singular. "FID" when the features are the 2,048 of
    the original Inception network.
    """
    if first.mu.shape != second.mu.shape:
        raise SampleError(
            f"Statistics of {first.mu.size} and {second.mu.size} dimensions cannot be compared.",
            "Both must come from the same feature layer.",
        )
    values, vectors = np.linalg.eigh(first.sigma)
    # Rounding leaves eigenvalues of zero at about 1e-16 of the largest, and their roots at 1e-8.
    values[values < values[-1] * np.finfo(np.float64).eps * len(values)] = 0
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    product = root @ second.sigma @ root
    eigenvalues = np.linalg.eigvalsh((product + product.T) / 2)
    trace_of_root = np.sqrt(np.maximum(eigenvalues, 0)).sum()
    difference = first.mu - second.mu
    return float(difference @ difference + np.trace(first.sigma) + np.trace(second.sigma) - 2 * trace_of_root)


@dataclass(frozen=True, slots=True)
class MeanAndDeviation:
    """Mean and standard deviation (population) over subsets or splits."""

    mean: float
    deviation: float


def _pair(generated: ArrayLike, real: ArrayLike) -> tuple[NDArray[Any], NDArray[Any]]:
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
    """KID: unbiased squared MMD with the kernel (x·y / D + 1)³, over random subsets.

    Args:
        generated: (N, D) features.
        real: (M, D) features.
        subsets: how many draws are averaged.
        subset_size: features per draw; numbers made with different sizes cannot be compared.
        rule: how subsets are drawn. ``torch-fidelity``: the generated side first, seed 2020, sets smaller
            than `subset_size` refused. ``clean-fid``: the real side first, seed 0, sizes cut to the smaller
            set.
        seed: another seed of numpy's RandomState.

    Both tools compute in the features' own precision, and so does this: float32 features leave noise of 1e-7.
    """
    first, second = _pair(generated, real)
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


def _polynomial_mmd(x: NDArray[Any], y: NDArray[Any]) -> float:
    size, dimensions = x.shape

    def kernel(a: NDArray[Any], b: NDArray[Any]) -> NDArray[Any]:
        return ((a @ b.T) * (1.0 / dimensions) + 1.0) ** 3

    within_x, within_y = kernel(x, x), kernel(y, y)
    within = (within_x.sum(axis=1) - np.diagonal(within_x)).sum()
    within += (within_y.sum(axis=1) - np.diagonal(within_y)).sum()
    across = kernel(x, y).sum(axis=0).sum()
    return float(within / (size * (size - 1)) - 2 * across / size**2)


@dataclass(frozen=True, slots=True)
class PrecisionRecall:
    """Both in [0, 1]."""

    precision: float
    recall: float

    @property
    def f_score(self) -> float:
        return 2 * self.precision * self.recall / max(1e-5, self.precision + self.recall)


def precision_recall(generated: ArrayLike, real: ArrayLike, *, neighbours: int = 3) -> PrecisionRecall:
    """Improved precision and recall (Kynkäänniemi et al. 2019).

    Precision: the share of generated features that lie in the ball around some real feature with the radius
    of its k-th nearest real neighbour; recall with the roles exchanged. Distances in the features' own
    precision (`torch.cdist`), as torch-fidelity has them.
    """
    import torch

    first, second = (torch.from_numpy(np.ascontiguousarray(features)) for features in _pair(generated, real))
    if min(len(first), len(second)) <= neighbours:
        raise SampleError(f"Precision and recall need more than {neighbours} features on both sides.")

    def covered(points: Any, centres: Any) -> float:
        radius = torch.cat(
            [torch.cdist(part, centres).kthvalue(neighbours + 1).values for part in centres.split(1000)]
        )
        inside = [(torch.cdist(part, centres) <= radius).any(dim=1) for part in points.split(1000)]
        return float(torch.cat(inside).float().mean())

    return PrecisionRecall(precision=covered(first, second), recall=covered(second, first))


def inception_score(
    logits: ArrayLike, *, splits: int = 10, shuffle: bool = True, seed: int = 2020
) -> MeanAndDeviation:
    """exp of the mean divergence of p(class | image) from p(class), mean and deviation over splits.

    Args:
        logits: (N, classes), officially the 1,008 of the FID network without bias.
        splits: of equal size, up to rounding.
        shuffle: order the rows by numpy's RandomState(seed) first, as torch-fidelity does.
    """
    rows = np.asarray(logits, dtype=np.float64)
    if rows.ndim != 2 or len(rows) < splits:
        raise SampleError(f"An Inception Score over {splits} splits got logits of shape {rows.shape}.")
    if shuffle:
        rows = rows[np.random.RandomState(seed).permutation(len(rows))]
    log_p = rows - rows.max(axis=1, keepdims=True)
    log_p = log_p - np.log(np.exp(log_p).sum(axis=1, keepdims=True))
    p = np.exp(log_p)
    scores = []
    for split in range(splits):
        part = slice(split * len(rows) // splits, (split + 1) * len(rows) // splits)
        marginal = np.log(p[part].mean(axis=0))
        divergence = (p[part] * (log_p[part] - marginal)).sum(axis=1)
        scores.append(np.exp(divergence.mean()))
    return MeanAndDeviation(float(np.mean(scores)), float(np.std(scores)))


def cmmd(generated: ArrayLike, real: ArrayLike, *, sigma: float = 10.0, scale: float = 1000.0) -> float:
    """CMMD (Jayasumana et al. 2024): biased squared MMD with a Gaussian kernel, times 1,000.

    Args:
        generated: (N, D) L2-normalised image embeddings, officially of CLIP ViT-L/14 at 336 pixels.
        real: (M, D) of the same.

    The published code works in float32, where the difference of means near 1 loses all but four digits and
    changes with the number of threads (by up to 3e-4 on the recorded cases); this is float64.
    """
    x, y = (np.asarray(features, dtype=np.float64) for features in _pair(generated, real))

    def kernel(a: Floats, b: Floats) -> float:
        total = 0.0
        for start in range(0, len(a), 2000):
            part = a[start : start + 2000]
            squares = (part**2).sum(axis=1)[:, None] + (b**2).sum(axis=1)[None] - 2 * part @ b.T
            total += float(np.exp(-squares / (2 * sigma**2)).sum())
        return total / (len(a) * len(b))

    return scale * (kernel(x, x) + kernel(y, y) - 2 * kernel(x, y))
