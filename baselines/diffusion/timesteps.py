"""Timesteps stay on the host for schedulers whose tables are there."""

from __future__ import annotations

import functools
from typing import Any


def keep_on_host(pipeline: Any) -> None:
    """Makes a pipeline's scheduler leave its timesteps on the CPU, where one that looks its alphas up by
    timestep (DDPM, DDIM, PNDM) would otherwise fetch each from the device, several times a step.

    Schedulers with sigmas keep their own index and are left alone, and so are transformers, which take their
    timesteps on the device. The numbers are the same.
    """
    scheduler = pipeline.scheduler
    tables = hasattr(scheduler, "alphas_cumprod") and not hasattr(scheduler, "sigmas")
    if not tables or not hasattr(pipeline, "unet") or hasattr(scheduler, "timesteps_on_host"):
        return
    original = scheduler.set_timesteps

    @functools.wraps(original)
    def set_timesteps(num_inference_steps: Any = None, device: Any = None, **more: Any) -> None:
        original(num_inference_steps, device="cpu", **more)

    scheduler.set_timesteps = set_timesteps
    scheduler.timesteps_on_host = True
