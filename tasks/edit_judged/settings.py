"""What a judged editing benchmark's file says under `settings`."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict


class Settings(BaseModel):
    """What a benchmark's file says under `settings`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    judge: dict[str, str]
    """Scoring rules -> the judge that their authors use."""
    grades: Literal["gedit", "imgedit"]
    """Form of the file of grades."""
    digits: int | None = None
    """A type's mean is rounded to this number of digits before it goes into the mean over types."""
