"""What networks computed of a run's images, kept beside them: `features/NAME.json` and `features/NAME.rows`.

A `.rows` file is a sequence of rows of one size, nothing else, little-endian:

    key     32 bytes    sha256 of what was seen (see `of` in the header)
    crc      4 bytes    CRC-32 of key and values
    values  dim × 4 or 8 bytes  float32 or float64, as `dtype` in the header says

so that numpy reads it in one line (docs/scale.md). Rows are appended and synced a batch at a time. A process
that is killed leaves whole rows and at most one torn one, which the next writer cuts off; a row whose CRC is
wrong counts as absent and is computed again. Of two rows of one key the later one counts.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import zlib
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalsuite.errors import StoreError
from evalsuite.store.layout import FEATURES, reporting, write_durably

if TYPE_CHECKING:
    import numpy as np

_log = logging.getLogger(__name__)

FORMAT = 1
KEY = 32
"""Bytes of a key."""
_CHUNK = 4096
"""Rows that are read at a time."""


@dataclass(frozen=True, slots=True)
class FeatureKind:
    """What the rows of a file are; equal kinds can stand in one file.

    Args:
        network: its name.
        fingerprint: sha256 of its weights and preprocessing.
        dim: values of a row.
        output: what of the network: `features`, `logits`, `texts`, `scores`, `distances` …
        of: what a key is the sha256 of: `image` (the encoded file), `text`, `image and text` …
        preprocess: named way from image to input.
        dtype: `<f4` or `<f8`.
    """

    network: str
    fingerprint: str
    dim: int
    output: str = "features"
    of: str = "image"
    preprocess: str = ""
    dtype: str = "<f4"

    @property
    def identity(self) -> str:
        """Equal for kinds whose rows can stand in one file; what a network is called does not count."""
        what = [FORMAT, self.fingerprint, self.dim, self.output, self.of, self.preprocess, self.dtype]
        return hashlib.sha256(json.dumps(what).encode()).hexdigest()[:16]

    @property
    def file_name(self) -> str:
        """Without suffix; ends with the identity, and is no path whatever a network is called."""
        called = re.sub(r"[^A-Za-z0-9._-]+", "-", f"{self.network}-{self.preprocess}-{self.output}").strip(
            "-."
        )
        return f"{called[:60]}-{self.identity}"

    @property
    def row(self) -> np.dtype[Any]:
        """numpy's type of a row."""
        import numpy as np

        return np.dtype([("key", "u1", (KEY,)), ("crc", "<u4"), ("values", self.dtype, (self.dim,))])


@dataclass(slots=True)
class FeatureRows:
    """The rows of one kind. Memory: about 100 bytes a row; values stay on disk until they are read.

    Args:
        folder: of the run's features; made with the first row.
        kind: of the rows.
        writable: rows may be appended; the caller holds the run's lock.
        check: called before anything is written; raises where the run is no longer this writer's.
    """

    folder: Path
    kind: FeatureKind
    writable: bool = False
    check: Callable[[], None] = lambda: None
    damaged: int = 0
    """Rows that were found damaged, a torn one included."""
    _places: dict[bytes, int] = field(default_factory=dict)
    _count: int = 0
    _name: str = ""

    def __post_init__(self) -> None:
        # Another scoring may have called the same network otherwise.
        there = sorted(file.stem for file in self.folder.glob(f"*-{self.kind.identity}.*"))
        self._name = there[0] if there else self.kind.file_name
        if not self.file.exists() and not self._header.exists():
            return
        self._scan()
        if not self.damaged:
            return
        _log.warning(
            "%s: %d damaged rows are left out and computed again when they are needed.",
            self.file,
            self.damaged,
        )
        if self.writable:
            self._mend()

    @property
    def file(self) -> Path:
        return self.folder / f"{self._name}.rows"

    @property
    def _header(self) -> Path:
        return self.folder / f"{self._name}.json"

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, key: bytes) -> bool:
        return key in self._places

    def keys(self) -> Collection[bytes]:
        """Of all rows that are here."""
        return self._places.keys()

    def read(self, keys: Sequence[bytes]) -> np.ndarray:
        """(n, dim) values of rows that are here, in the order of the keys.

        Raises StoreError where the file is gone or was cut since it was opened.
        """
        import numpy as np

        found = np.empty((len(keys), self.kind.dim), dtype=self.kind.dtype)
        if not keys:
            return found
        with reporting(self.file):
            rows = np.memmap(self.file, dtype=self.kind.row, mode="r")
        places = [self._places[key] for key in keys]
        if max(places) >= len(rows):
            raise StoreError(f"{self.file} was cut while it was in use.", "Run the same command again.")
        for start in range(0, len(places), _CHUNK):
            found[start : start + _CHUNK] = rows["values"][places[start : start + _CHUNK]]
        return found

    def append(self, keys: Sequence[bytes], values: np.ndarray) -> None:
        """Makes rows durable, all by one sync. Raises StoreError where the disk is full."""
        import numpy as np

        if not keys:
            return
        rows = np.zeros(len(keys), dtype=self.kind.row)
        rows["key"] = np.frombuffer(b"".join(keys), dtype=np.uint8).reshape(len(keys), KEY)
        rows["values"] = np.asarray(values, dtype=self.kind.dtype).reshape(len(keys), self.kind.dim)
        rows["crc"] = checksums(rows)
        self.check()
        if not self._header.exists():
            with reporting(self.folder):
                self.folder.mkdir(exist_ok=True)
            header = {"format": FORMAT, **asdict(self.kind)}
            write_durably(self._header, (json.dumps(header, indent=1) + "\n").encode())
        with reporting(self.file):
            descriptor = os.open(self.file, os.O_WRONLY | os.O_CREAT, 0o644)
            try:
                # After the last whole row: what a batch that failed half-way left is written over.
                os.ftruncate(descriptor, self._count * self.kind.row.itemsize)
                os.lseek(descriptor, 0, os.SEEK_END)
                view = memoryview(rows.tobytes())
                while view:
                    view = view[os.write(descriptor, view) :]
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        for offset, key in enumerate(keys):
            self._places[key] = self._count + offset
        self._count += len(keys)

    def _scan(self) -> None:
        """Finds the whole rows."""
        self._places.clear()
        self._count = self.damaged = 0
        size = self.file.stat().st_size if self.file.exists() else 0
        whole, torn = divmod(size, self.kind.row.itemsize)
        if not self._header_fits():
            self.damaged = max(whole + bool(torn), 1)
            return
        self._count = whole
        self.damaged += bool(torn)
        for start, rows in iterate_rows(self.file, self.kind.row):
            right = checksums(rows) == rows["crc"]
            self.damaged += int((~right).sum())
            for at, key in enumerate(rows["key"]):
                if right[at]:
                    self._places[key.tobytes()] = start + at

    def _header_fits(self) -> bool:
        try:
            return read_header(self._header).identity == self.kind.identity
        except (OSError, ValueError, TypeError, KeyError):
            return False

    def _mend(self) -> None:
        """Writes the file anew with its whole rows alone, so that the damage is reported once."""
        import numpy as np

        kept = sorted(self._places.values())
        self.check()
        with reporting(self.file):
            temporary = self.folder / f".tmp-{os.getpid()}-{self.file.name}"
            with temporary.open("wb") as stream:
                if kept:
                    rows = np.memmap(self.file, dtype=self.kind.row, mode="r", shape=(self._count,))
                    for start in range(0, len(kept), _CHUNK):
                        stream.write(rows[kept[start : start + _CHUNK]].tobytes())
                stream.flush()
                os.fsync(stream.fileno())
            temporary.replace(self.file)
        if not self._header_fits():
            self._header.unlink(missing_ok=True)
        new = {place: at for at, place in enumerate(kept)}
        self._places = {key: new[place] for key, place in self._places.items()}
        self._count = len(kept)


@dataclass(slots=True)
class FeatureFolder:
    """The kept features of a run.

    Args:
        root: the run.
        writable, check: see `FeatureRows`.
    """

    root: Path
    writable: bool = False
    check: Callable[[], None] = lambda: None
    _open: dict[str, FeatureRows] = field(default_factory=dict)

    def rows(self, kind: FeatureKind) -> FeatureRows:
        """The rows of a kind, read from disk on first use."""
        if kind.identity not in self._open:
            self._open[kind.identity] = FeatureRows(self.root / FEATURES, kind, self.writable, self.check)
        return self._open[kind.identity]


def read_header(path: Path) -> FeatureKind:
    """Raises OSError, ValueError, TypeError or KeyError for what is no header of this format."""
    found = json.loads(path.read_text(encoding="utf-8"))
    if found.pop("format") != FORMAT:
        raise ValueError("another format")
    kind = FeatureKind(**found)
    if not isinstance(kind.dim, int) or kind.dim < 1 or kind.dtype not in ("<f4", "<f8"):
        raise ValueError("no kind of features")
    return kind


def iterate_rows(file: Path, row: np.dtype[Any]) -> Iterator[tuple[int, np.ndarray]]:
    """The whole rows of a file, some at a time, with the number of the first."""
    import numpy as np

    if not file.exists():
        return
    start = 0
    with file.open("rb") as stream:
        while True:
            data = stream.read(_CHUNK * row.itemsize)
            rows = np.frombuffer(data[: len(data) // row.itemsize * row.itemsize], dtype=row)
            if not len(rows):
                return
            yield start, rows
            start += len(rows)


def checksums(rows: np.ndarray) -> np.ndarray:
    import numpy as np

    return np.fromiter(
        (zlib.crc32(row["values"], zlib.crc32(row["key"])) for row in rows), dtype=np.uint32, count=len(rows)
    )
