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
from evalsuite.errors import DataError, SpecError, suggest

_ID_FIELDS = ("question_id", "questionId", "id", "image_id", "img_id", "image_name", "index", "pid")
"""Where other harnesses' logs keep a question's own id, in the order in which they are tried."""
_METRIC_IDS = ("question_id", "questionId", "image_id", "index", "id")
"""Where lmms-eval's tasks keep it in what they hand to their metrics."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """One answer.

    Args:
        key: the question's id as the file has it; empty where it only has a position.
        position: of the question in its benchmark, where the file says so.
        where: file and place, for messages.
        prompt: the question, where the file records it: the place in the benchmark is checked by it.
        other: a second id, where the file has one besides `key`.
        right: the right answer, where the file records it: the place is checked by it, too.
        exact: `prompt` is the question alone, so that it may also be a part of ours.
    """

    key: str
    text: str
    where: str
    position: int | None = None
    prompt: str = ""
    other: str = ""
    right: str = ""
    exact: bool = False


def recognize(path: Path) -> str:
    """The format of a file: a name in `FORMATS`, by its suffix and its first entry.

    Raises:
        DataError: the file is missing, empty, or of no known form.
    """
    if path.suffix in (".tsv", ".csv", ".xlsx"):
        return "vlmevalkit"
    if path.is_dir():
        if any(path.glob("*/output.json")):
            return "mmmu"
        raise DataError(
            f"{path} is a folder without <subject>/output.json.", "Name the file with the predictions."
        )
    first = _first_entry(path)
    if isinstance(first, dict) and first:
        if isinstance(first.get("logs"), list):
            return "lmms-eval"
        form = next((name for name, fields in _FIELDS if fields <= first.keys()), "")
        if all(isinstance(row, dict) and {"response", "query"} <= row.keys() for row in first.values()):
            found = all("extraction" in row for row in first.values())
            return "mathvista-extractions" if found else "mathvista"
        if form or all(isinstance(text, str) for text in first.values()):
            return form or "mmvet"
    phrase = ", ".join(sorted(map(str, first))[:6]) if isinstance(first, dict) else type(first).__name__
    raise DataError(
        f"{path}: entries with {phrase or 'nothing'} are of no known format.", "Name its --format."
    )


def _first_entry(path: Path) -> Any:
    """Of a list its first entry, of lines the first, of an object itself; None where there is nothing."""
    try:
        value = None if path.suffix == ".jsonl" else read_json(path)
    except DataError:  # lines in a file that is called .json, as POPE's are
        value = None
    if value is None:
        return next((row for _, row in read_lines(path)), None)
    return next(iter(value), None) if isinstance(value, list) else value


_FIELDS = (
    ("lmms-eval", {"filtered_resps"}), ("lmms-eval", {"resps"}), ("vlmevalkit", {"index", "prediction"}),
    ("gqa", {"questionId", "prediction"}), ("docvqa", {"questionId", "answer"}),
    ("vqa", {"question_id", "answer"}), ("llava", {"question_id", "text"}), ("coco", {"image_id", "caption"}),
    ("vizwiz", {"image", "answer"}), ("pope", {"question", "answer"}), ("mmmu", {"id", "response"}),
    ("blink", {"idx", "full_prediction"}),
)  # fmt: skip
"""Format, and the fields that its entries have; the first that fits is taken."""


def read_predictions(path: Path, form: str = "") -> list[Prediction]:
    """The predictions of a file.

    Args:
        form: a name in `FORMATS`; empty: the format is recognised.

    Raises:
        SpecError: unknown format.
        DataError: the file is missing, empty or malformed, an id occurs twice.
    """
    form = form or recognize(path)
    if form not in FORMATS:
        raise SpecError(f"There is no prediction format {form!r}.", suggest(form, FORMATS))
    found = list(FORMATS[form](path))
    if not found:
        raise DataError(f"{path} holds no predictions.", "Is this the right file?")
    seen: dict[tuple[str, int | None, str], str] = {}
    for one in found:
        # LLaVA's answers to TextVQA have the image's id, so the question counts, too.
        name = (one.key, one.position, one.prompt)
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
        yield Prediction(
            _key(field(row, key, (int, str), where)),
            field(row, answer, str, where),
            where,
            prompt=_asked(row),
        )


def _lines(path: Path, key: str, answer: str) -> Iterator[Prediction]:
    """JSON lines of objects."""
    for number, row in read_lines(path):
        where = f"{path}, line {number}"
        yield Prediction(
            _key(field(row, key, (int, str), where)),
            field(row, answer, str, where),
            where,
            prompt=_asked(row),
        )


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


def _problems(path: Path, answer: str) -> Iterator[Prediction]:
    """MathVista's `output_*.json`: an object, pid -> problem with `response` and, later, `extraction`."""
    rows = read_json(path)
    if not isinstance(rows, dict):
        raise DataError(
            f"{path} must be an object of problems, not {type(rows).__name__}.", "Name its --format."
        )
    for key in rows:
        where = f"{path}, {key}"
        row = field(rows, key, dict, where)
        said = row.get(answer)
        if answer not in row or not isinstance(said, str | int | float | None):
            raise DataError(f"{where} has no {answer} that is a text.", "Is this MathVista's output file?")
        yield Prediction(key, "" if said is None else str(said), where, prompt=_text(row.get("query")))


def _ordered(path: Path) -> Iterator[Prediction]:
    """POPE's official answers: JSON lines (or objects one after the other) in the order of the questions,
    each with the question, so that another order is seen."""
    for position, (number, row) in enumerate(read_lines(path)):
        where = f"{path}, line {number}"
        yield Prediction("", field(row, "answer", str, where), where, position, _asked(row))


def _subjects(path: Path) -> Iterator[Prediction]:
    """MMMU's own outputs: a folder with `<subject>/output.json`, or one such file; lists of `{id,
    response}`, MMMU-Pro's as lines."""
    files = sorted(path.glob("*/output.json")) if path.is_dir() else [path]
    if not files:
        raise DataError(f"{path} has no <subject>/output.json.", "Give the folder that MMMU's scripts wrote.")
    for file in files:
        lines = file.suffix == ".jsonl"
        rows = [row for _, row in read_lines(file)] if lines else read_json(file)
        if not isinstance(rows, list):
            raise DataError(
                f"{file} must be a list of answers, not {type(rows).__name__}.", "Is this MMMU's output.json?"
            )
        for place, row in enumerate(rows):
            where = f"{file}, entry {place}"
            yield Prediction(
                field(row, "id", str, where), field(row, "response", str, where), where, prompt=_asked(row)
            )


def _table(path: Path) -> Iterator[Prediction]:
    """Columns `index` and `prediction` of a TSV, CSV, XLSX or JSON (VLMEvalKit's and MMBench's results); such
    tables repeat the question, the right answer and other columns of the data."""
    if path.suffix == ".json":
        rows = read_json(path)
        if not isinstance(rows, list):
            raise DataError(
                f"{path} must be a list of rows, not {type(rows).__name__}.", "Name its --format."
            )
        numbered: list[tuple[str, Any]] = [(f"{path}, row {place}", row) for place, row in enumerate(rows)]
    elif path.suffix in (".tsv", ".csv"):
        numbered = _cells(path, "\t" if path.suffix == ".tsv" else ",")
    elif path.suffix == ".xlsx":
        numbered = _sheet(path)
    else:
        raise DataError(f"{path} is neither .tsv, .csv, .xlsx nor .json.", "Save it as one of these.")
    for where, row in numbered:
        key = _key(field(row, "index", (int, float, str), where))
        text = field(row, "prediction", str, where)
        yield Prediction(
            key,
            text,
            where,
            prompt=_text(row.get("question")),
            other=_text(row.get("id")),
            right=_right(row.get("answer")),
            exact=True,
        )


def _cells(path: Path, delimiter: str) -> list[tuple[str, Any]]:
    csv.field_size_limit(2**31 - 1)
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            rows = list(csv.DictReader(stream, delimiter=delimiter))
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 ({error.reason}).", "Convert it to UTF-8.") from error
    except csv.Error as error:
        raise DataError(f"{path} is not a valid table ({error}).", "Save it again.") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}).", "Check the path.") from error
    return [(f"{path}, row {place}", row) for place, row in enumerate(rows)]


def _sheet(path: Path) -> list[tuple[str, Any]]:
    import pandas as pd

    try:
        frame = pd.read_excel(path, keep_default_na=False)
    except ImportError as error:
        raise DataError(
            f"{path} needs the package openpyxl.", "pip install openpyxl, or save the sheet as TSV."
        ) from error
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read as a sheet ({error}).", "Save it as TSV.") from error
    if "prediction" in frame:  # a sheet keeps "3" as a number; VLMEvalKit, too, takes predictions as text
        frame["prediction"] = frame["prediction"].map(str)
    rows = frame.to_dict(orient="records")
    return [(f"{path}, row {place}", row) for place, row in enumerate(rows)]


def _logged(path: Path) -> Iterator[tuple[str, Any]]:
    """Rows of a log: lines, or the list `logs` of the one object that older versions wrote."""
    if path.suffix == ".json":
        for place, row in enumerate(field(read_json(path), "logs", list, str(path))):
            yield f"{path}, log {place}", row
    else:
        for number, row in read_lines(path):
            yield f"{path}, line {number}", row


def _own_id(row: Mapping[str, Any]) -> str:
    """The question's own id, in `doc` or in what the task kept for its metrics; empty where there is none."""
    doc = row.get("doc")
    if isinstance(doc, dict):
        return next((_key(doc[name]) for name in _ID_FIELDS if name in doc), "")
    kept = (value for value in row.values() if isinstance(value, dict))
    return next((_key(value[name]) for value in kept for name in _METRIC_IDS if name in value), "")


def _lmms_eval(path: Path) -> Iterator[Prediction]:
    """lmms-eval's `--log_samples`: the first filtered response, else the first response.

    The question's own id counts where the log has it; without one, `doc_id`, its position in the data set.
    """
    for where, row in _logged(path):
        if not isinstance(row, dict):
            raise DataError(f"{where} is {type(row).__name__}, not an object.", "Is this a sample log?")
        given = row.get("filtered_resps")
        if (
            given is None or given == []
        ):  # "" is an answer: the log then has no `resps`, which would say the same
            given = row.get("resps")
        while isinstance(given, list) and given:
            given = given[0]
        if not isinstance(given, str):
            raise DataError(
                f"{where} has no response that is a string ({given!r:.40}).", "Is this a sample log?"
            )
        key = _own_id(row)
        position = None if key else field(row, "doc_id", int, where)
        yield Prediction(key, given, where, position, _text(row.get("input")))


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
        "mmmu": _subjects,
        "mathvista": partial(_problems, answer="response"),
        "mathvista-extractions": partial(_problems, answer="extraction"),
        "blink": partial(_records, key="idx", answer="full_prediction"),
        "lmms-eval": _lmms_eval,
        "vlmevalkit": _table,
    }
)
"""Format -> reader: official result files, LLaVA's answer lines, other harnesses' logs."""


def _asked(row: Mapping[str, Any]) -> str:
    """What was asked, where a result file says it."""
    return next((text for name in ("prompt", "question") if (text := _text(row.get(name)))), "")


def _right(value: object) -> str:
    """A recorded answer as text; a sheet keeps "3" as a number. Empty for an empty cell."""
    if value is None or value != value:  # nan
        return ""
    return value if isinstance(value, str) else _key(value)


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _key(value: object) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).removesuffix(".0") if isinstance(value, str) else str(value)
