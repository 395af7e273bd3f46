"""Metrics whose states are lists of tensors that processes concatenate, and the order of their samples."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric

from evalsuite.errors import SampleError

Indices = Sequence[int] | Tensor | None


class Gathered(Metric):
    """A metric over samples that are kept, gathered from all processes and put into order.

    All states are one-dimensional, so that a process that has seen nothing can say so in a form that the
    others' can be joined with.
    """

    is_differentiable = False
    full_state_update = False

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self._types: dict[str, torch.dtype] = {}

    def _add(self, name: str, dtype: torch.dtype) -> None:
        self.add_state(name, default=[], dist_reduce_fx="cat")
        self._types[name] = dtype

    def _append(self, name: str, values: Any) -> None:
        getattr(self, name).append(torch.as_tensor(values, dtype=self._types[name], device=self.device))

    def _all(self, name: str) -> Tensor:
        """Everything in a state, on the CPU: a list before processes are joined, a tensor afterwards."""
        found = getattr(self, name)
        if isinstance(found, Tensor):
            return found.cpu()
        return torch.cat([torch.zeros(0, dtype=self._types[name]), *(part.cpu() for part in found)])

    def _sync_dist(self, *arguments: Any, **settings: Any) -> None:
        for name, dtype in self._types.items():
            if not len(getattr(self, name)):
                # torchmetrics would send an empty float32, which cannot be joined with other types
                setattr(self, name, [torch.zeros(0, dtype=dtype, device=self.device)])
        super()._sync_dist(*arguments, **settings)


def positions(indices: Indices, count: int) -> Tensor:
    """(count,) positions of samples in the data set; -1 where they are not given.

    Raises SampleError for another number of positions, and for negative ones.
    """
    if indices is None:
        return torch.full((count,), -1, dtype=torch.int64)
    found = torch.as_tensor(indices, dtype=torch.int64).reshape(-1).cpu()
    if len(found) != count or bool((found < 0).any()):
        raise SampleError(
            f"{len(found)} indices came with {count} samples, or one is negative.", "Give one per sample."
        )
    return found


def order(places: Tensor) -> list[int]:
    """Which samples count, in which order: by position, the first of each; as they came without positions.

    Raises SampleError where only some samples have positions.
    """
    given = places.tolist()
    known = sum(place >= 0 for place in given)
    if not known:
        return list(range(len(given)))
    if known < len(given):
        raise SampleError(
            f"{len(given) - known} of {len(given)} samples came without an index.", "Give indices always."
        )
    first: dict[int, int] = {}
    for row, place in enumerate(given):
        first.setdefault(place, row)
    return [first[place] for place in sorted(first)]


def require(rows: Iterable[Any], what: str) -> None:
    """Raises SampleError where there are no samples."""
    if not list(rows):
        raise SampleError(f"{what} has seen no samples.", "Call update first.")
