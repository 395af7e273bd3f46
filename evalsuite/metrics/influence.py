"""How much each generated image moves a distance between distributions.

To first order, another sample of images moves the number by its average influence (von Mises 1947; Hampel
1974): an interval without computing the distance again, which takes minutes at official sizes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evalsuite.metrics.feature_sets import cmmd_kernel, feature_pair, polynomial_kernel
from evalsuite.metrics.frechet import Gaussian, roots

__all__ = ["cmmd_influence", "frechet_influence", "kernel_influence"]

Floats = NDArray[np.float64]


def kernel_influence(generated: ArrayLike, real: ArrayLike, *, block: int = 1000, seed: int = 0) -> Floats:
    """(N,) influence of each generated image on KID; the mean is 0.

    An image is compared with the other images of its block, and with as many real ones, so that the work
    grows with N. That widens the spread, most where both sets are all but equal; it never narrows it.

    Args:
        generated: (N, D) features.
        real: (M, D) features.
        block: images per block.
    """
    first, second = feature_pair(generated, real)
    random = np.random.RandomState(seed)
    found = np.empty(len(first))
    blocks = -(-len(first) // block)
    for chosen in np.array_split(random.permutation(len(first)), blocks):
        x = first[chosen]
        y = second[random.choice(len(second), min(len(second), len(x)), replace=False)]
        within = polynomial_kernel(x, x)
        others = (within.sum(axis=1) - np.diagonal(within)) / max(len(x) - 1, 1)
        found[chosen] = 2 * (others - polynomial_kernel(x, y).mean(axis=1))
    centred: NDArray[np.float64] = found - found.mean()
    return centred


def cmmd_influence(
    generated: ArrayLike, real: ArrayLike, *, sigma: float = 10.0, scale: float = 1000.0
) -> Floats:
    """(N,) influence of each generated image on CMMD; the mean is 0. Arguments as of `cmmd`."""
    x, y = feature_pair(generated, real)
    found = 2 * scale * (cmmd_kernel(x, x, sigma) - cmmd_kernel(x, y, sigma))
    return np.asarray(found - found.mean())


def frechet_influence(features: ArrayLike, reference: Gaussian) -> Floats:
    """(N,) influence of each generated image on the Fréchet distance to `reference`; the mean is 0.

    The distance's derivative by the mean is 2 (mu - mu_r), by the covariance S it is
    1 - R (R S R)^-½ R with R the root of the reference's covariance.

    Args:
        features: (N, D) of the generated images; with N no larger than D the covariance is singular, and
            the influence covers the directions it has.
    """
    rows: NDArray[Any] = np.asarray(features, dtype=np.float64)
    mean = rows.mean(axis=0)
    centred = rows - mean
    values, vectors = np.linalg.eigh(reference.sigma)
    root = (vectors * roots(values)) @ vectors.T
    product = root @ (centred.T @ centred / max(len(rows) - 1, 1)) @ root
    values, vectors = np.linalg.eigh((product + product.T) / 2)
    lengths = roots(values)
    kept = lengths > 0
    # z R V L^-¼, squared and summed, is the image's share of the trace of the root.
    shared = centred @ (root @ vectors[:, kept] / np.sqrt(lengths[kept]))
    found = 2 * centred @ (mean - reference.mu) + (centred**2).sum(axis=1) - (shared**2).sum(axis=1)
    return np.asarray(found - found.mean())
