"""What a rubric benchmark's file says under `settings`."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from evalsuite.errors import suggest
from evalsuite.task.networks import NetworkSettings
from evalsuite.task.wording import Wording

from .rubrics import RUBRICS


class Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


Worded = str | Wording | tuple[Wording | str, ...]
"""A text, or where the benchmark's own files have it; several are one after the other."""


class Turn(Strict):
    """A turn before the question."""

    role: Literal["system", "user", "assistant"]
    text: Worded


class Weighted(Strict):
    """A column that is the weighted sum of the means of groups; missing where a group is."""

    of: str
    by: str
    """Label that the groups have."""
    weights: dict[str, float] = Field(min_length=1)


class Pooled(Strict):
    """A column that is the mean over all grades of several kinds, whichever image they belong to."""

    of: tuple[str, ...] = Field(min_length=1)
    by: tuple[str, ...] = ()
    """Labels that it is broken down by."""


class Combined(Strict):
    """A column that is made of the means of several: their mean, or their product."""

    of: tuple[str, ...] = Field(min_length=1)
    how: Literal["mean", "product"] = "mean"
    digits: int | None = None
    """Each mean is rounded to so many places first."""


class Similarity(Strict):
    """A column that is the cosine of the generated image, in a network's features, with the first image that
    the model was given (`source`: DINO, CLIP-I) or with the instruction (`text`: CLIP-T)."""

    network: str
    to: Literal["source", "text"]


class Settings(Strict):
    """What a benchmark's file says under `settings`."""

    judge: str
    """The judge that the authors use."""
    rubric: str
    """How replies are read and scored; see `rubrics.RUBRICS`."""
    wording: dict[str, Worded] = Field(min_length=1)
    """The readers' keys -> text. Fields in braces."""
    system: Worded = ""
    before: dict[str, tuple[Turn, ...]] = Field(default_factory=dict)
    """The readers' keys -> turns before the question."""
    format: dict[str, dict[str, Any]] = Field(default_factory=dict)
    """The readers' keys -> `response_format` of the request, for judges behind a server."""
    layout: Literal["", "mmie", "opening", "opening-pair"] = ""
    """How a judge is shown a document that was written; see `layouts`."""
    against: tuple[str, ...] = ()
    """Documents are compared with those of runs of one of these benchmarks, which `against=RUN` names."""
    tries: int = Field(default=1, ge=1)
    """How often a question is asked whose reply cannot be read."""
    every_round: bool = False
    """All questions are asked `tries` times in turn, whatever comes back, as OmniContext's script does."""
    max_tokens: int | None = None
    temperature: float | None = None
    images_first: bool = False
    """Images stand before the text."""
    jpeg: bool = False
    """Images are shown as JPEG."""
    size: tuple[int, int] | None = None
    """Pixels; images are resized to this, whatever their own shape."""
    longest_side: int | None = Field(default=None, ge=16)
    """Pixels; images are scaled down until no side is longer."""
    source_pixels: int | None = Field(default=None, ge=256)
    """Images that the model was given are scaled down to this area, and their sides to multiples of 16."""
    truth: Literal["", "mini-world"] = ""
    """Whose exact truth stands beside the judge's: columns `truth` and `agreement`."""
    weighted: dict[str, Weighted] = Field(default_factory=dict)
    pooled: dict[str, Pooled] = Field(default_factory=dict)
    combined: dict[str, Combined] = Field(default_factory=dict)
    networks: dict[str, NetworkSettings] = Field(default_factory=dict)
    similarities: dict[str, Similarity] = Field(default_factory=dict)

    @field_validator("rubric")
    @classmethod
    def _known(cls, value: str) -> str:
        if value not in RUBRICS:
            raise ValueError(f"there is no rubric {value!r}. {suggest(value, RUBRICS)}")
        return value

    @model_validator(mode="after")
    def _sums(self) -> Settings:
        for name, one in self.weighted.items():
            if abs(sum(one.weights.values()) - 1) > 1e-9:
                raise ValueError(
                    f"weighted.{name}: the weights sum to {sum(one.weights.values()):g}, not to 1"
                )
        return self

    @property
    def own_columns(self) -> frozenset[str]:
        """The columns that are no declared aggregation of the rubric's."""
        return frozenset((*self.weighted, *self.pooled, *self.combined))

    @property
    def encodes(self) -> bool:
        """Whether images are changed before they are shown."""
        return self.jpeg or any(
            value is not None for value in (self.size, self.longest_side, self.source_pixels)
        )


class ProtocolSettings(Strict):
    """What a protocol says under `settings`."""

    where: dict[str, str] = Field(default_factory=dict)
    """Label -> its value: only these items are asked for (Complex-Edit's levels of complexity)."""
