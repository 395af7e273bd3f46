"""Generated images in tar archives, for runs whose images are too many to be files: `images/shard-00000.tar`.

A shard is a plain tar that any tool reads. Where each image lies is in the database, written in the same
commit as the responses that refer to it: the archive is synced first, so an image is on disk before its
record counts, and what a kill left behind the last commit is cut off when the run resumes.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
import tarfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from evalsuite.content import FileSlice, Image
from evalsuite.errors import StoreError
from evalsuite.store.images import ImageReference, reference_of
from evalsuite.store.layout import IMAGES, reporting, sync_folder

SCHEMA = """
CREATE TABLE IF NOT EXISTS image_places (
    sha256 TEXT NOT NULL PRIMARY KEY,
    suffix TEXT NOT NULL,
    shard INTEGER NOT NULL,
    offset INTEGER NOT NULL,
    size INTEGER NOT NULL
) WITHOUT ROWID;
"""
AUTOMATIC_AFTER = 20_000
"""Images that are files of their own before shards begin, where the user does not say."""
AUTOMATIC_SIZE = 10_000
_BLOCK = tarfile.BLOCKSIZE
_END = bytes(2 * _BLOCK)


@dataclass(frozen=True, slots=True)
class Place:
    """Where an image lies: the number of the shard, offset and size of its bytes."""

    reference: ImageReference
    shard: int
    offset: int
    size: int

    @property
    def row(self) -> tuple[str, str, int, int, int]:
        return self.reference.sha256, self.reference.suffix, self.shard, self.offset, self.size


def shard_file(root: Path, number: int) -> Path:
    return root / IMAGES / f"shard-{number:05}.tar"


class ShardWriter:
    """Appends images to the shards of a run; the run's one writer holds it.

    Call `put` for each image, `sync` before the commit, give `pending` to the commit, then `committed`; or
    `forget` when the commit failed.

    Args:
        root: the run.
        connection: its database.
        per_shard: images of an archive.
    """

    def __init__(self, root: Path, connection: sqlite3.Connection, per_shard: int) -> None:
        self._root = root
        self._connection = connection
        self._per_shard = per_shard
        self._pending: dict[str, Place] = {}
        self._descriptor: int | None = None
        self._number, self._count, self._end = self._recover()

    @property
    def pending(self) -> list[Place]:
        """Images that were put but are in no commit yet."""
        return list(self._pending.values())

    def put(self, data: bytes, reference: ImageReference | None = None) -> ImageReference:
        """Appends an encoded image unless it is there already; it counts after `sync` and the commit.

        Args:
            reference: what refers to the image, where it is known: it takes a digest of the whole.
        """
        reference = reference or reference_of(data)
        digest = reference.sha256
        if digest in self._pending or place_of(self._connection, digest) is not None:
            return reference
        if self._count >= self._per_shard:
            self.close()
            self._number, self._count, self._end = self._number + 1, 0, 0
        header = tarfile.TarInfo(reference.file_name)
        header.size = len(data)
        block = header.tobuf(tarfile.USTAR_FORMAT)
        padding = bytes(-len(data) % _BLOCK)
        file = shard_file(self._root, self._number)
        with reporting(file):
            descriptor = self._open(file)
            _write(descriptor, (block, data, padding), self._end)
        self._pending[digest] = Place(reference, self._number, self._end + len(block), len(data))
        self._count, self._end = self._count + 1, self._end + len(block) + len(data) + len(padding)
        return reference

    def sync(self) -> None:
        """Makes everything that was put durable."""
        if self._pending and self._descriptor is not None:
            with reporting(shard_file(self._root, self._number)):
                os.fsync(self._descriptor)

    def committed(self) -> None:
        """The pending images are in the database now."""
        self._pending.clear()

    def forget(self) -> None:
        """The commit failed: the pending images may be put again; their bytes are cut off or overwritten."""
        self._finish(end=False)
        self._pending.clear()
        self._number, self._count, self._end = self._recover()

    def close(self) -> None:
        """Ends the archive as tar wants it; also one that this writer only cut off at its last commit."""
        file = shard_file(self._root, self._number)
        with reporting(file):
            if file.exists():
                self._open(file)
        self._finish()

    def _open(self, file: Path) -> int:
        if self._descriptor is None:
            file.parent.mkdir(exist_ok=True)
            self._descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o644)
            sync_folder(file.parent)
        return self._descriptor

    def _finish(self, end: bool = True) -> None:
        if self._descriptor is None:
            return
        descriptor, self._descriptor = self._descriptor, None
        with reporting(shard_file(self._root, self._number)):
            try:
                if end:
                    _write(descriptor, (_END,), self._end)
                    os.fsync(descriptor)
            finally:
                os.close(descriptor)

    def _recover(self) -> tuple[int, int, int]:
        """(number, images, end) of the shard to resume with; what lies behind the last commit is cut off."""
        number, count, end = self._connection.execute(
            "SELECT shard, COUNT(*), MAX(offset + size) FROM image_places GROUP BY shard "
            "ORDER BY shard DESC LIMIT 1"
        ).fetchone() or (0, 0, 0)
        end += -end % _BLOCK
        for file in sorted((self._root / IMAGES).glob("shard-*.tar")):
            with reporting(file):
                at = int(file.stem.removeprefix("shard-"))
                if at > number:
                    file.unlink()
                elif at == number:
                    if file.stat().st_size < end:
                        raise StoreError(
                            f"{file} is shorter than the images that it should hold.",
                            "Restore it from a copy.",
                        )
                    os.truncate(file, end)
        return int(number), int(count), int(end)


def _write(descriptor: int, parts: Sequence[bytes], at: int) -> None:
    """Writes the parts one behind the other, without putting them together first."""
    left = [memoryview(part) for part in parts]
    os.lseek(descriptor, at, os.SEEK_SET)
    while left:
        done = os.writev(descriptor, left) if hasattr(os, "writev") else os.write(descriptor, left[0])
        while left and done >= len(left[0]):
            done -= len(left.pop(0))
        if left:
            left[0] = left[0][done:]


def place_of(connection: sqlite3.Connection, digest: str) -> Place | None:
    """Where the image of that digest lies in the shards; None where it does not."""
    found = connection.execute(
        "SELECT sha256, suffix, shard, offset, size FROM image_places WHERE sha256 = ?", (digest,)
    ).fetchone()
    return None if found is None else _place(found)


def has_places(connection: sqlite3.Connection) -> bool:
    """Whether the database knows of shards at all; those of earlier versions do not."""
    query = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'image_places'"
    return connection.execute(query).fetchone() is not None


def image_at(root: Path, place: Place) -> Image:
    """The image at a place, read when it is needed."""
    file_slice = FileSlice(shard_file(root, place.shard), place.offset, place.size)
    return Image(file_slice=file_slice, name=place.reference.file_name)


def check(root: Path, place: Place) -> str:
    """What is wrong with an image in a shard, one line; empty when it is present and intact."""
    file = shard_file(root, place.shard)
    if not file.exists():
        return f"{file} is missing"
    name = f"{place.reference.file_name[:12]}… in {file}"
    with reporting(file), file.open("rb") as stream:
        stream.seek(place.offset)
        data = stream.read(place.size)
    if hashlib.sha256(data).hexdigest() != place.reference.sha256:
        return f"{name} has changed"
    return ""


def strays(root: Path, connection: sqlite3.Connection) -> int:
    """Images in the shards that the database does not know, left by a kill; harmless."""
    count = 0
    for file in sorted((root / IMAGES).glob("shard-*.tar")):
        count += sum(place_of(connection, name.split(".")[0]) is None for name in _members(file))
    return count


def _members(file: Path) -> Iterator[str]:
    with suppress(tarfile.TarError, EOFError), tarfile.open(file) as archive:
        for member in archive:
            yield member.name


def _place(row: tuple[str, str, int, int, int]) -> Place:
    digest, suffix, shard, offset, size = row
    return Place(ImageReference(digest, suffix), shard, offset, size)
