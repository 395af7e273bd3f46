"""What a VQA benchmark's file and its protocols may say under `settings`."""

from __future__ import annotations

import re
from typing import Self

from pydantic import BaseModel, ConfigDict, model_validator

from evalsuite.request import Response, TextResponse


class Settings(BaseModel):
    """What a VQA benchmark's file may say under `settings`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    answers: int | None = 10
    """Human answers per question; null: any number of at least one."""


class Gate(BaseModel):
    """A first question that decides whether the question proper is asked at all.

    DreamLLM's VizWiz protocol asks whether the answer can be known. Its script takes a reply with the letters
    "no" in it (also "know", "not", "none") for the answer "unanswerable" (omni/eval/vqa/vqa_inference.py).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    template: str
    """The first question; it gets no prefill."""
    word: str = ""
    """A first reply with this word (in lower case) in it ends the matter …"""
    contains: str = ""
    """… or, instead, one with these letters anywhere …"""
    answer: str
    """… with this answer."""

    @model_validator(mode="after")
    def _one_rule(self) -> Self:
        if bool(self.word) == bool(self.contains):
            raise ValueError("a gate needs either `word` or `contains`")
        return self

    def closes(self, reply: Response) -> bool:
        if not isinstance(reply, TextResponse):
            return False
        text = reply.text.lower()
        return self.word in re.findall(r"\w+", text) if self.word else self.contains in text


class ProtocolSettings(BaseModel):
    """What a VQA protocol may say under `settings`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    gate: Gate | None = None
