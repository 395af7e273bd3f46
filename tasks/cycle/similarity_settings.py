"""How results are compared with images and texts by feature networks, as a cycle's file declares it."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator


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
    """1 where a step's image is nearer to the first than to any other of the sample's images; likewise its
    text among texts, where a text without words is 0."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    network: str
    of: str
    among: tuple[str, ...] = Field(min_length=2)
    """Images, or texts, of the sample, the right one first."""
    both: dict[str, str] = Field(default_factory=dict)
    """Further column -> another one: 1 where that is 1 throughout the sample, and this. A name alone stands
    for `{NAME: accuracy}`, the sample's answers."""

    @field_validator("both", mode="before")
    @classmethod
    def _of_answers(cls, value: object) -> object:
        return {value: "accuracy"} if isinstance(value, str) else value
