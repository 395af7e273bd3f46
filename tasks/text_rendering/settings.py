"""What a text-rendering benchmark's file says under `settings`."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, field_validator

from evalsuite.errors import suggest
from evalsuite.task.wording import Wording

from .rules import READINGS


class Settings(BaseModel):
    """What a benchmark's file says under `settings`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    judge: str
    """The model that reads officially."""
    ask: str | Wording
    """What a judge is asked to read an image."""
    reading: str
    """The rule that scores readings; see `rules.READINGS`."""
    language: str = "en"
    max_tokens: int | None = None
    temperature: float | None = None
    jpeg: bool = False
    """The image is encoded as JPEG (PIL's default quality) before it is shown."""
    skip_black: bool = False
    """A wholly black image is none, as in OneIG's grids."""

    @field_validator("reading")
    @classmethod
    def _known(cls, value: str) -> str:
        if value not in READINGS:
            raise ValueError(f"there is no rule {value!r} for readings. {suggest(value, READINGS)}")
        return value
