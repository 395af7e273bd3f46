"""Fréchet distance: how far generated images are from real ones, from mean and covariance of their features.

Features are arrays of shape (N, D). `GaussianStatistics` accumulates them in float64 without keeping them and
merges, so that one machine and a hundred give the same distance. Implementations differ in one step:
torch-fidelity and clean-fid average the features in float32, pytorch-fid and torchmetrics in float64. Both
ways have a name here, and each agrees with its tools to 1e-7 (tests/metrics/test_frechet.py).
"""

from __future__ import annotations

import json
import logging
import zlib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal
from zipfile import BadZipFile, ZipFile

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evalsuite.errors import DataError, SampleError, text_of

__all__ = [
    "Extrapolated",
    "Gaussian",
    "GaussianStatistics",
    "Protocol",
    "frechet_distance",
    "frechet_distance_to",
    "frechet_infinity",
    "gaussian_of",
    "roots",
]

Floats = NDArray[np.float64]
_DAMAGED = (
    OSError,
    EOFError,
    KeyError,
    ValueError,
    TypeError,
    AttributeError,
    RuntimeError,
    BadZipFile,
    zlib.error,
)
"""What numpy and zipfile raise for a file that is damaged or something else."""

_log = logging.getLogger(__name__)


_TOGETHER = 512
"""Features that are folded into the co-moment at a time: few would cost more than the features themselves."""
Means = Literal["float64", "float32"]


@dataclass(frozen=True, slots=True)
class Protocol:
    """How features were made: two statistics of different protocols cannot be compared.

    Args:
        network: name of the feature network.
        mode: named way from image to its input (`clean`, `pytorch-fid` …).
        means: precision in which features were averaged.
        dtype: precision of the network.
        weights_sha256: of the network's weights.
        fingerprint: of weights and preprocessing together.
    """

    network: str
    mode: str
    means: Means = "float64"
    dtype: str = "float32"
    weights_sha256: str = ""
    fingerprint: str = ""

    def difference(self, other: Protocol) -> str:
        """What makes the two incomparable, in words; "" where nothing does."""
        if self.mode != other.mode:
            return f"mode {self.mode} and mode {other.mode}"
        if self.fingerprint and other.fingerprint and self.fingerprint != other.fingerprint:
            return (
                f"{self.network} with weights {self.weights_sha256[:12]}… and "
                f"{other.network} with weights {other.weights_sha256[:12]}…"
            )
        return ""


@dataclass(frozen=True, slots=True)
class Gaussian:
    """Mean and covariance of a feature set.

    Args:
        mu: (D,) mean.
        sigma: (D, D) covariance, divided by count - 1.
        count: how many features it was made of; None where the file does not say.
        protocol: how the features were made; None where the file does not say.
        images: which images they are of, as `ImageFolder.record` says it; None where the file does not say.
    """

    mu: Floats
    sigma: Floats
    count: int | None = None
    protocol: Protocol | None = None
    images: Mapping[str, Any] | None = None

    def save(self, path: Path | str) -> None:
        """Writes `path` as .npz with `mu` and `sigma`, which pytorch-fid, clean-fid and U-ViT's scripts read,
        and what they do not look at: `count`, and `protocol` and `images` as JSON text."""
        arrays: dict[str, Any] = {"mu": self.mu, "sigma": self.sigma}
        if self.count is not None:
            arrays["count"] = np.int64(self.count)
        if self.protocol is not None:
            arrays["protocol"] = np.array(json.dumps(asdict(self.protocol)))
        if self.images is not None:
            arrays["images"] = np.array(json.dumps(dict(self.images)))
        with Path(path).open("wb") as stream:
            np.savez(stream, **arrays)

    @classmethod
    def load(cls, path: Path | str) -> Gaussian:
        """Reads an .npz with `mu` and `sigma`. Raises DataError when it is missing or is something else."""
        _check_archive(Path(path))
        try:
            with np.load(path, allow_pickle=False) as arrays:
                mu, sigma = _real(arrays["mu"]), _real(arrays["sigma"])
                count = int(arrays["count"]) if "count" in arrays else None
                protocol = Protocol(**json.loads(str(arrays["protocol"]))) if "protocol" in arrays else None
                images = json.loads(str(arrays["images"])) if "images" in arrays else None
        except _DAMAGED as error:
            raise DataError(
                f"Feature statistics {path} cannot be read ({text_of(error)}).",
                _REMEDY,
            ) from error
        if mu.ndim != 1 or sigma.shape != (mu.size, mu.size):
            raise DataError(f"Feature statistics {path}: mu {mu.shape} and sigma {sigma.shape} do not fit.")
        if not (np.isfinite(mu).all() and np.isfinite(sigma).all()):
            raise DataError(f"Feature statistics {path} contain NaN or infinity.", "Compute them again.")
        return cls(mu, sigma, count, protocol, images)


_LARGEST = 2**30
"""Bytes of the arrays of a file of statistics; 2,048 dimensions take 34 MB."""
_REMEDY = "It must be an .npz file with the arrays mu (D,) and sigma (D, D), as pytorch-fid writes it."


def _real(values: Any) -> Floats:
    """As float64. Raises TypeError for complex numbers, whose imaginary parts would be lost."""
    if np.iscomplexobj(values):
        raise TypeError("complex numbers")
    return np.asarray(values, dtype=np.float64)


def _check_archive(path: Path) -> None:
    """Raises DataError for what is no archive, and for one that would unpack to more than memory holds."""
    try:
        if not path.is_file():
            raise DataError(f"Feature statistics {path} cannot be read (there is no such file).", _REMEDY)
        with ZipFile(path) as archive:
            size = sum(member.file_size for member in archive.infolist())
    except (OSError, BadZipFile, ValueError) as error:
        raise DataError(f"Feature statistics {path} cannot be read ({text_of(error)}).", _REMEDY) from error
    if size > _LARGEST:
        raise DataError(f"Feature statistics {path} would unpack to {size / 2**30:,.1f} GiB.", _REMEDY)


class GaussianStatistics:
    """Accumulates count, mean and co-moment of features in float64; parts made apart can be merged.

    >>> whole, left, right = (GaussianStatistics() for _ in range(3))
    >>> data = np.arange(12.0).reshape(6, 2) ** 2
    >>> whole.update(data); left.update(data[:2]); right.update(data[2:]); left.merge(right)
    >>> np.allclose(whole.finalize().sigma, left.finalize().sigma)
    True

    Args:
        means: `float64`, or `float32` as torch-fidelity and clean-fid average (the covariance is float64
            there too). In float32 the last digits of the mean depend on the order of the features, as theirs
            do.
    """

    def __init__(self, means: Means = "float64") -> None:
        self.count = 0
        self.means = means
        self._waiting: list[Floats] = []
        self._sum32: NDArray[np.float32] | None = None
        # Of the features that do not wait any more.
        self._folded = 0
        self._mean: Floats | None = None
        self._moment: Floats | None = None

    def update(self, features: ArrayLike) -> None:
        """Adds features of shape (B, D). Raises SampleError on other shapes and on values not finite."""
        batch = np.array(features, dtype=np.float64)
        if batch.ndim != 2:
            raise SampleError(f"Features must have shape (count, dimensions), not {batch.shape}.")
        if not np.isfinite(batch).all():
            raise SampleError("Features contain NaN or infinity.", "Check the feature network.")
        if not len(batch):
            return
        self._require(batch.shape[1])
        self.count += len(batch)
        self._waiting.append(batch)
        if sum(map(len, self._waiting)) >= _TOGETHER:
            self._fold_waiting()
        if self.means == "float32":
            self._add32(np.asarray(features, dtype=np.float32))

    def merge(self, other: GaussianStatistics) -> None:
        """Adds what `other` has seen, as if this one had seen it."""
        if self.means != other.means:
            raise SampleError(f"Means in {self.means} and in {other.means} cannot be mixed.")
        if other.count == 0:
            return
        self._fold_waiting()
        other._fold_waiting()
        assert other._mean is not None
        assert other._moment is not None
        self._require(other._mean.size)
        self._fold(other._folded, other._mean, other._moment.copy())
        self.count += other.count
        if other._sum32 is not None:
            self._add32(other._sum32[None])

    def _require(self, dimensions: int) -> None:
        known = self._mean.size if self._mean is not None else None
        if self._waiting:
            known = self._waiting[0].shape[1]
        if known is not None and known != dimensions:
            raise SampleError(f"Features of {dimensions} and {known} dimensions cannot be mixed.")

    def _fold_waiting(self) -> None:
        if not self._waiting:
            return
        rows = np.concatenate(self._waiting)
        self._waiting.clear()
        mean = rows.mean(axis=0)
        rows -= mean
        self._fold(len(rows), mean, rows.T @ rows)

    def _fold(self, count: int, mean: Floats, moment: Floats) -> None:
        """Joins two sets (Chan, Golub & LeVeque 1979); `moment` is used up."""
        if self._mean is None or self._moment is None:
            self._folded, self._mean, self._moment = count, mean.copy(), moment
            return
        total = self._folded + count
        delta = mean - self._mean
        self._moment += moment
        self._moment += np.outer(delta * (self._folded * count / total), delta)
        self._mean += delta * (count / total)
        self._folded = total

    def _add32(self, rows: NDArray[np.float32]) -> None:
        # Row after row, as numpy's mean adds along the first axis: the same sum as in one array.
        first = rows if self._sum32 is None else np.concatenate([self._sum32[None], rows])
        self._sum32 = np.add.reduce(first, axis=0, dtype=np.float32)

    def finalize(self, protocol: Protocol | None = None) -> Gaussian:
        """Mean and covariance of everything seen; at least two features are needed."""
        self._fold_waiting()
        if self._mean is None or self._moment is None or self.count < 2:
            raise SampleError(f"A covariance needs at least two features, there are {self.count}.")
        if self.count <= self._mean.size:
            _log.warning(
                "Only %d features of %d dimensions: their covariance is singular, the Fréchet distance far "
                "too high; it cannot be compared with published numbers.",
                self.count,
                self._mean.size,
            )
        mean = self._mean.copy()
        if self._sum32 is not None:
            mean = (self._sum32 / np.float32(self.count)).astype(np.float64)
        return Gaussian(mean, self._moment / (self.count - 1), self.count, protocol)


def gaussian_of(features: ArrayLike, means: Means = "float64") -> Gaussian:
    """Mean and covariance of features (N, D) in memory; a single one has the covariance 0."""
    rows = np.asarray(features)
    precise = rows.astype(np.float64)
    mean = precise.mean(axis=0)
    centred = precise - mean
    mu = mean if means == "float64" else np.mean(rows.astype(np.float32), axis=0).astype(np.float64)
    return Gaussian(mu, centred.T @ centred / max(len(rows) - 1, 1), len(rows))


def frechet_distance(first: Gaussian, second: Gaussian) -> float:
    """Fréchet distance |mu1 - mu2|² + Tr(S1 + S2 - 2 (S1 S2)^½); from about 0 on, lower is better.

    "FID" when the features are the 2,048 of the original Inception network. The trace of the root is the sum
    of the roots of the eigenvalues of S1^½ S2 S1^½, which is symmetric: all in float64, and nothing to patch
    when a covariance is singular. (float32 is wrong by a third at 2,048 dimensions.)

    Raises SampleError for other dimensions and for statistics whose protocols differ.
    """
    return frechet_distance_to(first)(second)


def frechet_distance_to(reference: Gaussian) -> Callable[[Gaussian], float]:
    """`frechet_distance` to one reference, whose root is computed once: for intervals and extrapolation."""
    values, vectors = np.linalg.eigh(reference.sigma)
    root = (vectors * roots(values)) @ vectors.T
    trace = float(np.trace(reference.sigma))

    def distance(other: Gaussian) -> float:
        _require_comparable(reference, other)
        product = root @ other.sigma @ root
        trace_of_root = roots(np.linalg.eigvalsh((product + product.T) / 2)).sum()
        difference = reference.mu - other.mu
        return float(difference @ difference + trace + np.trace(other.sigma) - 2 * trace_of_root)

    return distance


def roots(eigenvalues: Floats) -> Floats:
    """Square roots of ascending eigenvalues of a positive semidefinite matrix; 0 where they are 0 but for
    rounding."""
    # Rounding leaves zeros at about 1e-16 of the largest, and their roots would be 1e-8 of its root.
    least = eigenvalues[-1] * np.finfo(np.float64).eps * len(eigenvalues)
    return np.sqrt(np.where(eigenvalues < max(least, 0.0), 0.0, np.maximum(eigenvalues, 0.0)))


def _require_comparable(first: Gaussian, second: Gaussian) -> None:
    if first.mu.shape != second.mu.shape:
        raise SampleError(
            f"Statistics of {first.mu.size} and {second.mu.size} dimensions cannot be compared.",
            "Both must come from the same feature layer.",
        )
    if first.protocol is not None and second.protocol is not None:
        difference = first.protocol.difference(second.protocol)
        if difference:
            raise SampleError(
                f"Statistics cannot be compared: {difference}.", "Compute both sides in the same way."
            )


@dataclass(frozen=True, slots=True)
class Extrapolated:
    """A value and the standard error that the fitted line gives it."""

    value: float
    error: float


def frechet_infinity(
    features: ArrayLike,
    reference: Gaussian,
    *,
    points: int = 15,
    smallest: int = 5000,
    means: Means = "float64",
    seed: int = 0,
) -> Extrapolated:
    """The Fréchet distance extrapolated to infinitely many images (Chong & Forsyth 2020, FID∞).

    The bias of the distance falls as 1 / N: distances of random subsets of growing size are fitted by a line
    in 1 / N, whose value at 0 is returned. 15 subsets from 5,000 to all images, as in the authors' code
    (mchong6/FID_IS_infinity, score_infinity.py); theirs draws from numpy's global generator, this from
    RandomState(seed).

    Args:
        features: (N, D) of the generated images, more than `smallest`.
        reference: statistics of the reference images.
        points: number of subset sizes, at least 2.
        smallest: size of the smallest subset.
        means: as in `GaussianStatistics`.

    Raises SampleError for fewer features than `smallest`, or fewer than two points.
    """
    rows = np.asarray(features)
    if rows.ndim != 2 or len(rows) <= smallest or points < 2:
        raise SampleError(
            f"The extrapolation needs more than {smallest:,} features and two points; it got features of "
            f"shape {rows.shape} and {points} points.",
            "Generate more images, or choose a smaller size for the smallest subset on both sides.",
        )
    distance = frechet_distance_to(reference)
    random = np.random.RandomState(seed)
    sizes = np.linspace(smallest, len(rows), points).astype(np.int64)
    found = []
    for size in sizes:
        found.append(distance(gaussian_of(rows[random.permutation(len(rows))[:size]], means)))
    line = np.stack([np.ones(points), 1.0 / sizes], axis=1)
    (value, slope), *_ = np.linalg.lstsq(line, np.array(found), rcond=None)
    left = found - line @ [value, slope]
    variance = left @ left / max(points - 2, 1) * np.linalg.inv(line.T @ line)[0, 0]
    return Extrapolated(float(value), float(np.sqrt(variance)))
