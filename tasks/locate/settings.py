"""What a localisation benchmark's protocols may say under `settings`."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, field_validator

from evalsuite.errors import suggest
from evalsuite.task.metrics import BOX_FORMS


class ProtocolSettings(BaseModel):
    """What a protocol may say under `settings`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    boxes: str
    """The form and the coordinates in which an answer names its box: a name in `BOX_FORMS`."""

    @field_validator("boxes")
    @classmethod
    def _known(cls, value: str) -> str:
        if value not in BOX_FORMS:
            raise ValueError(f"there are no boxes {value!r}. {suggest(value, BOX_FORMS)}")
        return value
