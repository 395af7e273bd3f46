"""Improved precision and recall, and how much each image moves them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evalsuite.errors import SampleError
from evalsuite.metrics.feature_sets import feature_pair

__all__ = ["Coverage", "PrecisionRecall", "coverage", "precision_recall"]

_ROWS = 1000
_MORE_NEIGHBOURS = 32
_MORE_BALLS = 32
"""How far lists reach: a random half of the images leaves less than 3 of 32 once in 10 million times."""


@dataclass(frozen=True, slots=True)
class PrecisionRecall:
    """Precision and recall, both in [0, 1]."""

    precision: float
    recall: float

    @property
    def f_score(self) -> float:
        """Harmonic mean of the two, in [0, 1] (torch-fidelity)."""
        return 2 * self.precision * self.recall / max(1e-5, self.precision + self.recall)


@dataclass(frozen=True)
class Coverage:
    """Precision and recall of any choice of the generated images.

    Args:
        inside: (N,) whether a generated image lies within the real ones.
        nearest: (N, K) positions of a generated image's nearest generated neighbours, nearest first.
        balls: (M, L) generated images whose balls cover a real image first, best first.
        ranks: (M, L) how many generated neighbours of that image are nearer to it than the real one is.
        neighbours: the k whose distance is a ball's radius.
    """

    inside: NDArray[np.bool_]
    nearest: NDArray[np.int64]
    balls: NDArray[np.int64]
    ranks: NDArray[np.int64]
    neighbours: int

    def precision(self, rows: Any) -> float:
        """Share of the generated images `rows` that lie within the real ones."""
        return float(self.inside[rows].mean())

    def recall(self, rows: Any) -> float:
        """Share of real images within the balls of the generated images `rows` (no repeats), each ball
        with the radius it has among `rows`."""
        there = np.zeros(len(self.inside), dtype=bool)
        there[rows] = True
        nearer = np.concatenate(
            [np.zeros((len(there), 1), np.int64), np.cumsum(there[self.nearest], axis=1)], axis=1
        )
        covers = there[self.balls] & (nearer[self.balls, self.ranks] < self.neighbours)
        return float(covers.any(axis=1).mean())

    def recall_influence(self, *, blocks: int = 100, seed: int = 0) -> NDArray[np.float64]:
        """(N,) influence of each generated image on recall, by a jackknife that leaves out a block at a
        time; the mean is 0.

        Half-samples would show too little: recall moves with its few widest balls. Where a single image
        far out covers many real ones, and this sample has none, nothing in the sample can show it.
        """
        everything = np.arange(len(self.inside))
        parts = np.array_split(
            np.random.RandomState(seed).permutation(everything), min(blocks, len(everything))
        )
        without = np.array([self.recall(np.setdiff1d(everything, part)) for part in parts])
        found = np.empty(len(everything))
        for part, value in zip(parts, without.mean() - without, strict=True):
            # Independent images of a block whose influences add up to the block's.
            found[part] = value * len(everything) / len(part) ** 0.5
        centred: NDArray[np.float64] = found - found.mean()
        return centred


def precision_recall(generated: ArrayLike, real: ArrayLike, *, neighbours: int = 3) -> PrecisionRecall:
    """Improved precision and recall (Kynkäänniemi et al. 2019).

    Precision: the share of generated features that lie in the ball around some real feature with the radius
    of its k-th nearest real neighbour; recall with the roles exchanged. Distances in the features' own
    precision (`torch.cdist`), as torch-fidelity has them.

    Args:
        generated: (N, D) features, N larger than `neighbours`.
        real: (M, D) features, M larger than `neighbours`.
        neighbours: k, officially 3.

    Raises:
        SampleError: other shapes, or too few features.
    """
    first, second = _tensors(generated, real, neighbours)
    inside, covered = (
        _inside(points, centres, neighbours) for points, centres in ((first, second), (second, first))
    )
    return PrecisionRecall(precision=float(inside.double().mean()), recall=float(covered.double().mean()))


def coverage(generated: ArrayLike, real: ArrayLike, *, neighbours: int = 3) -> Coverage:
    """Precision and recall as of `precision_recall`, of all generated features and of any choice of them.

    Memory is 512 bytes per image beside the features; the work is that of `precision_recall` and about half
    of it again. Arguments and errors as of `precision_recall`.
    """
    import torch

    first, second = _tensors(generated, real, neighbours)
    reach = min(_MORE_NEIGHBOURS, len(first) - 1)
    nearest, distances = [], []
    for start in range(0, len(first), _ROWS):
        part = torch.cdist(first[start : start + _ROWS], first)
        own = torch.arange(len(part))
        part[own, start + own] = -1.0  # an image comes before its doubles, and is left out
        found = part.topk(reach + 1, largest=False)
        nearest.append(found.indices[:, 1:])
        distances.append(found.values[:, 1:])
    edges = torch.cat(distances)
    balls, ranks = [], []
    for part in second.split(_ROWS):
        rank = torch.searchsorted(edges, torch.cdist(part, first).T.contiguous()).T
        best = rank.topk(min(_MORE_BALLS, len(first)), largest=False)
        balls.append(best.indices)
        ranks.append(best.values)
    return Coverage(
        inside=_inside(first, second, neighbours).numpy(),
        nearest=torch.cat(nearest).numpy(),
        balls=torch.cat(balls).numpy(),
        ranks=torch.cat(ranks).numpy(),
        neighbours=neighbours,
    )


def _tensors(generated: ArrayLike, real: ArrayLike, neighbours: int) -> tuple[Any, Any]:
    import torch

    first, second = (torch.from_numpy(np.ascontiguousarray(side)) for side in feature_pair(generated, real))
    if min(len(first), len(second)) <= neighbours:
        raise SampleError(f"Precision and recall need more than {neighbours} features on both sides.")
    return first, second


def _inside(points: Any, centres: Any, neighbours: int) -> Any:
    """(points,) whether each lies in the ball around some centre."""
    import torch

    radius = torch.cat(
        [torch.cdist(part, centres).kthvalue(neighbours + 1).values for part in centres.split(_ROWS)]
    )
    return torch.cat([(torch.cdist(part, centres) <= radius).any(dim=1) for part in points.split(_ROWS)])
