"""What a question-answering alignment benchmark's file says under `settings`."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from evalsuite.errors import suggest
from evalsuite.task.metrics import REPLIES, AlignmentRule
from evalsuite.task.networks import NetworkSettings
from evalsuite.task.wording import Wording


class Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Asking(Strict):
    """How a judge is asked about an image."""

    ask: str | Wording = "{question}"
    """The user's turn, or where the benchmark's own files have it.

    Fields: `question`, `questions` (one a line), `prompt`, and what the reader gives besides."""
    each: Literal["question", "image"] = "question"
    """A chat for every question, or one about all questions of an image."""
    system: str = ""
    images_first: bool = True
    jpeg: bool = False
    """The image is encoded as JPEG (PIL's default quality) before it is shown."""
    read: str = "exact"
    """How a reply is read; see `evalsuite.metrics.alignment_answers.REPLIES`."""
    choices: Literal["spellings"] | tuple[str, ...] = ()
    """Answers whose likelihoods are asked for where `read` is `likelihood…`; `spellings`: the right answer's
    (GenEval 2)."""
    tries: int = Field(default=1, ge=1)
    """How often it is asked where a reply cannot be read."""
    unread: Literal["failure", "wrong"] = "failure"
    """What a reply is that cannot be read at last: the prompt fails, or the questions count as wrong."""
    max_tokens: int | None = None
    temperature: float | None = None

    @field_validator("read")
    @classmethod
    def _known(cls, value: str) -> str:
        return _reading(value)

    @property
    def by_likelihood(self) -> bool:
        """Whether likelihoods are asked for instead of words."""
        return self.read.startswith("likelihood")


def _reading(value: str) -> str:
    if value not in REPLIES:
        raise ValueError(f"replies cannot be read as {value!r}. {suggest(value, REPLIES)}")
    return value


class RuleSettings(Strict):
    """A scoring rule: the words of `evalsuite.metrics.alignment.AlignmentRule`, and quirks of scripts."""

    gate: Literal["none", "direct", "in-order"] = "none"
    unknown_parents: Literal["error", "ignore"] = "error"
    image: Literal["mean", "geometric", "product", "all"] = "mean"
    digits: int | None = None
    pooled_images: Literal["all", "last"] = "all"
    pooled_gated: bool = True
    read: str = ""
    """How replies are read, where it is otherwise than `answer.read`."""
    skip_first: bool = False
    """The first question of the data is left out, as DPG-Bench's script does."""
    skip_black: bool = False
    """A wholly black image is none, as in OneIG's grids."""

    @field_validator("read")
    @classmethod
    def _known(cls, value: str) -> str:
        return _reading(value) if value else value

    def rule(self) -> AlignmentRule:
        return AlignmentRule(**self.model_dump(exclude={"read", "skip_first", "skip_black"}))


class Dimensions(Strict):
    """A column that is the mean over dimensions of the mean over their members' pooled questions."""

    by: str
    """Label of the questions."""
    where: dict[str, str] = Field(default_factory=dict)
    """Labels of the prompts that count."""
    digits: int | None = None
    """A member is rounded to so many places first."""
    groups: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """Dimension -> its members; empty: every member is one."""


class Settings(Strict):
    """What a benchmark's file says under `settings`."""

    judge: str
    """The model that answers officially."""
    measured: bool = False
    """It is a network that measures images: no judge is asked, the numbers come from a file of answers."""
    distance: NetworkSettings | None = None
    """By whose features each image's mean distance (1 - cosine) to the prompt's other images is measured
    where there is no file; images are encoded as `answer.jpeg` says."""
    answer: Asking = Asking()
    rules: dict[str, RuleSettings] = Field(min_length=1)
    """By the names in the benchmark's `rules`."""
    truth: Literal["", "mini-world"] = ""
    """Whose exact truth stands beside the answers: columns `truth` and `agreement`."""
    pooled: tuple[str, ...] = ()
    """Labels of the questions that the column `questions` is broken down by."""
    dimensions: dict[str, Dimensions] = Field(default_factory=dict)
    """Column -> how it is made."""
