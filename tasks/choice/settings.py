"""What a multiple-choice benchmark's file and its protocols may say under `settings`."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Gate(BaseModel):
    """A first question before each rotation, whose answer decides how the question proper is put.

    DreamLLM's MMBench protocol asks whether the answer can be known, and shows the options only to a model
    that says no (omni/eval/vqa; reference: the paper's evaluation scripts).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    template: str
    """The first question."""
    starts: str
    """A first answer that begins with this (lower case) is followed by the protocol's `template` …"""
    otherwise: str
    """… any other by this template."""


class ChoiceSettings(BaseModel):
    """What a protocol may say under `settings`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    option: str = "{letter}. {text}"
    """One option; fields `letter` and `text`."""
    joiner: str = "\n"
    letters: Literal["upper", "lower"] = "upper"
    hint: str = "{hint}\n"
    """What the field `hint` becomes when the question has one."""
    no_hint: str = ""
    """What the field `hint` becomes when it has none."""
    continuation: str = "{letter}"
    """For likelihood protocols: the text whose likelihood stands for an option."""
    gate: Gate | None = None


class BenchmarkSettings(BaseModel):
    """What the benchmark's file may say under `settings`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rotations: int | None = Field(default=None, ge=1)
    """Maximum number of rotations per question; 1 is the vanilla evaluation alone."""
