"""The rows of a table in any of the usual formats: parquet, Arrow, TSV, CSV, JSON and JSON lines."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evalsuite.data.jsonfile import field, read_json, read_lines
from evalsuite.data.table import column_names, read_table
from evalsuite.data.tsv import ImageTable
from evalsuite.errors import DataError, suggest

FORMATS = (".parquet", ".arrow", ".tsv", ".txt", ".csv", ".json", ".jsonl")
"""File endings by which a table's format is known; `.json` and `.jsonl` may be packed (`.gz`)."""
_DELIMITERS = {".tsv": "\t", ".txt": "\t", ".csv": ","}


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Stands for a cell whose content is damaged; `reason` says how and where."""

    reason: str


@dataclass(frozen=True, slots=True)
class Layout:
    """What must be known of a file besides its ending.

    Args:
        header: column names of a TSV or CSV file that has none in its first line.
        rows: field of a JSON file's object that holds the list of rows; empty: the file is the list, or an
            object of rows whose names become the column `key`.
    """

    header: tuple[str, ...] = ()
    rows: str = ""


def columns_of(path: Path, layout: Layout | None = None) -> tuple[str, ...]:
    """The names of a table's columns. Of JSON: those of its first row.

    Raises:
        DataError: the file cannot be read, is of no known format, or has no rows.
    """
    layout = layout or Layout()
    kind = _format(path)
    if kind in (".parquet", ".arrow"):
        return column_names(path)
    if kind in _DELIMITERS:
        return _delimited_columns(path, layout)
    for _, row in _objects(path, layout):
        return tuple(row)
    raise DataError(f"{path} has no rows.", "Fetch it again.")


def read_rows(
    paths: Sequence[Path], names: Iterable[str], layout: Layout | None = None
) -> Iterator[tuple[Path, str, dict[str, Any]]]:
    """The rows of several files, one after the other, read lazily.

    Args:
        names: the columns to read; where an image stands in one it is read only with its row.

    Yields:
        the file; the row's place for messages (`file, row 12`); its cells by column name. The image column of
        a TSV gives a list of `{bytes, path}` as the hub's image features do, or `Unreadable`.

    Raises:
        DataError: a file cannot be read, is of no known format, or has no such column.
    """
    layout = layout or Layout()
    wanted = list(dict.fromkeys(names))
    for path in paths:
        kind = _format(path)
        if kind in (".parquet", ".arrow"):
            rows: Iterator[tuple[str, dict[str, Any]]] = read_table([path], {name: name for name in wanted})
        elif kind in _DELIMITERS:
            rows = _delimited(path, wanted, layout)
        else:
            rows = _picked(path, wanted, layout)
        for where, row in rows:
            yield path, where, row


def _format(path: Path) -> str:
    name = path.name.removesuffix(".gz")
    kind = next((ending for ending in FORMATS if name.endswith(ending)), "")
    if not kind:
        raise DataError(f"{path} is no table.", f"Files end in {', '.join(FORMATS)}.")
    return kind


def _delimited_columns(path: Path, layout: Layout) -> tuple[str, ...]:
    if layout.header:
        return layout.header
    header = next(_lines(path), ("", []))[1]
    names = tuple(name.strip() for name in header)
    repeated = next((name for name in names if names.count(name) > 1), None)
    if repeated is not None:
        raise DataError(f"{path} has the column {repeated!r} twice.", "Remove one of the two.")
    return names


def _delimited(path: Path, names: Sequence[str], layout: Layout) -> Iterator[tuple[str, dict[str, Any]]]:
    columns = _delimited_columns(path, layout)
    _require(path, columns, names)
    if not layout.header and path.suffix == ".tsv" and {"index", "image"} <= {*columns}:
        yield from _with_images(path, names)
        return
    lines = _lines(path)
    if not layout.header:
        next(lines)
    for where, cells in lines:
        if len(cells) != len(columns):
            raise DataError(
                f"{where} has {len(cells)} cells instead of {len(columns)}.",
                "The file may be cut off or of another layout: fetch it again.",
            )
        row = dict(zip(columns, cells, strict=True))
        yield where, {name: row[name] for name in names}


def _with_images(path: Path, names: Sequence[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    table = ImageTable(path, every_row=False)
    for cells in table.rows():
        index = cells["index"]
        row: dict[str, Any] = {name: cells[name] for name in names if name != "image"}
        if "image" in names:
            try:
                images = table.images(index)
                row["image"] = [{"bytes": image.data, "path": image.name} for image in images] or None
            except DataError as error:
                row["image"] = Unreadable(str(error))
        yield f"{path}, index {index}", row


def _lines(path: Path) -> Iterator[tuple[str, list[str]]]:
    csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
    tabs = _DELIMITERS[path.suffix] == "\t"
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            # Plain text files (`.txt`) mean a quotation mark as it stands.
            if path.suffix == ".txt":
                reader = csv.reader(stream, delimiter="\t", quoting=csv.QUOTE_NONE)
            else:
                reader = csv.reader(stream, delimiter="\t" if tabs else ",")
            for cells in reader:
                if cells:
                    yield f"{path}, line {reader.line_num}", cells
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}).", "Check the data folder.") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 ({error.reason}).", "Convert it, or fetch it again.") from error
    except csv.Error as error:
        raise DataError(f"{path} is not a valid table ({error}).", "Fetch it again.") from error


def _picked(path: Path, names: Sequence[str], layout: Layout) -> Iterator[tuple[str, dict[str, Any]]]:
    for where, row in _objects(path, layout):
        # A row may leave out a field that is empty; one that no row has is a mistake.
        yield where, {name: row.get(name) for name in names}


def _objects(path: Path, layout: Layout) -> Iterator[tuple[str, Mapping[str, Any]]]:
    if path.name.removesuffix(".gz").endswith(".jsonl"):
        yield from ((f"{path}, line {number}", row) for number, row in read_lines(path))
        return
    value = read_json(path)
    if layout.rows:
        value = field(value, layout.rows, (list, dict), str(path))
    if isinstance(value, dict):
        value = [{"key": key, **row} if isinstance(row, dict) else row for key, row in value.items()]
    if not isinstance(value, list):
        raise DataError(
            f"{path} must be a list of rows, not {type(value).__name__}.",
            "Name the field that holds them by `settings: {rows: …}`.",
        )
    for position, row in enumerate(value):
        if not isinstance(row, dict):
            raise DataError(f"{path}, row {position} is {type(row).__name__} {row!r:.40}, not an object.")
        yield f"{path}, row {position}", row


def _require(path: Path, columns: Sequence[str], names: Iterable[str]) -> None:
    for name in names:
        if name not in columns:
            raise DataError(
                f"{path} has no column {name!r} (it has: {', '.join(columns)}).", suggest(name, columns)
            )
