"""Guidance that is a component of a pipeline, not an argument of its call (HunyuanImage 2.1)."""

from __future__ import annotations

from typing import Any

GUIDERS = ("guider", "ocr_guider")


def set_guidance(pipeline: Any, scale: float | None) -> None:
    """Gives a pipeline's guiders this scale of classifier-free guidance; None leaves what they have."""
    if scale is None:
        return
    for name in GUIDERS:
        guider = getattr(pipeline, name, None)
        if guider is not None and getattr(guider, "guidance_scale", scale) != scale:
            setattr(pipeline, name, guider.new(guidance_scale=scale))
