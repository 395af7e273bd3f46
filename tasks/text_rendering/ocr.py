"""Files of what an OCR engine, or a model in an environment of its own, read in a run's images."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from evalsuite.errors import DataError
from evalsuite.task.readers import field, read_lines

FileReadings = Mapping[tuple[str, int], str]
"""(prompt's id, image from 0) -> the text, a line of the OCR engine in a line."""

_FORM = "Give JSON lines of {id, image, text} or {id, image, lines}, the first with the reader's `model`."


def read_readings(path: Path) -> FileReadings:
    """JSON lines `{id, image, text}`, or with `lines`, a list of an OCR engine's lines; an empty one where
    nothing was found.

    Raises DataError for a line of another form, a reading that occurs twice, an empty file.
    """
    found: dict[tuple[str, int], str] = {}
    for line, row in read_lines(path):
        where = f"{path}, line {line}"
        key = str(field(row, "id", (str, int), where)), field(row, "image", int, where)
        if key in found:
            raise DataError(
                f"{where}: this reading occurs twice.", "Give the readings of one model's images."
            )
        if "lines" in row:
            lines = field(row, "lines", list, where)
            if not all(isinstance(text, str) for text in lines):
                raise DataError(f"{where}: lines must be texts.", _FORM)
            found[key] = "\n".join(lines)
        else:
            found[key] = field(row, "text", str, where)
    if not found:
        raise DataError(f"{path} holds no readings.", _FORM)
    return found


def read_by(path: Path) -> str:
    """The `model` that the first line names. Raises DataError where it names none."""
    for line, row in read_lines(path):
        return str(field(row, "model", str, f"{path}, line {line} (which model or engine read)"))
    raise DataError(f"{path} holds no readings.", _FORM)
