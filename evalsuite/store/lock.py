"""One writer at a time: a lock that the operating system drops when its holder dies, and a mark in the folder
by which the holder notices that it is not the one that writes there any more."""

from __future__ import annotations

import os
import platform
import secrets
from contextlib import suppress
from pathlib import Path

from evalsuite.errors import StoreError
from evalsuite.store.layout import LOCK, RESPONSES, reporting

_OWNER = f".tmp-{LOCK}-owner"
_PATIENCE = 0.3
"""Seconds to wait for the lock: somebody may be looking whether it is held."""


class WriterLock:
    """Held while a process writes into a run; `kill -9` releases it."""

    def __init__(self, path: Path) -> None:
        """Takes the lock of the run at `path`. Raises StoreError, naming the holder, when another has it."""
        import filelock

        self._path = path.absolute()
        self._file = path / LOCK
        self._owner = self._path / _OWNER
        self._lock = filelock.FileLock(self._file)
        self._mark = f"process {os.getpid()} on {platform.node()}, {secrets.token_hex(8)}"
        with reporting(self._file):
            try:
                self._lock.acquire(timeout=_PATIENCE, poll_interval=0.05)
            except filelock.Timeout:
                raise StoreError(
                    f"{path} is being written by another process ({_holder(path)}).",
                    "Wait for it, stop it, or choose another --out.",
                ) from None
            self._owner.write_text(self._mark)
            self._folder = _identity(self._path)
        self._database: tuple[int, int] | None = None

    def check(self) -> None:
        """Raises StoreError when what is at the run's path is not the folder that this writer began to write.

        It was moved, deleted or replaced, or a process on a machine that does not see this one's locks has
        taken it over. Asking further would cost answers that nobody could store.
        """
        with suppress(OSError):
            if self._database is None:
                self._database = _identity(self._path / RESPONSES)
            whole = (
                _identity(self._path) == self._folder
                and _identity(self._path / RESPONSES) == self._database
                and self._owner.read_text() == self._mark
            )
            if whole:
                return
        raise StoreError(
            f"{self._path} is no longer the folder that this run was writing to: {self._why()}.",
            "What was answered is in the folder that was moved: move it back and run the same command.",
        )

    def release(self) -> None:
        with suppress(OSError):
            if self._owner.read_text() == self._mark:
                self._owner.unlink(missing_ok=True)
        self._lock.release()

    def _why(self) -> str:
        if not self._path.exists():
            return "it was moved or deleted"
        holder = _holder(self._path)
        if holder not in ("unknown", self._mark.split(",")[0]):
            return f"another process has taken it over ({holder})"
        return "another one is at its place, or a part of it was deleted"


def is_written(path: Path) -> bool:
    """Whether a process holds the lock of the run at `path`; writes nothing."""
    try:
        import fcntl

        descriptor = os.open(path / LOCK, os.O_RDONLY)
    except FileNotFoundError:
        return False
    except (ImportError, OSError):
        return (path / _OWNER).exists()
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # a file system without locks
        return (path / _OWNER).exists()
    finally:
        os.close(descriptor)
    return False


def _holder(path: Path) -> str:
    try:
        return (path / _OWNER).read_text().split(",")[0] or "unknown"
    except OSError:
        return "unknown"


def _identity(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_dev, found.st_ino
