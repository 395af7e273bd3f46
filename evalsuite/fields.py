"""What the fields of a settings model are: kind, default and the docstring below each."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
import types
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import PydanticUndefined


@dataclass(frozen=True, slots=True)
class FieldDoc:
    """A field of a settings model.

    Args:
        name: as YAML files write it.
        kind: in words: `text`, `number`, `one of a, b`, `list of text`.
        default: as YAML writes it; empty where the field must be given.
        text: what it is, on one line.
    """

    name: str
    kind: str
    default: str
    text: str


def fields_of_model(kind: type[BaseModel]) -> tuple[FieldDoc, ...]:
    """The fields of a settings model in the order in which its classes declare them.

    >>> class Settings(BaseModel):
    ...     steps: int = 20
    >>> [(one.name, one.kind, one.default) for one in fields_of_model(Settings)]
    [('steps', 'whole number', '20')]
    """
    docs: dict[str, str] = {}
    for one in reversed(kind.__mro__):
        if one is not BaseModel and issubclass(one, BaseModel):
            docs |= _docstrings(one)
    return tuple(
        FieldDoc(field.alias or name, _kind(field.annotation), _default(field), docs.get(name, ""))
        for name, field in kind.model_fields.items()
    )


def _docstrings(kind: type) -> dict[str, str]:
    """Field -> the string below it in the source; none where there is no source (a class made elsewhere)."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(kind)))
    except (OSError, TypeError, SyntaxError):
        return {}
    body = tree.body[0].body if isinstance(tree.body[0], ast.ClassDef) else []
    found: dict[str, str] = {}
    for before, after in pairwise(body):
        if (
            isinstance(before, ast.AnnAssign)
            and isinstance(before.target, ast.Name)
            and isinstance(after, ast.Expr)
            and isinstance(after.value, ast.Constant)
            and isinstance(after.value.value, str)
        ):
            found[before.target.id] = re.sub(r"\s+", " ", after.value.value).strip()
    return found


_PLAIN: dict[Any, str] = {
    str: "text", int: "whole number", float: "number", bool: "yes or no", type(None): "null", Any: "anything",
}  # fmt: skip


def _kind(annotation: Any) -> str:
    if annotation in _PLAIN:
        return _PLAIN[annotation]
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return "one of " + ", ".join(str(part) or "''" for part in parts)
    if origin in (Union, types.UnionType):
        return " or ".join(dict.fromkeys(_kind(part) for part in parts))
    if origin in (list, tuple, set, frozenset):
        inner = [_kind(part) for part in parts if part is not Ellipsis]
        return f"list of {' or '.join(dict.fromkeys(inner))}" if inner else "list"
    if origin is dict:
        return f"mapping to {_kind(parts[1])}"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        names = [one.alias or name for name, one in annotation.model_fields.items()]
        return "{" + ", ".join(names) + "}"
    return getattr(annotation, "__name__", str(annotation))


def _default(field: Any) -> str:
    if field.default is PydanticUndefined:
        return "" if field.default_factory is None else "none"
    if field.default in ((), "", None):
        return {(): "none", "": "''", None: "null"}[field.default]
    if isinstance(field.default, bool):
        return "yes" if field.default else "no"
    return repr(field.default) if "\n" in str(field.default) else str(field.default)
