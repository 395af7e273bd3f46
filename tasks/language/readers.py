"""Items of the language benchmarks from official files (JSON lines, labels, CSV) and from the hub."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from evalsuite.errors import DataError
from evalsuite.task import Located
from evalsuite.task.readers import field, read_lines, read_table

LETTERS = "ABCD"


@dataclass(frozen=True, slots=True)
class Item:
    """One question with its choices.

    Args:
        id: unique in the benchmark: the file's own id, else the position.
        fields: what templates can name.
        choices: texts of the choices.
        gold: position of the right choice; None where it is not public.
        subject: MMLU's; its examples come from the same subject.
    """

    id: str
    fields: Mapping[str, str]
    choices: tuple[str, ...]
    gold: int | None
    subject: str = ""


_Row = Mapping[str, Any]
_Form = Callable[[_Row, str, str], Item]


def _piqa(row: _Row, name: str, where: str) -> Item:
    choices = (field(row, "sol1", str, where), field(row, "sol2", str, where))
    return Item(name, {"goal": field(row, "goal", str, where)}, choices, _gold(row.get("label"), 0, 2, where))


def _siqa(row: _Row, name: str, where: str) -> Item:
    choices = tuple(field(row, f"answer{letter}", str, where) for letter in "ABC")
    fields = {key: field(row, key, str, where) for key in ("context", "question")}
    return Item(name, fields, choices, _gold(row.get("label"), 1, 3, where))


def _hellaswag(row: _Row, name: str, where: str) -> Item:
    endings = row.get("endings", row.get("ending_options"))
    if not isinstance(endings, list) or not endings or not all(isinstance(text, str) for text in endings):
        raise DataError(f"{where}: endings must be a list of strings.", "Is this HellaSwag's file?")
    fields = {key: field(row, key, str, where) for key in ("activity_label", "ctx_a")}
    fields["ctx_b"] = field(row, "ctx_b", str, where).capitalize()
    return Item(name, fields, tuple(endings), _gold(row.get("label"), 0, len(endings), where))


def _winogrande(row: _Row, name: str, where: str) -> Item:
    before, blank, after = field(row, "sentence", str, where).partition("_")
    if not blank:
        raise DataError(f"{where}: the sentence has no blank `_`.", "Is this WinoGrande's file?")
    choices = (field(row, "option1", str, where), field(row, "option2", str, where))
    fields = {"before": before, "before_stripped": before.strip(), "after": after.strip()}
    return Item(str(row.get("qID") or name), fields, choices, _gold(row.get("answer"), 1, 2, where))


_TITLE = " -- "
"""Stands between title and passage in SuperGLUE's rows; no official title holds it."""


def _boolq(row: _Row, name: str, where: str) -> Item:
    """The official file has title and passage apart, SuperGLUE's columns have one text of both: `passage` is
    the text alone and `titled_passage` both, from either. A row of the official file without its title has no
    `titled_passage`."""
    passage, question = field(row, "passage", str, where), field(row, "question", str, where)
    fields = {"question": question, "question_capital": question[:1].upper() + question[1:]}
    if "title" in row:
        title = field(row, "title", str, where)
        fields |= {"passage": passage, "titled_passage": f"{title}{_TITLE}{passage}"}
    elif "answer" in row:
        fields["passage"] = passage
    else:
        title, between, rest = passage.partition(_TITLE)
        fields |= {"passage": rest if between else passage, "titled_passage": passage}
    right = row.get("label", row.get("answer"))
    return Item(
        name, fields, ("no", "yes"), _gold(int(right) if isinstance(right, bool) else right, 0, 2, where)
    )


def _mmlu(row: _Row, name: str, where: str) -> Item:
    choices = row.get("choices")
    if not isinstance(choices, list) or len(choices) != len(LETTERS):
        raise DataError(f"{where}: there must be {len(LETTERS)} choices.", "Is this MMLU's file?")
    question = field(row, "question", str, where)
    fields = {"question": question.strip(), "question_raw": question}
    fields |= dict(zip(LETTERS, map(str, choices), strict=True))
    subject = str(row.get("subject") or "")
    fields["subject"] = subject.replace("_", " ")
    right = row.get("answer")
    if isinstance(right, str) and right in LETTERS:
        right = LETTERS.index(right)
    return Item(name, fields, tuple(LETTERS), _gold(right, 0, len(LETTERS), where), subject)


FORMS: Mapping[str, _Form] = MappingProxyType(
    {
        "piqa": _piqa,
        "siqa": _siqa,
        "hellaswag": _hellaswag,
        "winogrande": _winogrande,
        "boolq": _boolq,
        "mmlu": _mmlu,
    }
)
"""How a row of a benchmark becomes an item."""


def read_json_lines(source: Located, form: _Form, role: str = "items") -> Iterator[Item]:
    """`items`, JSON lines; where the right choices lie in a file of their own, `labels`, one per line.

    Raises:
        DataError: a field is missing or of another type; another number of labels than items.
    """
    path = source.path(role)
    labels = _labels(source.path("labels")) if source.has("labels") else None
    count = 0
    for number, row in read_lines(path):
        where = f"{path}, line {number}"
        if labels is not None:
            if count >= len(labels):
                raise DataError(
                    f"{where} has no label in {source.path('labels')}.", "Do the files belong together?"
                )
            row = {**row, "label": labels[count]}
        yield form(row, str(count), where)
        count += 1
    if labels is not None and count != len(labels):
        raise DataError(
            f"{source.path('labels')} has {len(labels)} labels for {count} items of {path}.",
            "Do the files belong together?",
        )


def read_columns(source: Located, form: _Form, role: str = "table") -> Iterator[Item]:
    """A table `table` with the form's fields."""
    for position, (where, row) in enumerate(read_table(source.paths(role), source.columns)):
        yield form(row, str(position), where)


def read_mmlu_csv(source: Located, form: _Form, role: str = "test") -> Iterator[Item]:
    """MMLU's official `test/<subject>_test.csv` (and `dev`): question, four choices, letter; no header.

    Raises:
        DataError: a row with another number of cells, or not UTF-8.
    """
    for path in source.paths(role):
        subject = path.stem.removesuffix(f"_{role}")
        for position, cells in enumerate(_csv(path)):
            where = f"{path}, row {position}"
            if len(cells) != 6:
                raise DataError(f"{where} has {len(cells)} cells instead of 6.", "Is the file complete?")
            question, *choices, right = cells
            row = {"question": question, "choices": choices, "answer": right, "subject": subject}
            yield form(row, f"{subject}/{position}", where)


READERS = MappingProxyType(
    {"json-lines": read_json_lines, "choices-table": read_columns, "mmlu-csv": read_mmlu_csv}
)
EXAMPLES = "dev"
"""The role of the files that few-shot examples come from, read with the same reader."""


def _labels(path: Path) -> list[str]:
    import gzip

    data = path.read_bytes()
    text = (gzip.decompress(data) if path.suffix == ".gz" else data).decode("utf-8")
    return text.split()


def _csv(path: Path) -> Iterator[list[str]]:
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            yield from csv.reader(stream)
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 ({error.reason}).", "Fetch it again.") from error


def _gold(value: Any, first: int, count: int, where: str) -> int | None:
    """Position of the right choice from a label that counts from `first`; None where there is none."""
    if value is None or value in ("", -1, "-1"):
        return None
    try:
        position = int(value) - first
    except (TypeError, ValueError):
        position = -1
    if not 0 <= position < count:
        raise DataError(f"{where}: the right choice is {value!r:.40}, none of the {count}.")
    return position
