"""What must be set before torch or numpy is imported: threads, and quiet libraries."""

from __future__ import annotations

import os

DEFAULTS = {
    # Waiting threads sleep instead of spinning: where anything else runs on the machine, spinning makes two
    # threads several times slower than one.
    "OMP_WAIT_POLICY": "PASSIVE",
    "GOMP_SPINCOUNT": "0",
    "KMP_BLOCKTIME": "0",
    # One thread tokenises while the device works; the tokenizers' own pool would take the cores from torch.
    "TOKENIZERS_PARALLELISM": "false",
    "TRANSFORMERS_VERBOSITY": "error",
    "DIFFUSERS_VERBOSITY": "error",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
}
"""Environment variables that are set unless the user did."""


def threads(cores: int) -> int:
    """How many compute threads: half the cores, the rest is for decoding images ahead; at most 16.

    Measured with the miniature on two cores, see CONTRIBUTING: one thread is faster than two.
    """
    return min(max(1, cores // 2), 16)


def settle() -> None:
    """Sets the defaults in this process and so in its children; the user's own values stay."""
    for name, value in DEFAULTS.items():
        os.environ.setdefault(name, value)
    os.environ.setdefault("OMP_NUM_THREADS", str(threads(available_cores())))


def available_cores() -> int:
    """Cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
