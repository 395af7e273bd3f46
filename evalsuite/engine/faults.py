"""What an error of a device step means: memory is short, the device is gone, or one request is at fault."""

from __future__ import annotations

import sys

from evalsuite.errors import OutOfMemoryError, UnavailableError, text_of

_MEMORY_WORDS = (
    "out of memory",
    "can't allocate memory",
    "cannot allocate memory",
    # the math libraries' own workspaces and handles
    "cublas_status_alloc_failed",
    "cublas_status_not_initialized",
    "cudnn_status_alloc_failed",
    "device_allocation_failed",
    "cusolver_status_alloc_failed",
    "cufft_alloc_failed",
    "miopenstatusallocfailed",
)

_LOST_WORDS = (
    "device-side assert",
    "illegal memory access",
    "illegal address",
    "illegal instruction",
    "misaligned address",
    "invalid program counter",
    "hardware stack error",
    "unspecified launch failure",
    "launch timed out",
    "uncorrectable ecc",
    "ecc error",
    "device is lost",
    "gpu is lost",
    "device lost",
    "fallen off the bus",
    "no cuda-capable device",
    "device unavailable",
    "devices are busy or unavailable",
    "driver shutting down",
    "context is destroyed",
    "nvlink",
    "unknown error",
)
"""Errors after which CUDA or HIP refuses everything that the process asks of the device."""

_DEVICE_WORDS = ("cuda error", "hip error", "cudnn", "cublas", "accelerator")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether device or machine ran out of memory; torch's errors are known by name, without torch."""
    if isinstance(error, OutOfMemoryError | MemoryError):
        return True
    if any(kind.__name__ == "OutOfMemoryError" for kind in type(error).__mro__):
        return True
    return isinstance(error, RuntimeError) and any(word in text_of(error).lower() for word in _MEMORY_WORDS)


def is_device_lost(error: BaseException) -> bool:
    """Whether the process cannot use the device any more, whatever it asks next.

    An error of CUDA that is not known by its words is tried: on a context that is beyond repair, waiting for
    the device raises again.
    """
    if not isinstance(error, RuntimeError) or is_out_of_memory(error):
        return False
    text = text_of(error).lower()
    if not any(word in text for word in _DEVICE_WORDS):
        return False
    return any(word in text for word in _LOST_WORDS) or not device_answers()


def device_answers() -> bool:
    """Whether the current GPU still does what it is asked; True without one."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available():
        return True
    try:
        torch.cuda.synchronize()
    except RuntimeError:
        return False
    return True


def device_lost(error: BaseException) -> UnavailableError:
    """What stops the run: no sample is to blame for what the process cannot do any more."""
    first = " ".join(str(error).split())[:300]
    return UnavailableError(
        f"The device failed, and this process cannot use it any more ({first}).",
        "Start the same command again: it resumes here. If it stops at the same place, one sample does it: "
        "find it with --batch-size 1 and the environment variable CUDA_LAUNCH_BLOCKING=1.",
    )


def release_device_memory() -> None:
    """Gives memory that torch keeps for later back to the device."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()
