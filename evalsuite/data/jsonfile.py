"""JSON and JSON-lines files of data sets, plain or gzipped, with errors that name the file and the line."""

from __future__ import annotations

import gzip
import io
import json
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, cast

from evalsuite.data.opening import require_readable
from evalsuite.errors import DataError


def read_json(path: Path, object_hook: Callable[[dict[str, Any]], Any] | None = None) -> Any:
    """The parsed file.

    Args:
        object_hook: as in `json.load`; lets a reader of a large file keep only what it needs of each object.

    Raises:
        DataError: missing, not UTF-8, or not JSON (with line and column).
    """
    try:
        with _open(path) as stream:
            return json.loads(stream.read(), object_hook=object_hook)
    except UnicodeDecodeError as error:
        raise _encoding(path, error) from error
    except json.JSONDecodeError as error:
        raise DataError(
            f"{path} is not valid JSON: {error.msg} at line {error.lineno}, column {error.colno}.",
            "The file may be incomplete: fetch it again.",
        ) from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} {_absurd(error)}.", "Is this the right file?") from error
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(
            f"{path} cannot be read ({_reason(error)}).", "Check the file, or fetch it again."
        ) from error


def read_lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """The objects of a JSON-lines file with their line numbers (from 1); empty lines are skipped.

    Raises:
        DataError: missing, not UTF-8, a line that is not a JSON object.
    """
    try:
        with _open(path) as stream:
            for number, line in enumerate(stream, start=1):
                if not line.strip():
                    continue
                try:
                    row = json.loads(line)
                except json.JSONDecodeError as error:
                    raise DataError(
                        f"{path}, line {number}: not valid JSON ({error.msg} at column {error.colno}).",
                        "The file may be incomplete: fetch it again.",
                    ) from error
                except (ValueError, RecursionError) as error:
                    raise DataError(
                        f"{path}, line {number} {_absurd(error)}.", "Is this the right file?"
                    ) from error
                if not isinstance(row, dict):
                    raise DataError(
                        f"{path}, line {number}: a JSON object is expected, not {type(row).__name__}."
                    )
                yield number, row
    except UnicodeDecodeError as error:
        raise _encoding(path, error) from error
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(
            f"{path} cannot be read ({_reason(error)}).", "Check the file, or fetch it again."
        ) from error


def field(row: Any, name: str, kind: type | tuple[type, ...], where: str) -> Any:
    """`row[name]`, checked.

    Args:
        where: file and place, for the message.

    Raises:
        DataError: the field is missing or has another type.
    """
    if not isinstance(row, dict) or name not in row:
        have = ", ".join(map(repr, row)) if isinstance(row, dict) else type(row).__name__
        raise DataError(f"{where} has no field {name!r} (it has: {have}).", "Is this the right file?")
    value = row[name]
    # bool is an int in Python, but never an id or a count in a data file.
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is int):
        wanted = kind.__name__ if isinstance(kind, type) else " or ".join(k.__name__ for k in kind)
        raise DataError(f"{where}: field {name!r} is {type(value).__name__} {value!r:.60}, not {wanted}.")
    return value


_UNPACKED = 2**28
_RATIO = 100
"""A packed file may unpack to 256 MiB, or to 100 times its size; JSON packs to a tenth or so."""


class _Bounded(io.RawIOBase):
    """A stream that ends with an OSError where it is longer than it may be."""

    def __init__(self, stream: IO[bytes], most: int) -> None:
        self._stream = stream
        self._left = most

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._stream.read(len(buffer))
        self._left -= len(data)
        if self._left < 0:
            raise OSError("it unpacks to far more than a data file does")
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self._stream.close()
        super().close()


def _open(path: Path) -> IO[str]:
    require_readable(path)
    if path.suffix == ".gz":
        packed = cast(IO[bytes], gzip.open(path, "rb"))  # noqa: SIM115  (the text above it closes it)
        most = max(_UNPACKED, _RATIO * path.stat().st_size)
        return io.TextIOWrapper(io.BufferedReader(_Bounded(packed, most)), encoding="utf-8-sig")
    return path.open(encoding="utf-8-sig")


def _absurd(error: Exception) -> str:
    """What is wrong with JSON that is valid but that no data set holds."""
    if isinstance(error, RecursionError):
        return "holds lists or objects nested too deeply"
    return "holds a number of more than 4,300 digits" if "digits" in str(error) else f"is malformed ({error})"


def _encoding(path: Path, error: UnicodeDecodeError) -> DataError:
    return DataError(
        f"{path} is not UTF-8 (byte {error.object[error.start]:#04x}: {error.reason}).",
        "Convert it to UTF-8 or fetch it again.",
    )


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
