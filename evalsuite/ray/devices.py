"""What Ray gave to the worker that this process is."""

from __future__ import annotations

import sys


def assigned_gpus() -> int:
    """GPUs of the Ray worker that this process is; 0 outside one, or where it has none.

    A worker that shares a GPU has one.
    """
    ray = sys.modules.get("ray")
    if ray is None or not ray.is_initialized():
        return 0
    context = ray.get_runtime_context()
    if context.get_actor_id() is None:  # the driver: nothing was given to it
        return 0
    return len(context.get_accelerator_ids().get("GPU", ()))
