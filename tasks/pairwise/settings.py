"""What a pairwise benchmark's file says under `settings`."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class JudgeSettings(BaseModel):
    """What a benchmark's file says under `settings.judge`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str
    """The judge that the authors use."""
    system: str = ""
    rule: str
    """What it is told at the end."""
    role: str = "Assistant"
    max_tokens: int = Field(default=1024, ge=1)
    temperature: float = 0.0


class Settings(BaseModel):
    """What a pairwise benchmark's file says under `settings`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    judge: JudgeSettings
