"""Wording out of a benchmark's own files, where its licence does not let others copy it.

Official scripts keep the judge's prompts in Python: as constants, or as f-strings inside a function. The file
is parsed, never run.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from evalsuite.errors import DataError
from evalsuite.task.sources import Located

_REMEDY = "Take the file from the benchmark's repository, at the commit that its page names."


class Wording(BaseModel):
    """Where a text lies: a file's role, and the name of a constant, or of the function that holds it.

    Without a name the file is the text, as prompts in `.txt` files are; white space around it is cut off.
    `replace` turns the script's own placeholders into fields in braces.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    file: str
    name: str = ""
    place: int = Field(default=0, ge=0)
    """Which of the texts of 40 characters and more, in the order of the file."""
    replace: dict[str, str] = Field(default_factory=dict)
    formatted: bool = False
    """The script passes it through `str.format`: doubled braces stand for single ones."""

    def text(self, source: Located) -> str:
        """The text with fields in braces. Raises DataError where the file has no such text."""
        path = source.path(self.file)
        if self.name:
            found = python_texts(path).get(self.name, ())
            if self.place >= len(found):
                raise DataError(f"{path} has no text number {self.place} in {self.name}.", _REMEDY)
            text = found[self.place]
        else:
            text = _whole(path)
        if self.formatted:
            text = text.replace("{{", "{").replace("}}", "}")
        for old, new in self.replace.items():
            if old not in text:
                raise DataError(f"{path}: {self.name or 'the text'} lacks {old!r}.", _REMEDY)
            text = text.replace(old, new)
        return text


def filled(template: str, values: Mapping[str, Any]) -> str:
    """The template with its fields in braces; other braces, and fields of other names, stay as they are.

    >>> filled("{a} and {b}", {"a": "{b}"})
    '{b} and {b}'
    """
    names = "|".join(map(re.escape, sorted(values, key=len, reverse=True)))
    return (
        re.sub(rf"\{{({names})\}}", lambda match: str(values[match.group(1)]), template)
        if names
        else template
    )


def _whole(path: Path) -> str:
    try:
        text = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read ({error}).", _REMEDY) from error
    if not text:
        raise DataError(f"{path} is empty.", _REMEDY)
    return text


@lru_cache(maxsize=16)
def _parsed(path: Path) -> ast.Module:
    try:
        return ast.parse(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, SyntaxError, ValueError) as error:
        raise DataError(f"{path} cannot be read as Python ({error}).", _REMEDY) from error


def python_texts(path: Path, least: int = 40) -> Mapping[str, list[str]]:
    """Name of a module's constant or function -> its texts of `least` characters and more, in their order;
    also of what stands below an `if`.

    What an f-string fills in becomes a field named by its last part: `{data['Prompt']}` is `{Prompt}`.

    Raises DataError for a file that is no Python.
    """
    found: dict[str, list[str]] = {}
    for node in _statements(_parsed(path).body):
        for name in _names(node):
            found.setdefault(name, []).extend(text for text in _texts(node) if len(text) >= least)
    return found


def python_value(path: Path, name: str, key: str = "") -> Any:
    """The literal that a module assigns to a name, or the entry `key` of its dictionary.

    Entries of a dictionary that are no literals are left out.

    Raises DataError where there is none.
    """
    for node in _parsed(path).body:
        value = node.value if isinstance(node, ast.Assign | ast.AnnAssign) and name in _names(node) else None
        if value is not None:
            found = _literal(value)
            if key and isinstance(found, dict):
                found = found.get(key, _NONE)
            if found is not _NONE:
                return found
    raise DataError(f"{path} has no literal {name}{f', {key}' if key else ''}.", _REMEDY)


_NONE = object()


def _literal(node: ast.expr) -> Any:
    """The value; entries of dictionaries that are no literals are left out."""
    if isinstance(node, ast.Dict):
        pairs = [
            (_literal(k), _literal(v)) for k, v in zip(node.keys, node.values, strict=True) if k is not None
        ]
        return {key: value for key, value in pairs if key is not _NONE and value is not _NONE}
    try:
        return ast.literal_eval(node)
    except ValueError:
        return _NONE


def _statements(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    for node in body:
        if isinstance(node, ast.If):
            yield from _statements(node.body)
        else:
            yield node


def _names(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [node.name]
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    return [target.id for target in targets if isinstance(target, ast.Name)]


def _texts(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Constant):
        return [node.value] if isinstance(node.value, str) else []
    if isinstance(node, ast.JoinedStr):
        return ["".join(map(_part, node.values))]
    return [text for child in ast.iter_child_nodes(node) for text in _texts(child)]


def _part(node: ast.expr) -> str:
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else repr(node.value)
    value = node.value if isinstance(node, ast.FormattedValue) else node
    while isinstance(value, ast.Call):  # {name.strip()}
        value = value.func.value if isinstance(value.func, ast.Attribute) else value.func
    if isinstance(value, ast.Subscript) and isinstance(value.slice, ast.Constant):
        return f"{{{value.slice.value!s}}}"
    if isinstance(value, ast.Attribute):
        return f"{{{value.attr}}}"
    return f"{{{ast.unparse(value)}}}"
