"""One writer at a time: a lock that the operating system drops when its holder dies."""

from __future__ import annotations

import os
import platform
from pathlib import Path

from evalsuite.errors import StoreError
from evalsuite.store.layout import LOCK, reporting


class WriterLock:
    """Held while a process writes into a run; `kill -9` releases it."""

    def __init__(self, path: Path) -> None:
        """Takes the lock of the run at `path`. Raises StoreError, naming the holder, when another has it."""
        import filelock

        self._file = path / LOCK
        self._owner = path / f".tmp-{LOCK}-owner"
        self._lock = filelock.FileLock(self._file)
        with reporting(self._file):
            try:
                self._lock.acquire(timeout=0)
            except filelock.Timeout:
                raise StoreError(
                    f"{path} is being written by another process ({self._holder()}).",
                    "Wait for it, stop it, or choose another --out.",
                ) from None
            self._owner.write_text(f"process {os.getpid()} on {platform.node()}")

    def release(self) -> None:
        self._owner.unlink(missing_ok=True)
        self._lock.release()

    def _holder(self) -> str:
        try:
            return self._owner.read_text()
        except OSError:
            return "unknown"
