"""What an exam's protocol may say under `settings`."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class ProtocolSettings(BaseModel):
    """What a protocol may say under `settings`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    option: str = "{letter}. {text}"
    joiner: str = "\n"
    letters: Literal["upper", "lower"] = "upper"
    hint: str = "{hint}\n"
    """What the field `hint` becomes where a question has one."""
    notice: dict[str, str] = Field(default_factory=dict)
    """Value of a label -> what the field `notice` is for such questions; for others it is empty."""
    continuation: str = "{text}"
    """Of a benchmark of capability `choices`: the text whose likelihood stands for an option."""
    normalise: Literal["sum", "tokens"] = "sum"
    """Likelihoods are compared as they are, or divided by the number of the continuation's tokens."""
    open: str = ""
    """The template of questions without options; empty: the protocol's own."""
