"""Columns of parquet and Arrow files, as the hub serves them: row by row, images encoded, memory flat."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalsuite.content import Image
from evalsuite.errors import DataError, suggest

if TYPE_CHECKING:
    import pyarrow as pa

_ROWS = 16
"""Rows decoded at a time: of half-megabyte images that is 8 MB."""


def read_table(paths: Sequence[Path], columns: Mapping[str, str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The rows of several files, one after the other, each with a name for messages (`file, row 12`).

    Parquet files are mapped and decompressed page by page, Arrow files (IPC file or stream, as `datasets`
    caches them) are mapped, so memory does not grow with the file: it is about twice the largest row group of
    images (the hub writes groups of 100 rows). Only the named columns are read.

    Args:
        paths: `.parquet` or `.arrow` files with the same columns.
        columns: our name for a field -> the column's name; a dot goes into a struct (`image.bytes`).

    Yields:
        where the row is, and its fields under our names; cells are plain Python values.

    Raises:
        DataError: a file cannot be read or has no such column (the message names those it has).
    """
    for path in paths:
        position = 0
        for batch in _batches(path, list(columns.values())):
            cells = [_column(batch, name, path).to_pylist() for name in columns.values()]
            for values in zip(*cells, strict=True):
                yield f"{path}, row {position}", dict(zip(columns, values, strict=True))
                position += 1


def column_names(path: Path) -> tuple[str, ...]:
    """The names of the columns of a `.parquet` or `.arrow` file. Raises DataError where it cannot be read."""
    if path.suffix == ".parquet":
        return tuple(field.name for field in _parquet(path).schema_arrow)
    for batch in _arrow_batches(path):
        return tuple(batch.schema.names)
    raise DataError(f"{path} has no rows.", "Fetch it again.")


def image_cell(cell: Any, name: str) -> Image:
    """The image of a cell of the hub's `Image` feature: `{bytes, path}`, or bytes.

    Args:
        name: how messages call it when the cell has no path.

    A null or empty cell gives an image that cannot be read: one among many is the failure of its sample.

    Raises:
        DataError: the column is of another form. A path alone is refused: it points into the machine of
            whoever made the data set.
    """
    data, path = (cell.get("bytes"), cell.get("path")) if isinstance(cell, dict) else (cell, None)
    if not data and not path and (cell is None or isinstance(cell, dict | bytes)):
        return Image(data=b"", name=name, problem=f"{name} holds no image (a null or empty cell).")
    if not isinstance(data, bytes) or not data:
        what = f"only the path {path!r}" if path else f"no image ({type(cell).__name__})"
        raise DataError(f"{name} holds {what}.", "The image bytes must be embedded in the table.")
    return Image(data=data, name=Path(path).name if isinstance(path, str) and path else name)


def _batches(path: Path, names: list[str]) -> Iterator[pa.RecordBatch]:
    if path.suffix == ".parquet":
        file = _parquet(path)
        _check(path, [field.name for field in file.schema_arrow], names)
        top = sorted({name.split(".")[0] for name in names})
        try:
            yield from file.iter_batches(batch_size=_ROWS, columns=top, use_threads=False)
        except (OSError, ValueError) as error:
            raise DataError(f"{path} is damaged ({error}).", "Fetch it again.") from error
    else:
        for batch in _arrow_batches(path):
            _check(path, batch.schema.names, names)
            for start in range(0, batch.num_rows, _ROWS):
                yield batch.slice(start, _ROWS)


def _parquet(path: Path) -> Any:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        # Mapped, the compressed row group is no memory of ours; what is decompressed is one page at a time.
        return pq.ParquetFile(path, memory_map=True, pre_buffer=False)
    except FileNotFoundError as error:
        raise DataError(f"{path} does not exist.", "Check the data folder.") from error
    except (pa.ArrowInvalid, OSError) as error:
        raise DataError(f"{path} is not a complete parquet file ({error}).", "Fetch it again.") from error


def _arrow_batches(path: Path) -> Iterator[pa.RecordBatch]:
    import pyarrow as pa

    try:
        with pa.memory_map(str(path)) as source:
            try:
                file = pa.ipc.open_file(source)
            except pa.ArrowInvalid:
                source.seek(0)
                yield from pa.ipc.open_stream(source)
            else:
                for index in range(file.num_record_batches):
                    yield file.get_batch(index)
    except FileNotFoundError as error:
        raise DataError(f"{path} does not exist.", "Check the data folder.") from error
    except (pa.ArrowInvalid, OSError) as error:
        raise DataError(f"{path} is not a complete Arrow file ({error}).", "Fetch it again.") from error


def _check(path: Path, have: Sequence[str], names: Sequence[str]) -> None:
    for name in names:
        if name.split(".")[0] not in have:
            raise DataError(
                f"{path} has no column {name!r} (it has: {', '.join(have)}).", suggest(name, have)
            )


def _column(batch: pa.RecordBatch, name: str, path: Path) -> pa.Array:
    top, *rest = name.split(".")
    column = batch.column(batch.schema.get_field_index(top))
    for part in rest:
        try:
            column = column.field(part)
        except (KeyError, AttributeError) as error:
            raise DataError(f"{path}: column {top!r} has no field {part!r}.") from error
    return column
