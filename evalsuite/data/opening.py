"""What may be opened: files, not devices, sockets and pipes that an archive or a link brought in."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from evalsuite.errors import DataError

_KINDS = (
    (stat.S_ISDIR, "a folder"), (stat.S_ISCHR, "a device"), (stat.S_ISBLK, "a device"),
    (stat.S_ISFIFO, "a pipe"), (stat.S_ISSOCK, "a socket"),
)  # fmt: skip


def kind_of(mode: int) -> str:
    """What a file of that mode is, where it is not a plain file; empty for one."""
    if stat.S_ISREG(mode):
        return ""
    return next((name for test, name in _KINDS if test(mode)), "no plain file")


def require_file(path: Path) -> None:
    """Raises DataError for what is there but neither file nor folder; what is missing is for the reader."""
    _require(path, ("", "a folder"))


def require_readable(path: Path) -> None:
    """As `require_file` for files that a user names: a pipe (`<(command)`, `/dev/stdin`) is one, too."""
    _require(path, ("", "a folder", "a pipe"))


def _require(path: Path, allowed: tuple[str, ...]) -> None:
    try:
        kind = kind_of(os.stat(path).st_mode)  # noqa: PTH116  (a path may be a str here)
    except (OSError, ValueError):
        return
    if kind not in allowed:
        raise DataError(f"{path} is {kind}, not a file.", "Remove it, or name another.")
