"""What a GenEval benchmark's file may say under `settings`."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from evalsuite.task.networks import NetworkSettings


class Settings(BaseModel):
    """What a benchmark of this family says under `settings`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    detector: str = ""
    """Taken when the user names none."""
    networks: dict[str, NetworkSettings] = Field(default_factory=dict)
    color: str = ""
    """Key of the network that classifies colours where the detector does not."""
