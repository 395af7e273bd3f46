"""Prediction files: which answer was given to which question, in the formats others write.

Every reader gives `Prediction`s in file order and raises DataError, naming file and place, for a missing
field, an answer that is no string, and a file that is empty or of another form.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

from evalsuite.data.jsonfile import field, read_json, read_lines
from evalsuite.errors import DataError, SpecError
from evalsuite.registry import suggest

_ID_FIELDS = ("question_id", "questionId", "id", "image_id", "img_id", "image_name", "index", "pid")
"""Where other harnesses' logs keep a question's own id, in the order in which they are tried."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """One answer.

    Args:
        key: the question's id as the file has it; empty where it only has a position.
        position: of the question in its benchmark, where the file says so.
        where: file and place, for messages.
    """

    key: str
    text: str
    where: str
    position: int | None = None


def read_predictions(path: Path, form: str) -> list[Prediction]:
    """The predictions of a file.

    Args:
        form: a name in `FORMATS`.

    Raises:
        SpecError: unknown format.
        DataError: the file is missing, empty or malformed, an id occurs twice.
    """
    if form not in FORMATS:
        raise SpecError(f"There is no prediction format {form!r}.", suggest(form, FORMATS))
    found = list(FORMATS[form](path))
    if not found:
        raise DataError(f"{path} holds no predictions.", "Is this the right file?")
    seen: dict[tuple[str, int | None], str] = {}
    for one in found:
        name = (one.key, one.position)
        if name in seen:
            raise DataError(
                f"{one.where}: {one.key or f'position {one.position}'} was answered before, at {seen[name]}.",
                "Remove one of the two.",
            )
        seen[name] = one.where
    return found


def _records(path: Path, key: str, answer: str) -> Iterator[Prediction]:
    """A JSON list of objects."""
    rows = read_json(path)
    if not isinstance(rows, list):
        raise DataError(f"{path} must be a list of results, not {type(rows).__name__}.", "Name its --format.")
    for position, row in enumerate(rows):
        where = f"{path}, entry {position}"
        yield Prediction(_key(field(row, key, (int, str), where)), field(row, answer, str, where), where)


def _lines(path: Path, key: str, answer: str) -> Iterator[Prediction]:
    """JSON lines of objects."""
    for number, row in read_lines(path):
        where = f"{path}, line {number}"
        yield Prediction(_key(field(row, key, (int, str), where)), field(row, answer, str, where), where)


def _pairs(path: Path) -> Iterator[Prediction]:
    """A JSON object, id -> answer."""
    rows = read_json(path)
    if not isinstance(rows, dict):
        raise DataError(
            f"{path} must be an object of answers, not {type(rows).__name__}.", "Name its --format."
        )
    for key in rows:
        where = f"{path}, {key}"
        yield Prediction(key, field(rows, key, str, where), where)


def _ordered(path: Path) -> Iterator[Prediction]:
    """POPE's official answers: JSON lines (or objects one after the other) in the order of the questions."""
    for position, (number, row) in enumerate(read_lines(path)):
        where = f"{path}, line {number}"
        yield Prediction("", field(row, "answer", str, where), where, position)


def _table(path: Path) -> Iterator[Prediction]:
    """Columns `index` and `prediction` of a TSV, CSV or JSON (VLMEvalKit's results, MMBench's upload)."""
    if path.suffix == ".json":
        rows = read_json(path)
        if not isinstance(rows, list):
            raise DataError(
                f"{path} must be a list of rows, not {type(rows).__name__}.", "Name its --format."
            )
        numbered: list[tuple[str, Any]] = [(f"{path}, row {place}", row) for place, row in enumerate(rows)]
    elif path.suffix in (".tsv", ".csv"):
        numbered = _cells(path, "\t" if path.suffix == ".tsv" else ",")
    else:
        raise DataError(f"{path} is neither .tsv, .csv nor .json.", "Save the sheet as TSV first.")
    for where, row in numbered:
        key = _key(field(row, "index", (int, float, str), where))
        yield Prediction(key, field(row, "prediction", str, where), where)


def _cells(path: Path, delimiter: str) -> list[tuple[str, Any]]:
    csv.field_size_limit(2**31 - 1)
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            rows = list(csv.DictReader(stream, delimiter=delimiter))
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 ({error.reason}).", "Convert it to UTF-8.") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}).", "Check the path.") from error
    return [(f"{path}, row {place}", row) for place, row in enumerate(rows)]


def _lmms_eval(path: Path) -> Iterator[Prediction]:
    """lmms-eval's `--log_samples` lines: the first filtered response, else the first response.

    The question's own id in `doc` counts; without one, `doc_id`, its position in the data set.
    """
    for number, row in read_lines(path):
        where = f"{path}, line {number}"
        given = row.get("filtered_resps") or row.get("resps")
        while isinstance(given, list) and given:
            given = given[0]
        if not isinstance(given, str):
            raise DataError(
                f"{where} has no response that is a string ({given!r:.40}).", "Is this a sample log?"
            )
        doc = row.get("doc")
        keys = [doc[name] for name in _ID_FIELDS if name in doc] if isinstance(doc, dict) else []
        position = None if keys else field(row, "doc_id", int, where)
        yield Prediction(_key(keys[0]) if keys else "", given, where, position)


FORMATS: Mapping[str, Callable[[Path], Iterator[Prediction]]] = MappingProxyType(
    {
        "vqa": partial(_records, key="question_id", answer="answer"),
        "vizwiz": partial(_records, key="image", answer="answer"),
        "gqa": partial(_records, key="questionId", answer="prediction"),
        "docvqa": partial(_records, key="questionId", answer="answer"),
        "coco": partial(_records, key="image_id", answer="caption"),
        "llava": partial(_lines, key="question_id", answer="text"),
        "pope": _ordered,
        "mmbench": _table,
        "mmvet": _pairs,
        "lmms-eval": _lmms_eval,
        "vlmevalkit": _table,
    }
)
"""Format -> reader: official result files, LLaVA's answer lines, other harnesses' logs."""


def _key(value: object) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).removesuffix(".0") if isinstance(value, str) else str(value)
