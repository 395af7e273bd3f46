"""What a captioning benchmark's file may say under `settings`."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict


class Settings(BaseModel):
    """What a captioning benchmark's file may say under `settings`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    truth: Literal["", "mini-world"] = ""
    """Labels for breakdowns from the miniature's sidecar file."""
