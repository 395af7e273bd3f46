"""Files and folders that commands write for their user: after a crash or a full disk the old one or the new
one is there, never a part, and nothing is destroyed that a command did not make."""

from __future__ import annotations

import errno
import os
import re
import shutil
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from evalsuite.errors import StoreError

_OPTION = "Choose another --out."
_MANY = 500
_TEMPORARY = re.compile(r"\.tmp-(\d+)-")


def write_file(path: Path, content: bytes | str, *, remedy: str = _OPTION) -> None:
    """Writes a file, with the folders above it; over an older one by a rename, when all of it is on disk.

    A link is followed, permissions of an older file stay. What is no file (a pipe, `/dev/stdout`) is written
    into as it is.

    Raises:
        StoreError: the disk is full, the folder is forbidden, the name is too long, or it is a folder.
    """
    data = content.encode("utf-8", "backslashreplace") if isinstance(content, str) else content
    with reporting(path, remedy):
        if _is_stream(path):
            with path.open("wb") as stream:
                stream.write(data)
            return
    with writing(path, remedy=remedy) as temporary:
        temporary.write_bytes(data)


@contextmanager
def writing(path: Path, *, remedy: str = _OPTION) -> Iterator[Path]:
    """As `write_file`, for libraries that write to a path: gives one with the same suffix in the same folder,
    which becomes `path` when the block ends, and is removed when it raises.

    Raises StoreError for every error of the file system in the block.
    """
    with reporting(path, remedy):
        target = Path(os.path.realpath(path))
        if target.is_dir():
            raise StoreError(f"{path} is a folder.", "Name a file.")
        if _is_stream(target):
            raise StoreError(f"{path} is not a plain file.", "Name a file.")
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.parent / f".tmp-{os.getpid()}-{_short(target)}"
        try:
            yield temporary
            _sync(temporary)
            if target.exists():
                temporary.chmod(stat.S_IMODE(target.stat().st_mode))
            temporary.replace(target)
            _sync(target.parent)
        finally:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)


@contextmanager
def new_folder(
    path: Path,
    ours: Callable[[Path], bool],
    *,
    what: str,
    made: Sequence[str] = (),
    remedy: str = _OPTION,
) -> Iterator[Path]:
    """A folder that is there when the block ends, whole, or not at all.

    What is at `path` already is replaced where it is empty or `ours` says that a command made it; entries of
    it that the new one has not stay there.

    Args:
        what: how the message of a refusal calls what may be replaced.
        made: names of entries that the command makes; those that the new folder lacks are removed.

    Yields:
        the folder to write into, beside `path` or, where `path` exists, in it.

    Raises:
        StoreError: it is a file or holds something else, or cannot be written.
    """
    with reporting(path, remedy):
        if path.exists() and not path.is_dir():
            raise StoreError(f"{path} is a file, not a folder.", remedy)
        if path.is_symlink() and not path.exists():
            raise StoreError(f"{path} is a link to nothing.", remedy)
        existed = path.is_dir()
        if existed:
            clear_leftovers(path)
            if any(path.iterdir()) and not ours(path):
                raise StoreError(f"{path} is not empty and not {what}.", remedy)
        # Within a folder that is there: it may be a mount, or the folder above it forbidden.
        path.parent.mkdir(parents=True, exist_ok=True)
        clear_leftovers(path.parent, _short(path))
        part = (path if existed else path.parent) / f".tmp-{os.getpid()}-{_short(path)}"
        part.mkdir()
        try:
            yield part
            _sync_all(part)
            if existed:
                stale = [path / name for name in made if not (part / name).exists()]
                move_into(part, path)
                for entry in stale:
                    _remove(entry)
            else:
                part.rename(path)
            _sync(path.parent)
        finally:
            shutil.rmtree(part, ignore_errors=True)


def move_into(part: Path, folder: Path) -> None:
    """Moves every entry of `part` into `folder`, over what is there, one rename after the other; files last,
    so that a page is never newer than what it shows."""
    for entry in sorted(part.iterdir(), key=lambda one: (one.is_file(), one.name)):
        target = folder / entry.name
        if entry.is_dir() and target.is_dir() and not target.is_symlink():
            old = part.parent / f"{part.name}-old"
            target.rename(old)
            entry.rename(target)
            shutil.rmtree(old, ignore_errors=True)
        else:
            entry.replace(target)
    _sync(folder)


def clear_leftovers(folder: Path, name: str | None = None) -> None:
    """Removes what commands that were killed left in a folder: temporary files and folders of processes that
    are gone; with `name`, only of that output."""
    for entry in folder.iterdir():
        found = _TEMPORARY.match(entry.name)
        if found is None or (name is not None and entry.name[found.end() :] not in (name, f"{name}-old")):
            continue
        if _is_alive(int(found[1])):
            continue
        _remove(entry)


@contextmanager
def reporting(where: Path, remedy: str = _OPTION) -> Iterator[None]:
    """Turns errors of the file system into one-line StoreErrors that name `where`."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StoreError(
                f"The disk is full: {where} could not be written.",
                "Free some space and run the same command again.",
            ) from error
        raise StoreError(f"{where} cannot be written ({error.strerror or error}).", remedy) from error


def _is_stream(path: Path) -> bool:
    """Whether something is there that is neither a file nor a folder."""
    return path.exists() and not path.is_file() and not path.is_dir()


def _remove(entry: Path) -> None:
    if entry.is_dir() and not entry.is_symlink():
        shutil.rmtree(entry, ignore_errors=True)
    else:
        entry.unlink(missing_ok=True)


def _short(path: Path) -> str:
    """The name with its suffix, so short that a prefix fits before it; file systems take 255 bytes."""
    if len(os.fsencode(path.name)) <= 200:
        return path.name
    return f"{path.stem[:40]}{path.suffix[:20]}"


def _sync(path: Path) -> None:
    if os.name == "nt" or path.is_symlink():
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sync_all(folder: Path) -> None:
    files = [file for file in folder.rglob("*") if not file.is_symlink()]
    if len(files) > _MANY and hasattr(os, "sync"):
        os.sync()  # a call per file would take minutes on a disk that turns
        return
    for file in files:
        _sync(file)


def _is_alive(process: int) -> bool:
    if process == os.getpid():
        return False  # our own earlier attempt
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
