"""What a language benchmark's file and its protocols may say under `settings`."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Settings(BaseModel):
    """What a language benchmark's file may say under `settings`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    form: str
    """How its rows are to be read: a name in `FORMS`."""


class ProtocolSettings(BaseModel):
    """What a protocol may say under `settings`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    choice: str = " {text}"
    """The continuation that stands for a choice; field `text`, and the item's fields."""
    choices: tuple[str, ...] = ()
    """Texts that stand for the choices instead of their own."""
    tidy: str = ""
    """Name in `TIDY` of a postprocessing of the finished context and of the choices."""
    shots: int = 0
    """Number of few-shot examples: the first ones of the item's subject, each with its right choice."""
    description: str = ""
    """In front of everything; the item's fields."""
    separator: str = "\n\n"
    """Between examples."""
