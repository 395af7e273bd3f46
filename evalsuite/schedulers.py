"""Diffusion samplers by their usual names, as protocols name them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evalsuite.errors import SpecError
from evalsuite.registry import suggest

CLASSES: dict[str, tuple[str, dict[str, Any]]] = {
    "ddpm": ("DDPMScheduler", {}),
    "ddim": ("DDIMScheduler", {"clip_sample": False, "set_alpha_to_one": False}),
    "dpm++": ("DPMSolverMultistepScheduler", {"algorithm_type": "dpmsolver++"}),
    "euler": ("EulerDiscreteScheduler", {}),
}
"""Name -> class of `diffusers`, and settings that override the checkpoint's."""


def scheduler(name: str, config: Mapping[str, Any]) -> Any:
    """A scheduler of `diffusers` with the noise schedule of `config`. Raises SpecError for an unknown name."""
    import diffusers

    if name not in CLASSES:
        raise SpecError(f"There is no scheduler {name!r}.", suggest(name, CLASSES))
    kind, overrides = CLASSES[name]
    return getattr(diffusers, kind).from_config({**config, **overrides})
