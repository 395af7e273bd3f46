"""Encoded images, decoded a few at a time for a network; broken ones are reported, not fatal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from evalsuite.content import Image
from evalsuite.data.images import decode
from evalsuite.errors import DataError

if TYPE_CHECKING:
    from PIL.Image import Image as PilImage

_DECODED = 64
"""Images held decoded at a time."""


@dataclass
class Decoded:
    """Images that could be decoded, with where they stood.

    Args:
        positions: of the images that could, in order.
        failures: position -> reason, of those that could not.
        refused: by network, position -> reason, of decoded images that it does not take.
    """

    positions: list[int] = field(default_factory=list)
    failures: dict[int, str] = field(default_factory=dict)
    refused: dict[str, dict[int, str]] = field(default_factory=dict)

    def without(self, network: str) -> dict[int, str]:
        """Position -> reason, of the images that have no row of a network: broken, or refused by it."""
        return dict(sorted({**self.failures, **self.refused.get(network, {})}.items()))

    def refusals(self, positions: Sequence[int]) -> dict[str, str]:
        """By network that refuses one of the images at these positions, why it does: the first reason."""
        reasons = {key: [at[one] for one in positions if one in at] for key, at in self.refused.items()}
        return {key: found[0] for key, found in reasons.items() if found}


def decoded_batches(
    images: Sequence[Image], state: Decoded, size: int = _DECODED
) -> Iterator[tuple[list[int], list[PilImage]]]:
    """The images in runs of at most `size`, decoded, with their positions; broken ones go into `state`."""
    for start in range(0, len(images), size):
        positions, decoded = [], []
        for position in range(start, min(start + size, len(images))):
            try:
                decoded.append(decode(images[position]))
                positions.append(position)
            except DataError as error:
                state.failures[position] = str(error)
        state.positions += positions
        if decoded:
            yield positions, decoded
