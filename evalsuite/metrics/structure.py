"""Structure distance: how far the self-similarity of an image's patches moved (Tumanyan et al. 2022).

Keys of a self-supervised ViT's last layer are compared with each other within each image; two images of
the same layout have alike matrices, whatever their appearance. PIE-Bench's `structure_distance`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evalsuite.errors import SampleError

__all__ = ["self_similarity", "structure_distance"]

Floats = NDArray[np.floating[Any]]


def self_similarity(keys: ArrayLike) -> Floats:
    """Cosine of each token's key with each other's.

    Args:
        keys: (tokens, dim), the heads of a token side by side, the class token among the tokens.

    Returns:
        (tokens, tokens) in the dtype of `keys`; the product of two lengths counts as 1e-8 at least.
    """
    vectors = np.asarray(keys)
    if vectors.ndim != 2:
        raise SampleError(f"Keys of shape {vectors.shape} are not (tokens, dim).")
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    similarity: Floats = (vectors @ vectors.T) / np.maximum(lengths @ lengths.T, 1e-8)
    return similarity


def structure_distance(first: ArrayLike, second: ArrayLike) -> float:
    """Mean squared difference of the self-similarities of two images' keys, each (tokens, dim), ≥ 0.

    Raises SampleError where the images have different numbers of tokens.

    Examples:
        >>> structure_distance([[1.0, 0.0], [0.0, 1.0]], [[2.0, 0.0], [0.0, 3.0]])
        0.0
    """
    a, b = self_similarity(first), self_similarity(second)
    if a.shape != b.shape:
        raise SampleError(
            f"Images of {len(a)} and {len(b)} patches cannot be compared in structure.",
            "Bring them to one size first.",
        )
    return float(np.square(a - b).mean(dtype=np.float64))
