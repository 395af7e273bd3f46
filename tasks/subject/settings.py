"""What a subject benchmark's file and its protocols say under `settings`."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from evalsuite.task.networks import NetworkSettings


class ColumnSettings(BaseModel):
    """How a column is computed.

    `subject`: mean cosine, in a network's features, of every generated with every real image of the subject
    (DINO and CLIP-I of Ruiz et al. 2023); `prompt`: similarity of generated image and prompt without the
    unique token (CLIP-T), by a named formula; `truth`: the column of that name of the exact detector.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    measure: Literal["subject", "prompt", "truth"]
    network: str = ""
    formula: str = "cosine"


class Settings(BaseModel):
    """What a subject benchmark's file says under `settings`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    networks: dict[str, NetworkSettings] = Field(default_factory=dict)
    columns: dict[str, ColumnSettings]
    truth: Literal["", "mini-world"] = ""


class ProtocolSettings(BaseModel):
    """What a protocol says under `settings`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    references: int | None = Field(default=None, ge=1)
    """How many of the subject's images the prompt holds, the first ones by name; null: all."""
    token: str = ""
    """The unique token before the class ("sks"), for models that were tuned on the subject under it."""
