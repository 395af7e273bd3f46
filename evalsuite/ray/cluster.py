"""Connecting to Ray: a local instance for one machine, or a cluster by its address."""

from __future__ import annotations

import logging
import os
import socket
from pathlib import Path
from typing import Any

from evalsuite.errors import SpecError, UnavailableError

_TOKEN = Path("~/.ray/auth_token")


def require_ray() -> Any:
    """The `ray` module. Raises UnavailableError where the extra is not installed."""
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        import ray
    except ImportError as error:
        raise UnavailableError(
            "--workers and --ray-address need Ray, which is not installed.", "pip install 'evalsuite[ray]'"
        ) from error
    return ray


def connect(address: str | None, *, workers: int | None, cpus_per_worker: float) -> str:
    """Starts a local Ray, or joins a cluster; returns what to call it in the run's record.

    Args:
        address: `auto` or `HOST:PORT`; None starts one on this machine, which ends with the process.

    Raises UnavailableError when nothing answers there, or when its Ray is of another version.
    """
    ray = require_ray()
    if ray.is_initialized():
        return f"ray {ray.__version__}, {'cluster' if address else 'local'}"
    quiet: dict[str, Any] = {"logging_level": logging.ERROR, "log_to_driver": False}
    try:
        if address is None:
            needed = max(os.cpu_count() or 1, int(-(-(workers or 1) * cpus_per_worker // 1)))
            ray.init(address="local", num_cpus=needed, include_dashboard=False, **quiet)
            return f"ray {ray.__version__}, local"
        _require_reachable(address)
        if _TOKEN.expanduser().is_file():
            # An explicit address never reads the token by itself: Ray would say "failed to connect".
            os.environ.setdefault("RAY_AUTH_MODE", "token")
        ray.init(address=address, **quiet)
        return f"ray {ray.__version__}, cluster at {address}"
    except Exception as error:  # Ray raises ConnectionError, RuntimeError, ValueError and its own
        raise UnavailableError(
            f"No Ray cluster can be joined at {address or 'this machine'} ({_first_line(error)}).",
            "Is `ray start` running there, with this version of Ray and Python? A cluster with a token needs "
            "it in ~/.ray/auth_token on this machine too.",
        ) from error


def _require_reachable(address: str) -> None:
    """Ray ends the whole process when nothing answers at HOST:PORT: look first.

    Raises OSError, ValueError.
    """
    host, colon, port = address.rpartition(":")
    if not colon:
        return
    with socket.create_connection((host, int(port)), timeout=10):
        pass


def visible_gpus() -> int:
    """GPUs that Ray has for us."""
    ray = require_ray()
    return int(ray.cluster_resources().get("GPU", 0))


def workers_for(workers: int | None, gpus_per_worker: float, *, cluster: bool) -> int:
    """How many workers to make: what was asked for, or as many as the GPUs allow.

    Raises SpecError for more workers than devices, and where `auto` finds no GPU.
    """
    gpus = visible_gpus()
    room = int(gpus // gpus_per_worker) if gpus_per_worker else 0
    if workers is None:
        if room:
            return room
        raise SpecError(
            f"{'The cluster' if cluster else 'This machine'} has no GPU that --workers auto could use.",
            "Give their number: --workers 2 makes two workers on the CPU.",
        )
    if gpus and gpus_per_worker and workers > room:
        raise SpecError(
            f"--workers {workers} with {gpus_per_worker:g} GPUs each need more than the {gpus} GPUs here.",
            f"Use --workers {room}, or fewer --gpus-per-worker (0.5 puts two workers on one GPU).",
        )
    return workers


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
