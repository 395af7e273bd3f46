"""How much memory decoding may take at once, over all threads of the process."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from evalsuite.errors import DataError

SHARE = 0.25
"""Of the memory that is free, what images being decoded may take together."""
SMALL = 16 * 2**20
"""Bytes below which an image passes without being counted: nearly all do, and counting takes a lock."""

_changed = threading.Condition()
_held = 0


@contextmanager
def held(size: int, name: str) -> Iterator[None]:
    """Waits until `size` bytes fit beside what other threads decode; one image may always be decoded alone.

    Raises:
        DataError: it would not fit into the memory there is: refused, rather than the process killed.
    """
    global _held
    if size < SMALL:
        yield
        return
    free = _available()
    if free is not None and size > free:
        raise DataError(
            f"Image {name} takes {size / 2**20:,.0f} MiB to decode, {free / 2**20:,.0f} MiB are free.",
            "Make it smaller, or run where there is more memory.",
        )
    with _changed:
        # What is free counts what others hold already as taken: their part is added, or they would block us.
        _changed.wait_for(lambda: not _held or _held + size <= _budget())
        _held += size
    try:
        yield
    finally:
        with _changed:
            _held -= size
            _changed.notify_all()


def _budget() -> float:
    free = _available()
    return float("inf") if free is None else SHARE * (free + _held)


def _available() -> int | None:
    """Bytes of memory that are free, also where a container has less than its machine."""
    import psutil

    free = int(psutil.virtual_memory().available)
    limit, used = (_number(Path("/sys/fs/cgroup") / name) for name in ("memory.max", "memory.current"))
    return free if limit is None or used is None else min(free, max(limit - used, 0))


def _number(file: Path) -> int | None:
    try:
        return int(file.read_text())
    except (OSError, ValueError):  # not a container of this kind, or one without a limit ("max")
        return None
