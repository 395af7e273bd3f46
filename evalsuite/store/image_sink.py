"""Where a writer puts images: files of their own, or tar shards when they are many."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from evalsuite.content import Image
from evalsuite.errors import EvalsuiteError
from evalsuite.store import images
from evalsuite.store.images import ImageReference
from evalsuite.store.layout import IMAGES
from evalsuite.store.shards import AUTOMATIC_AFTER, AUTOMATIC_SIZE, Place, ShardWriter


class ImageSink:
    """Puts images where they belong.

    Args:
        root: the run.
        connection: its database.
        per_shard: images of a tar archive; 0: every image is a file; None: files, and archives once there are
            more than `AUTOMATIC_AFTER` of them.
    """

    def __init__(self, root: Path, connection: sqlite3.Connection, per_shard: int | None) -> None:
        self._root = root
        self._connection = connection
        self._per_shard = per_shard
        self._shards: ShardWriter | None = None
        self._files: int | None = None
        self._any_file: bool | None = None
        self._ahead: dict[int, tuple[Image, ImageReference]] = {}

    def prepare(self, image: Image) -> None:
        """Encodes and digests an image ahead of its `put`, in whatever thread: half of what putting costs."""
        with suppress(EvalsuiteError):  # no image, or one that cannot be read: `put` says so
            self._ahead[id(image)] = image, images.reference_of(image.read())

    def put(self, image: Image) -> ImageReference:
        """Stores an image. A file is durable at once, an image in a shard after `commit`."""
        data = image.read()
        ahead = self._ahead.pop(id(image), None)
        reference = images.reference_of(data) if ahead is None else ahead[1]
        # A run that was sharded and resumes with files, or vice versa, keeps what it has.
        if self._is_file(reference):
            return reference
        if self._sharded():
            return self._writer().put(data, reference)
        images.store(self._root, data, reference)
        self._any_file = True
        if self._files is not None:
            self._files += 1
        return reference

    @contextmanager
    def commit(self) -> Iterator[list[Place]]:
        """Makes what was put durable; the block commits its places, and whatever it raises undoes them."""
        if self._shards is None:
            yield []
            return
        try:
            self._shards.sync()
            yield self._shards.pending
        except BaseException:
            self._shards.forget()
            raise
        self._shards.committed()

    def close(self) -> None:
        if self._shards is not None:
            self._shards.close()

    def _is_file(self, reference: ImageReference) -> bool:
        if self._any_file is None:
            self._any_file = any(folder.is_dir() for folder in (self._root / IMAGES).glob("??"))
        return self._any_file and images.locate(self._root, reference).exists()

    def _sharded(self) -> bool:
        if self._per_shard is not None:
            return self._per_shard > 0
        if self._files is None:
            self._files = sum(1 for _ in (self._root / IMAGES).glob("??/*"))
        return self._files >= AUTOMATIC_AFTER

    def _writer(self) -> ShardWriter:
        if self._shards is None:
            self._shards = ShardWriter(self._root, self._connection, self._per_shard or AUTOMATIC_SIZE)
        return self._shards
