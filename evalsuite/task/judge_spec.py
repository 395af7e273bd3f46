"""A judge that reads what a scoring rule leaves open, as a benchmark's file describes it.

    judge:
      rules: [official+judge]                 # the names of `rules:` under which the judge is asked
      asks: unread                            # or `all`: every answer
      model: gpt-4-0613
      prompt: "{question}\n\n{answer}\n\nExtracted answer: "
      reads: mathvista-extracted              # the rule that scores the reply in the answer's place
    # or, instead of `reads`, what the reply means:
      verdicts: {incorrect: 0, correct: 1}    # the first pattern that occurs in the lower-cased reply
      otherwise: 0

One mechanism for all families whose answers are scored by named rules: `JudgeReads` is put before a family's
task, and asks `evalsuite.judging` for one reply per answer (and run of the judge).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from evalsuite.task.rules import RuleChoice
from evalsuite.task.table_rows import compiled


class JudgeSpec(BaseModel):
    """What a benchmark's file says under `judge`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rules: tuple[str, ...] = Field(min_length=1)
    """The names under `rules:` for which it is asked."""
    asks: Literal["unread", "all"] = "unread"
    """About the answers that the rule leaves unread, or about all."""
    model: str
    """The judge that the authors use."""
    system: str = ""
    prompt: str
    """Fields in braces: `question`, `hint`, `options` (a line each), `options_in_line`, `reference` (its
    text),
    `reference_mark` (its letter in parentheses), `reference_details` (in words), `answer`, and the sample's
    labels."""
    max_tokens: int = Field(default=256, ge=1)
    temperature: float = 0.0
    tries: int = Field(default=1, ge=1)
    """It is asked again, so many times in all, while its reply is not understood."""
    reads: RuleChoice = ""
    """The rule that scores its reply as if it were the answer."""
    verdicts: dict[str, float] = Field(default_factory=dict)
    """Regular expression that the lower-cased reply holds -> the score; the first that occurs counts."""
    otherwise: float = 0.0
    """The score of a reply that holds none of them; it counts as unread."""
    otherwise_one: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """Label -> values: of samples that match all of them, such a reply scores 1 instead."""

    @model_validator(mode="after")
    def _one_reading(self) -> Self:
        if bool(self.reads) == bool(self.verdicts):
            raise ValueError("a judge needs either `reads` (a rule) or `verdicts`")
        for pattern in self.verdicts:
            compiled(pattern)
        return self

    def grade(self, reply: str, labels: Mapping[str, str]) -> tuple[float, bool]:
        """The score of a reply about a sample with these labels, and whether none of `verdicts` occurs
        in it."""
        text = reply.lower()
        for form, value in self.verdicts.items():
            if re.search(form, text):
                return value, False
        lenient = self.otherwise_one
        if lenient and all(labels.get(name) in wanted for name, wanted in lenient.items()):
            return 1.0, False
        return self.otherwise, True
