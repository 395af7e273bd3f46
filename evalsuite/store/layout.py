"""The layout of a run directory, and how its files are written: after a crash, the old or the new."""

from __future__ import annotations

import errno
import hashlib
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

from evalsuite.errors import StoreError

FORMAT = 1
"""Version of the directory's format; a run of another version is refused."""

MANIFEST = "run.json"
RESPONSES = "responses.sqlite"
IMAGES = "images"
FEATURES = "features"
SCORES = "scores"
METRICS = "metrics.json"
LOCK = "run.lock"
_LONGEST = 200
"""Characters of a table's name; file systems take 255 bytes, and what is being written has a longer one."""


def scores_file(path: Path, task: str, rules: str, judge: str = "") -> Path:
    """The table of per-sample scores of one task under one set of rules and by one judge; names are escaped,
    never trusted."""
    parts = (task, rules, judge) if judge else (task, rules)
    name = ".".join(quote(part, safe="@ ").replace("/", "%2F") for part in parts)
    if len(name) > _LONGEST:  # a judge is named with its parameters
        name = f"{name[: _LONGEST - 17]}~{hashlib.sha256(name.encode()).hexdigest()[:16]}"
    return path / SCORES / f"{name}.parquet"


def is_unused(path: Path) -> bool:
    """Whether a run may begin here: absent, empty, or begun and killed before its `run.json` was written.

    That comes first. Responses without it are those of a run that lost it, of nobody knows which model.
    """
    if not path.exists():
        return True
    return path.is_dir() and all(
        entry.name == LOCK or entry.name.startswith(".tmp-") for entry in path.iterdir()
    )


def write_durably(target: Path, data: bytes) -> None:
    """Writes a file so that after a crash or a power loss it is the old one or the new one, never a part.

    Raises StoreError when the disk is full or the folder cannot be written.
    """
    with reporting(target):
        # Never the run itself: one that was moved or deleted must not come into being again, in part.
        target.parent.mkdir(exist_ok=True)
        temporary = target.parent / f".tmp-{os.getpid()}-{target.name}"
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(descriptor, view) :]
            os.fsync(descriptor)
        except OSError:
            with suppress(OSError):
                temporary.unlink()
            raise
        finally:
            os.close(descriptor)
        temporary.replace(target)
        sync_folder(target.parent)


def sync_folder(folder: Path) -> None:
    """Makes a rename in `folder` survive a power loss, on systems where folders can be synced."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def reporting(where: Path) -> Iterator[None]:
    """Turns errors of the file system and of SQLite into one-line StoreErrors that name `where`."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise _full(where) from error
        raise StoreError(
            f"{where} cannot be written or read ({error.strerror or error}).",
            "Check the path and its permissions.",
        ) from error
    except sqlite3.OperationalError as error:
        text = str(error)
        if "full" in text:
            raise _full(where) from error
        if "disk I/O" in text:
            raise StoreError(
                f"{where} could not be written or read ({text}): the disk may be full or failing.",
                "Check the disk and run the same command again; everything answered so far is kept.",
            ) from error
        if "locked" in text:
            raise StoreError(f"{where} is locked by another process.", "Wait for it to finish.") from error
        raise StoreError(
            f"{where} cannot be used ({text}).", "Check the path and its permissions."
        ) from error
    except sqlite3.DatabaseError as error:
        raise StoreError(
            f"{where} is damaged ({error}).",
            "Restore it from a copy, or start again with another --out; "
            "`sqlite3 responses.sqlite .recover` may save what it holds.",
        ) from error


def _full(where: Path) -> StoreError:
    return StoreError(
        f"The disk is full: {where} could not be written.",
        "Free some space and run the same command again; everything answered so far is kept.",
    )
