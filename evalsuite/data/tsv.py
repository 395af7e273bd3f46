"""Tab-separated tables with base64 images, as MMBench and similar benchmarks are published."""

from __future__ import annotations

import base64
import binascii
import csv
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from evalsuite.content import Image
from evalsuite.errors import DataError

_FIELD_LIMIT = min(sys.maxsize, 2**31 - 1)
_SHORTEST_IMAGE = 64
"""An image cell shorter than this is the index of another row: no PNG or JPEG fits into it."""
_BASE64 = re.compile(r"['\"]([^'\"]*)['\"]")
_LIST = re.compile(r"\[\s*(['\"][A-Za-z0-9+/=\s]*['\"]\s*,?\s*)*\]")
"""A list of base64 texts as Python and JSON write it."""


@dataclass(frozen=True, slots=True)
class _Row:
    """A row without its image: text cells, and where the row lies in the file."""

    line: int
    offset: int
    cells: dict[str, str]
    reference: str
    empty: bool = False


class ImageTable:
    """A TSV file whose column `image` holds base64 images or the `index` of the row that holds the image.

    The file is read once without keeping the images; `image` fetches one by its place in the file. So a
    table of gigabytes costs as much memory as its text.

    Args:
        path: UTF-8 file with a header.
        required: columns that must be there besides `index` and `image`.
        every_row: a row without an image is an error; else it has none.

    Raises:
        DataError: missing file, wrong encoding, missing or repeated column, a row with too few or too many
            cells, an index twice, a reference to a row that does not exist or has no image itself, no rows.
    """

    def __init__(self, path: Path, required: tuple[str, ...] = (), *, every_row: bool = True) -> None:
        self.path = path
        self._every_row = every_row
        self._rows: dict[str, _Row] = {}
        self._columns: list[str] = []
        self._read(("index", "image", *required))

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def columns(self) -> tuple[str, ...]:
        """The header."""
        return tuple(self._columns)

    def rows(self) -> Iterator[dict[str, str]]:
        """The text cells of every row in file order (`image` left out)."""
        for row in self._rows.values():
            yield dict(row.cells)

    def holder(self, index: str) -> str:
        """The index of the row that holds the image of row `index`: itself, or the row it refers to."""
        return self._rows[index].reference or index

    def image(self, index: str) -> Image:
        """The image of row `index`, its own or that of the row it refers to.

        Raises:
            DataError: the row has no image, or the base64 text is damaged or cut off.
        """
        if self._rows[self.holder(index)].empty:
            raise DataError(f"{self._where(index)}: there is no image in this row.", "Is the file complete?")
        return self._decoded(self._image_cell(index), index)

    def images(self, index: str) -> tuple[Image, ...]:
        """The images of row `index`: its cell may hold the text of a list of base64 images
        (`['iVBOR…', '/9j/…']`), as VLMEvalKit writes questions about several; none where it is empty.

        Raises:
            DataError: a base64 text is damaged or cut off, the list is none.
        """
        cell = self._image_cell(index)
        if not cell.startswith("["):
            return (self._decoded(cell, index),) if cell else ()
        if not _LIST.fullmatch(cell):
            raise DataError(
                f"{self._where(index)}: the images are no complete list of base64 texts.",
                "The file may be cut off: fetch it again.",
            )
        return tuple(self._decoded(text, index, f"/{k}") for k, text in enumerate(_BASE64.findall(cell)))

    def _where(self, index: str) -> str:
        row = self._rows[self.holder(index)]
        return f"{self.path}, index {row.cells['index']} (line {row.line})"

    def _image_cell(self, index: str) -> str:
        row = self._rows[self.holder(index)]
        with self.path.open("rb") as stream:
            stream.seek(row.offset)
            record = next(self._records(stream, row.line, row.offset))[2]
        return record[self._columns.index("image")].strip()

    def _decoded(self, text: str, index: str, place: str = "") -> Image:
        try:
            data = base64.b64decode("".join(text.split()), validate=True)
        except (binascii.Error, ValueError) as error:
            raise DataError(
                f"{self._where(index)}: the image is not complete base64 ({error}).",
                "The file may be cut off: fetch it again.",
            ) from error
        return Image(data=data, name=f"{self.path.name}#{self.holder(index)}{place}")

    def _read(self, required: tuple[str, ...]) -> None:
        try:
            with self.path.open("rb") as stream:
                records = self._records(stream, 1, 0)
                self._columns = self._header(next(records, (1, 0, []))[2], required)
                for line, offset, record in records:
                    self._take(line, offset, record)
        except OSError as error:
            raise DataError(
                f"{self.path} cannot be read ({error.strerror}).", "Check the data folder."
            ) from error
        if not self._rows:
            raise DataError(f"{self.path} has no rows.", "Fetch it again.")
        for row in self._rows.values():
            if row.reference and (row.reference not in self._rows or self._rows[row.reference].reference):
                what = "has no image itself" if row.reference in self._rows else "does not exist"
                raise DataError(
                    f"{self.path}, line {row.line}: the image refers to row {row.reference!r}, which {what}."
                )

    def _header(self, header: list[str], required: tuple[str, ...]) -> list[str]:
        names = [name.strip() for name in header]
        for name in required:
            if name not in names:
                raise DataError(
                    f"{self.path} has no column {name!r} (it has: {', '.join(names)}).",
                    "Is it tab-separated, and the right file?",
                )
        for name in names:
            if names.count(name) > 1:
                raise DataError(f"{self.path} has the column {name!r} twice.", "Remove one of the two.")
        return names

    def _take(self, line: int, offset: int, record: list[str]) -> None:
        where = f"{self.path}, line {line}"
        if len(record) != len(self._columns):
            raise DataError(
                f"{where} has {len(record)} cells instead of {len(self._columns)}.",
                "The file may be cut off or not tab-separated: fetch it again.",
            )
        cells = dict(zip(self._columns, record, strict=True))
        image = cells.pop("image").strip()
        index = cells["index"] = cells["index"].strip()
        if not index:
            raise DataError(f"{where} has no index.")
        if index in self._rows:
            raise DataError(f"{where}: index {index} occurs twice.", "Remove one of the two.")
        reference = image if len(image) < _SHORTEST_IMAGE else ""
        self._rows[index] = _Row(line, offset, cells, reference, empty=not image)

    def _records(self, stream: object, line: int, offset: int) -> Iterator[tuple[int, int, list[str]]]:
        """Line number, byte offset and cells of each record; a quoted cell may span lines."""
        source = _Lines(stream, self.path, line, offset)
        csv.field_size_limit(_FIELD_LIMIT)
        reader = csv.reader(source, delimiter="\t", strict=True)
        while True:
            start, place = source.line, source.offset
            try:
                record = next(reader, None)
            except csv.Error as error:
                raise DataError(
                    f"{self.path}, line {start}: not a valid TSV row ({error}).", "Fetch it again."
                ) from error
            if record is None:
                return
            if record:
                yield start, place, record


class _Lines:
    """Decoded lines of a binary file, with the number and byte offset of the next one."""

    def __init__(self, stream: object, path: Path, line: int, offset: int) -> None:
        self._lines = iter(stream)  # type: ignore[call-overload]
        self._path = path
        self.line = line
        self.offset = offset

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        raw: bytes = next(self._lines)
        try:
            text = raw.decode("utf-8-sig" if self.offset == 0 else "utf-8")
        except UnicodeDecodeError as error:
            raise DataError(
                f"{self._path}, line {self.line} is not UTF-8 ({error.reason}).",
                "Convert it, or fetch it again.",
            ) from error
        self.line += 1
        self.offset += len(raw)
        return text
