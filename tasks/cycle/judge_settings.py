"""The judge of a cycle, as a benchmark's file declares it.

    settings:
      judge:
        model: gemini-2.5-pro
        read: met                       # or yes-no
        ask:
          text: {column: text, prompt: "{prompt} … {said} … {rubric}"}
          image: {column: image, prompt: "…", shows: own}

What is asked comes from the sample (`CycleSample.rubrics`): one question each, under one of the wordings.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Asking(BaseModel):
    """A wording of questions to the judge."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    prompt: str
    """Fields in braces: `rubric` (the criterion, or the question), texts of the sample, names of steps that
    give text."""
    column: str = "image"
    """The column that its replies fill."""
    shows: str = ""
    """The step whose images stand behind the prompt; empty: none."""


class JudgeSettings(BaseModel):
    """A judge that is asked about what a sample ends with."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str
    """The judge that the authors use."""
    read: Literal["met", "yes-no"]
    """`met`: JSON with `criteria_met` (UEval); `yes-no`: what the sample expects is said (RealUnify)."""
    ask: dict[str, Asking] = Field(min_length=1)
    every: bool = True
    """The value of a column is the share of its questions; `false`: 1 where all are right, and after a wrong
    one no more is asked."""
    system: str = ""
    tries: int = Field(default=1, ge=1)
    """It is asked again, so many times in all, while its reply cannot be read."""
    max_tokens: int = Field(default=1024, ge=1)
    temperature: float = 0.0

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(one.column for one in self.ask.values()))
