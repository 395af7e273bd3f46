"""What a rubric benchmark's file says under `settings`."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from evalsuite.errors import suggest
from evalsuite.task.wording import Wording

from .rubrics import RUBRICS


class Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Weighted(Strict):
    """A column that is the weighted sum of the means of groups; missing where a group is."""

    of: str
    by: str
    """Label that the groups have."""
    weights: dict[str, float] = Field(min_length=1)


class Settings(Strict):
    """What a benchmark's file says under `settings`."""

    judge: str
    """The judge that the authors use."""
    rubric: str
    """How replies are read and scored; see `rubrics.RUBRICS`."""
    wording: dict[str, str | Wording | tuple[Wording, ...]] = Field(min_length=1)
    """The readers' keys -> text, or where the benchmark's own files have it (several texts are one after the
    other). Fields in braces."""
    system: str | Wording = ""
    tries: int = Field(default=1, ge=1)
    """How often a question is asked whose reply cannot be read."""
    every_round: bool = False
    """All questions are asked `tries` times in turn, whatever comes back, as OmniContext's script does."""
    max_tokens: int | None = None
    temperature: float | None = None
    jpeg: bool = False
    """Images are shown as JPEG."""
    longest_side: int | None = Field(default=None, ge=16)
    """Pixels; images are scaled down until no side is longer."""
    source_pixels: int | None = Field(default=None, ge=256)
    """Images that the model was given are scaled down to this area, and their sides to multiples of 16."""
    weighted: dict[str, Weighted] = Field(default_factory=dict)

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
