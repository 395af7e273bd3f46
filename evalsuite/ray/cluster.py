"""Connecting to Ray: a local instance for one machine, or a cluster by its address."""

from __future__ import annotations

import logging
import math
import os
import signal
import socket
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from evalsuite.errors import SpecError, UnavailableError

_TOKEN = Path("~/.ray/auth_token")
_ATTEMPTS = 3
_REGISTERING = "600"
"""Seconds in which a worker process must report to its machine's raylet; Ray's own 60 are too few on an
overloaded machine, which then kills worker after worker while they import."""
_STARTED: set[str] = set()
"""Node ids of the local Rays that `connect` started in this process."""
_FREED = 10.0
"""Seconds in which Ray gives back the cores of workers that were just stopped."""


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
    if address is not None and _has_token():
        # An explicit address never reads the token by itself: Ray would say "failed to connect". Ray looks at
        # this variable once, when it is imported.
        os.environ.setdefault("RAY_AUTH_MODE", "token")
    ray = require_ray()
    needed = max(os.cpu_count() or 1, math.ceil((workers or 1) * cpus_per_worker))
    if ray.is_initialized() and not (address is None and _outgrown(ray, needed)):
        return f"ray {ray.__version__}, {'cluster' if address else 'local'}"
    quiet: dict[str, Any] = {"logging_level": logging.ERROR, "log_to_driver": False}
    handlers = _signal_handlers()
    try:
        if address is None:
            os.environ.setdefault("RAY_worker_register_timeout_seconds", _REGISTERING)
            # A history of tasks for Ray's dashboard, which a local Ray of ours does not have.
            os.environ.setdefault("RAY_task_events_report_interval_ms", "0")
            # "local": without it Ray joins a cluster that somebody else started on this machine.
            _start(ray, address="local", num_cpus=needed, include_dashboard=False, **quiet)
            _STARTED.add(ray.get_runtime_context().get_node_id())
            return f"ray {ray.__version__}, local"
        _require_reachable(address)
        ray.init(address=address, **quiet)
        return f"ray {ray.__version__}, cluster at {address}"
    except Exception as error:  # Ray raises ConnectionError, RuntimeError, ValueError and its own
        if address is None:
            raise UnavailableError(
                f"Ray does not start on this machine ({_said(error)}).", _remedy(error)
            ) from error
        raise UnavailableError(
            f"No Ray cluster can be joined at {address} ({_said(error)}).",
            "Is `ray start` running there, with this version of Ray and Python? A cluster with a token needs "
            f"it in {_TOKEN} on this machine too ({'it is there' if _has_token() else 'there is none'}).",
        ) from error
    finally:
        # Ray ends the process at SIGTERM by itself: what is in flight would be lost, and the run not marked.
        for number, handler in handlers.items():
            signal.signal(number, handler)


def _outgrown(ray: Any, needed: int) -> bool:
    """Ends the local Ray of an earlier run of this process that has too few cores; whether it did.

    Ray cannot be given more cores later. One that other workers still use, or that somebody else
    started, is left as it is.
    """
    if ray.get_runtime_context().get_node_id() not in _STARTED or resources()[1] >= needed:
        return False
    until = time.monotonic() + _FREED
    while ray.available_resources().get("CPU", 0) < resources()[1]:
        if time.monotonic() > until:
            return False
        time.sleep(0.1)
    ray.shutdown()
    return True


def _signal_handlers() -> dict[int, Any]:
    """How signals are dealt with now; only the main thread may say so again."""
    if threading.current_thread() is not threading.main_thread():
        return {}
    known = (getattr(signal, name, None) for name in ("SIGTERM", "SIGINT", "SIGHUP"))
    return {number: signal.getsignal(number) for number in known if number is not None}


def _has_token() -> bool:
    return _TOKEN.expanduser().is_file()


def _start(ray: Any, **options: Any) -> None:
    """Starts a local Ray; again where a busy machine makes Ray give up on its own parts after 30 s."""
    for attempt in range(_ATTEMPTS):
        try:
            ray.init(**options)
            return
        except Exception as error:
            ray.shutdown()
            if "timed out" not in str(error) or attempt == _ATTEMPTS - 1:
                raise


def _require_reachable(address: str) -> None:
    """Ray ends the whole process when nothing answers at HOST:PORT: look first.

    Raises OSError, ValueError.
    """
    host, colon, port = address.rpartition(":")
    if not colon:
        return
    with socket.create_connection((host, int(port)), timeout=10):
        pass


def resources() -> tuple[float, float]:
    """GPUs and processor cores that Ray has for us now; machines may join later."""
    found = require_ray().cluster_resources()
    return float(found.get("GPU", 0)), float(found.get("CPU", 0))


def visible_gpus() -> int:
    """GPUs that Ray has for us now."""
    return int(resources()[0])


def workers_for(
    workers: int | None, gpus_per_worker: float, cpus_per_worker: float = 1.0, *, cluster: bool
) -> int:
    """How many workers to make: what was asked for, or as many as the GPUs allow.

    Raises SpecError for more workers than devices, and where `auto` finds no GPU.
    """
    gpus, cpus = resources()
    where = "the cluster" if cluster else "this machine"
    room = room_for(gpus, cpus, gpus_per_worker, cpus_per_worker)
    if workers is None:
        if gpus and gpus_per_worker and room:
            return room
        raise SpecError(
            f"{where.capitalize()} has no GPU that --workers auto could use.",
            "Give their number: --workers 2 makes two workers on the CPU.",
        )
    if workers <= room:
        return workers
    if gpus and gpus_per_worker and workers > gpus // gpus_per_worker:
        raise SpecError(
            f"--workers {workers} with {gpus_per_worker:g} GPUs each need more than the {gpus:g} GPUs of "
            f"{where}.",
            f"Use --workers {room}, or fewer --gpus-per-worker (0.5 puts two workers on one GPU).",
        )
    # A local Ray is made as large as needed: a small one is another's, or other workers still use it.
    having = "the cluster" if cluster else "the Ray that runs in this process already"
    raise SpecError(
        f"--workers {workers} with {cpus_per_worker:g} cores each need more than the {cpus:g} cores of "
        f"{having}.",
        f"Use --workers {room}, or fewer --cpus-per-worker.",
    )


def room_for(gpus: float, cpus: float, gpus_per_worker: float, cpus_per_worker: float) -> int:
    """How many workers these resources are enough for; without a GPU, the cores alone count."""
    by_cores = int(cpus / cpus_per_worker + 1e-6)
    return min(by_cores, int(gpus / gpus_per_worker + 1e-6)) if gpus and gpus_per_worker else by_cores


def _remedy(error: Exception) -> str:
    """What to do where a Ray of this machine does not start."""
    if isinstance(error, OSError) and not isinstance(error, ConnectionError | TimeoutError):
        home = os.environ.get("HOME", "not set")
        return (
            f"Ray writes below HOME ({home}) and {tempfile.gettempdir()}: name a HOME that may be written "
            "(in a container, for a user that it does not know, it is often /), or set RAY_TMPDIR."
        )
    return "On a machine that is overloaded it gives up after 30 s: try again when it is idle."


def _said(error: BaseException) -> str:
    """The first words of an error; of two versions, both."""
    lines = [line.strip() for line in str(error).strip().splitlines() if line.strip()]
    if lines and "ersion mismatch" in lines[0]:
        return " ".join(lines)[:400]
    return (lines or [type(error).__name__])[0][:300]
