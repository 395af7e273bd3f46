"""How results are compared with images and texts by feature networks, as a cycle's file declares it."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Similarity(BaseModel):
    """The cosine of each result of a step with what the cycle began with; rows carry the label `generation`:
    the place among the steps that give images or texts, the beginning being 0."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    network: str
    of: str
    """The step whose images or texts are compared."""
    to: str
    """A text or image of the sample."""
    optional: bool = False
    """A sample without it has no such row; otherwise it is an error."""


class Decay(BaseModel):
    """A parameter of a * exp(-b * generation) + c through the mean similarities of each column, averaged over
    the columns."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    of: tuple[str, ...] = Field(min_length=1)
    parameter: Literal["a", "b", "c"] = "b"


class Nearest(BaseModel):
    """1 where a step's image is nearer to the first than to any other of the sample's images."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    network: str
    of: str
    among: tuple[str, ...] = Field(min_length=2)
    """Images of the sample, the right one first."""
    both: str = ""
    """A further column, 1 where the image and every answer of the sample are right."""
