"""What a judged benchmark's file says under `settings`."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class GraderSettings(BaseModel):
    """What a benchmark's file says under `settings.judge`.

    The question is the prompt, a line feed, and `question | reference | answer | ` with spaces around the
    `<AND>` and `<OR>` of the reference.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str
    """The judge that the authors use."""
    prompt: str
    again: str
    """Added where the reply before was no grade."""
    max_tokens: int = Field(ge=1)
    tries: int = Field(ge=1)
    """Maximum number of replies without a grade; then the grade is 0."""
    warmer: float
    """By how much the temperature rises from one reply that is no grade to the next, beginning with the third
    question: the official script raises it after it has asked."""


class Settings(BaseModel):
    """What a judged benchmark's file says under `settings`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    judge: GraderSettings
