"""Diffusion samplers by their usual names, as protocols name them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evalsuite.errors import SpecError, suggest

CLASSES: dict[str, tuple[str, dict[str, Any]]] = {
    "ddpm": ("DDPMScheduler", {}),
    "ddim": ("DDIMScheduler", {}),
    "dpm++": ("DPMSolverMultistepScheduler", {"algorithm_type": "dpmsolver++"}),
    "euler": ("EulerDiscreteScheduler", {}),
}
"""Name -> class of `diffusers`, and settings that override the checkpoint's. `ddpm` is ancestral: a fresh
draw at every step."""

ALIASES = {"dpm-solver++": "dpm++", "dpmsolver++": "dpm++"}


def build_scheduler(name: str, config: Mapping[str, Any]) -> Any:
    """A sampler whose betas, prediction type and offsets are the checkpoint's `config`.

    Timesteps are spaced as the checkpoint says; where it does not say, each sampler has diffusers' default
    (`leading` for ddpm and ddim, `linspace` for dpm++ and euler).

    Raises:
        SpecError: unknown name.
    """
    import diffusers

    kind, overrides = CLASSES[known_scheduler(name)]
    return getattr(diffusers, kind).from_config({**config, **overrides})


def known_scheduler(name: str) -> str:
    """The name of CLASSES that `name` stands for, whatever its case or alias.

    Raises:
        SpecError: unknown name.
    """
    key = ALIASES.get(name.lower(), name.lower())
    if key not in CLASSES:
        raise SpecError(f"There is no scheduler {name!r}.", suggest(name, CLASSES))
    return key
