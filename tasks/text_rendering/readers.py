"""Prompts with the text that images should show: files of LongText-Bench, CVTG-2K, OneIG and TIIF."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path
from types import MappingProxyType

from evalsuite.errors import DataError
from evalsuite.task import Located
from evalsuite.task.readers import field, read_json, read_lines

from .records import TextPrompt

_WRONG_FILE = "Is this the benchmark's file?"


def read_longtext(source: Located) -> Iterator[TextPrompt]:
    """LongText-Bench's `prompts`: JSON lines {prompt_id, prompt, text, category, length}."""
    path = source.path("prompts")
    for line, row in read_lines(path):
        where = f"{path}, line {line}"
        texts = field(row, "text", list, where)
        _require_texts(texts, where)
        labels = {name: field(row, name, str, where) for name in ("category", "length")}
        key = str(field(row, "prompt_id", (int, str), where))
        yield TextPrompt(key, field(row, "prompt", str, where), tuple(texts), labels)


def read_cvtg(source: Located) -> Iterator[TextPrompt]:
    """CVTG-2K's `prompts`, TYPE/AREAS.json: {data_list: [{index, prompt}]}. The text is what stands in single
    quotes."""
    for path in source.paths("prompts"):
        kind, areas = path.parent.name, path.stem
        data = read_json(path)
        rows = field(data, "data_list", list, str(path)) if isinstance(data, dict) else data
        if not isinstance(rows, list):
            raise DataError(f"{path} must hold a data_list of prompts.", _WRONG_FILE)
        for place, row in enumerate(rows):
            where = f"{path}, prompt {place}"
            prompt = field(row, "prompt", str, where)
            key = field(row, "index", (int, str), where)
            yield TextPrompt(f"{kind}/{areas}/{key}", prompt, (prompt,), {"type": kind, "areas": areas})


def read_oneig_text(source: Located) -> Iterator[TextPrompt]:
    """OneIG-Bench's `texts`: a table of id, prompt (column `settings.prompt`) and text_content."""
    path, column = source.path("texts"), source.settings["prompt"]
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            rows = list(csv.DictReader(stream))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} cannot be read ({error}).", "Check the file.") from error
    for place, row in enumerate(rows, start=1):
        where = f"{path}, row {place}"
        for name in ("id", column, "text_content"):
            if not row.get(name):
                raise DataError(f"{where} has no {name}.", _WRONG_FILE)
        text = row["text_content"]
        tokens = 256 if len(text.split()) > 60 else 128
        yield TextPrompt(row["id"], row[column], (text,), {}, tokens)


_QUOTED = re.compile(r"^Is the text '(.*)' in the image\?$")


def read_tiif_text(source: Located) -> Iterator[TextPrompt]:
    """TIIF-Bench's prompts of the type `text`, short and long, with the words that its questions ask for."""
    prompts, questions = source.path("prompts"), source.path("questions")
    pairs = list(zip(read_lines(prompts), read_lines(questions), strict=False))
    if len(pairs) != sum(1 for _ in read_lines(prompts)) or len(pairs) != sum(
        1 for _ in read_lines(questions)
    ):
        raise DataError(f"{prompts} and {questions} have not the same number of lines.", _WRONG_FILE)
    for place, ((line, row), (_, asked)) in enumerate(pairs):
        where = f"{prompts}, line {line}"
        words = _words(field(asked, "yn_question_list", list, f"{questions}, line {line}"), questions)
        for length in ("short", "long"):
            text = field(row, f"{length}_description", str, where)
            yield TextPrompt(f"{length}/{place}", text, words, {"length": length})


def _words(asked: list[object], path: Path) -> tuple[str, ...]:
    found = []
    for question in asked:
        match = _QUOTED.match(str(question).strip())
        if match is None:
            raise DataError(f"{path}: {question!r:.80} asks for no text in quotes.", _WRONG_FILE)
        found.append(match.group(1))
    _require_texts(found, str(path))
    return tuple(found)


def _require_texts(texts: list[str], where: str) -> None:
    if not texts or not all(isinstance(text, str) for text in texts):
        raise DataError(f"{where}: there is no text that the image should show.", _WRONG_FILE)


READERS = MappingProxyType(
    {
        "cvtg-json": read_cvtg,
        "longtext-jsonl": read_longtext,
        "oneig-text-table": read_oneig_text,
        "tiif-text-folder": read_tiif_text,
    }
)
