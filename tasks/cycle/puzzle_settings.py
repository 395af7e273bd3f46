"""How images and moves of a puzzle's solution are scored, as a cycle's `settings: puzzle` declares it."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

ACCURACY, EXACT = "accuracy", "exact"
"""Of the moves in the document's text: the share at their place; all, and no more."""
IMAGES, IMAGES_EXACT = "images", "images-exact"
"""Likewise of the images."""
READABLE, ALL_READABLE = "readable", "all-readable"
"""The share of images, and whether all of them, show the maze's walls, one agent and one goal."""


class Puzzle(BaseModel):
    """The document of a step holds an image of the puzzle after every move, and the moves in `<ANSWER_JSON>`.

    The sample's `image` is the puzzle at its beginning, `frames` (tiles) what the images must show, its
    answers the moves.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["maze", "tiles"]
    of: str
    """The step that gives the document."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that it fills."""
        both = (ACCURACY, EXACT, IMAGES, IMAGES_EXACT)
        return (*both, READABLE, ALL_READABLE) if self.kind == "maze" else both
