"""`--json`: what a command shows, for programs."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    import pandas

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]


def print_json(value: object) -> None:
    """Prints frames (a list of rows), dataclasses, and containers of them; what is not a number is null."""
    typer.echo(json.dumps(_plain(value), indent=1, ensure_ascii=True, allow_nan=False))


def records(frame: pandas.DataFrame) -> list[dict[str, Any]]:
    """A frame's rows."""
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]


def _plain(value: object) -> Any:
    if hasattr(value, "model_dump"):  # pydantic
        return _plain(value.model_dump(mode="json"))
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(one) for one in (sorted(value) if isinstance(value, set | frozenset) else value)]
    if isinstance(value, Path):
        return str(value)
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if hasattr(value, "item"):  # a number of numpy
        return _plain(value.item())
    return None if str(value) == "<NA>" else str(value)
