"""The judge of a cycle, as a benchmark's file declares it.

    settings:
      judge:
        model: gemini-2.5-pro
        read: met                       # or yes-no, true, flag
        ask:
          text: {column: text, prompt: "{prompt} … {said} … {rubric}"}
          image: {column: image, prompt: "…", shows: own}

What is asked comes from the sample (`CycleSample.rubrics`): one question each, under one of the wordings.
"""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Cut = Literal["answer", "answer-a-d", "answer-a-z", "end"]
"""What the judge is shown of a text: the boxed or quoted answer, else (where it is said) its first letter of
that range, else its beginning; or its last 50,000 characters."""


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
    cut: dict[str, Cut] = Field(default_factory=dict)
    """Step -> what is shown of its text; others are shown as they are."""


class JudgeSettings(BaseModel):
    """A judge that is asked about what a sample ends with."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str
    """The judge that the authors use."""
    read: Literal["met", "yes-no", "true", "flag"]
    """`met`: JSON with `criteria_met` (UEval); `yes-no`: what the sample expects is said (RealUnify); `true`:
    the word is said, in any case; `flag`: JSON in which `flag` is 1 (both UniG2U)."""
    flag: str = ""
    """Of `read: flag`: the key."""
    unless_empty: str = ""
    """The step without whose text nothing is asked: where it is empty, every column is 0."""
    ask: dict[str, Asking] = Field(min_length=1)
    every: bool = True
    """The value of a column is the share of its questions; `false`: 1 where all are right, and after a wrong
    one no more is asked."""
    system: str = ""
    tries: int = Field(default=1, ge=1)
    """It is asked again, so many times in all, while its reply cannot be read."""
    max_tokens: int = Field(default=1024, ge=1)
    temperature: float = 0.0

    @model_validator(mode="after")
    def _flag_has_a_key(self) -> Self:
        if bool(self.flag) != (self.read == "flag"):
            raise ValueError("flag and `read: flag` belong together: which key is 1")
        return self

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(one.column for one in self.ask.values()))
