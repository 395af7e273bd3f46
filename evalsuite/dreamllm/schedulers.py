"""Samplers by name, over the noise schedule that a checkpoint was trained with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evalsuite.errors import SpecError

NAMES: dict[str, str] = {
    "ddpm": "ddpm",
    "ddim": "ddim",
    "dpm++": "dpm++",
    "dpm-solver++": "dpm++",
    "dpmsolver++": "dpm++",
}
"""Accepted name -> sampler. `ddpm` (ancestral, a fresh draw at every step) is upstream's and the default."""


def build_scheduler(name: str, config: Mapping[str, Any]) -> Any:
    """A sampler whose betas, prediction type and offsets are the checkpoint's.

    Timesteps are spaced as the checkpoint says; where it does not say, each sampler has diffusers' default
    (`leading` for ddpm and ddim, `linspace` for dpm++).

    Raises:
        SpecError: unknown name.
    """
    from diffusers import DDIMScheduler, DDPMScheduler, DPMSolverMultistepScheduler

    kind = NAMES.get(name.lower())
    if kind == "ddpm":
        return DDPMScheduler.from_config(dict(config))
    if kind == "ddim":
        return DDIMScheduler.from_config(dict(config))
    if kind == "dpm++":
        return DPMSolverMultistepScheduler.from_config(dict(config), algorithm_type="dpmsolver++")
    raise SpecError(f"Unknown scheduler {name!r}.", f"Known: {', '.join(NAMES)}.")
