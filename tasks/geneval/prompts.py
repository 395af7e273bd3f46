"""GenEval's `evaluation_metadata.jsonl`: a prompt per line with what its image must show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evalsuite.errors import DataError
from evalsuite.task.metrics import COLORS
from evalsuite.task.readers import field, read_lines

_RELATIONS = ("left of", "right of", "above", "below")
COUNTING = "counting"
"""The tag whose detections need a higher score."""


@dataclass(frozen=True, slots=True)
class ComposedPrompt:
    """A line of the file.

    Args:
        number: its place in the file, from 0: GenEval's folder name.
        tag: the kind of composition; scores are means per tag.
        metadata: the whole line, as `metrics.geneval.verdict` takes it.
    """

    number: int
    tag: str
    prompt: str
    metadata: Mapping[str, Any]


def read_prompts(path: Path) -> list[ComposedPrompt]:
    """The prompts in file order.

    Raises DataError for a malformed line: a missing field, an unknown colour or relation, a position relative
    to an object that comes later, no prompts.
    """
    found: list[ComposedPrompt] = []
    for number, row in read_lines(path):
        where = f"{path}, line {number}"
        include = field(row, "include", list, where)
        for place, wanted in enumerate(include):
            _check(wanted, place, where)
        for unwanted in row.get("exclude", []):
            _check(unwanted, 0, where)
        prompt = ComposedPrompt(
            len(found), field(row, "tag", str, where), field(row, "prompt", str, where), row
        )
        found.append(prompt)
    if not found:
        raise DataError(f"{path} holds no prompts.", "Fetch it again.")
    return found


def _check(wanted: Any, place: int, where: str) -> None:
    field(wanted, "class", str, where)
    if field(wanted, "count", int, where) < 1:
        raise DataError(f"{where}: count {wanted['count']} is not a number of objects.", "Fetch it again.")
    if wanted.get("color", COLORS[0]) not in COLORS:
        raise DataError(f"{where}: there is no colour {wanted['color']!r}.", f"Known: {', '.join(COLORS)}.")
    if "position" in wanted:
        position = wanted["position"]
        if (
            not isinstance(position, list)
            or len(position) != 2
            or position[0] not in _RELATIONS
            or not isinstance(position[1], int)
            or not 0 <= position[1] < place
        ):
            raise DataError(
                f"{where}: {position!r} is not a position.", "It is [relation, index of an earlier include]."
            )
