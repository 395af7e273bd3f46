"""Fingerprints of data files, remembered by size and modification time: a run does not pay for them again."""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Iterable
from pathlib import Path

from evalsuite.cache import cache_folder
from evalsuite.errors import DataError
from evalsuite.request import fingerprint

_log = logging.getLogger(__name__)
_IMAGES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff"})


def sha256_of(path: Path, cache: Path | None = None) -> str:
    """Hex digest of a file's bytes.

    Args:
        cache: folder of remembered digests; None is `checksums` in evalsuite's cache. A digest counts as long
            as the file's size, modification time and inode are the same.

    Raises:
        DataError: the file is missing or cannot be read.
    """
    try:
        state = path.stat()
        key = [str(path.resolve()), state.st_size, state.st_mtime_ns, state.st_ino]
        remembered = (cache or cache_folder() / "checksums") / f"{fingerprint(key[0])[:32]}.json"
        known = _recall(remembered, key)
        if known:
            return known
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}).", "Check the data folder.") from error
    _remember(remembered, key, digest)
    return digest


def files_fingerprint(paths: Iterable[Path], cache: Path | None = None) -> str:
    """One digest over several files: names, sizes and contents, in sorted order.

    Of a folder: the relative names and sizes of all files in it, and the contents of those that are not
    images (images count by content where they are asked about: in the requests).
    """
    entries: list[tuple[str, int, str]] = []
    for path in paths:
        if path.is_dir():
            for file in (file for file in path.rglob("*") if file.is_file()):
                content = "" if file.suffix.lower() in _IMAGES else sha256_of(file, cache)
                entries.append((file.relative_to(path).as_posix(), file.stat().st_size, content))
        else:
            digest = sha256_of(path, cache)
            entries.append((path.name, path.stat().st_size, digest))
    return fingerprint(sorted(entries))


def _recall(path: Path, key: list[object]) -> str:
    try:
        entry = json.loads(path.read_text(encoding="utf-8"))
        return str(entry["sha256"]) if entry["key"] == key else ""
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return ""


def _remember(path: Path, key: list[object], digest: str) -> None:
    """Best effort: a cache that cannot be written costs time, not correctness."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f"{path.name}.{os.getpid()}")
        temporary.write_text(json.dumps({"key": key, "sha256": digest}), encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        _log.info("The checksum of %s is not remembered (%s).", key[0], error)
