"""The files of kept features of a run: listed, checked, deleted."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from evalsuite.store.features import FeatureKind, checksums, iterate_rows, read_header
from evalsuite.store.layout import FEATURES, reporting
from evalsuite.store.lock import WriterLock
from evalsuite.store.manifest import read_manifest


@dataclass(frozen=True, slots=True)
class StoredFeatures:
    """A file of rows as it lies in a run.

    Args:
        kind: None where the header is missing or damaged.
        rows: whole ones, those that a later one replaced included.
        damaged: torn rows and rows with a wrong checksum.
        size: bytes on disk.
    """

    file: Path
    kind: FeatureKind | None
    rows: int
    damaged: int
    size: int


def stored_features(root: Path, *, check: bool = False) -> list[StoredFeatures]:
    """The feature files of a run; `check` reads all of them. Raises StoreError where one cannot be read."""
    found = []
    for file in sorted((root / FEATURES).glob("*.rows")):
        with reporting(file):
            size = file.stat().st_size
            try:
                kind = read_header(file.with_suffix(".json"))
            except (OSError, ValueError, TypeError, KeyError):
                found.append(StoredFeatures(file, None, 0, 1, size))
                continue
            rows, torn = divmod(size, kind.row.itemsize)
            damaged = int(bool(torn))
            if check:
                damaged += sum(int((checksums(r) != r["crc"]).sum()) for _, r in iterate_rows(file, kind.row))
            found.append(StoredFeatures(file, kind, rows, damaged, size))
    return found


def delete_features(root: Path) -> int:
    """Deletes all kept features of a run, which scoring computes again; returns the bytes that this frees."""
    folder = root / FEATURES
    if not folder.is_dir():
        return 0
    with reporting(folder):
        size = sum(file.stat().st_size for file in folder.iterdir())
        shutil.rmtree(folder)
    return size


def prune(root: Path) -> int:
    """`delete_features` of a run that nobody is writing; returns the bytes freed.

    Raises StoreError where it is no run, or is being written.
    """
    read_manifest(root)
    lock = WriterLock(root)
    try:
        return delete_features(root)
    finally:
        lock.release()
