"""What a rubric is: it reads a judge's replies and makes columns of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from .records import RubricItem

Replies = Mapping[str, Sequence[str]]
"""Question's name -> what was replied to it, in order."""


@dataclass(frozen=True, slots=True)
class Graded:
    """Columns of one image.

    Args:
        unread: a reply could not be read; `values` are what the official script counts for such an image.
    """

    values: Mapping[str, float]
    unread: bool = False


class Rubric(Protocol):
    """One way to read and to score."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The score columns that it gives."""
        ...

    def readable(self, reply: str) -> bool:
        """Whether it is not asked again."""
        ...

    def grade(self, item: RubricItem, replies: Replies) -> Graded:
        """The columns. Raises SampleError where the official script has no score either."""
        ...
