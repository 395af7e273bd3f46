"""Samples of puzzles with an image of every move (Uni-MMMU's mazes and sliding tiles)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from evalsuite.content import Image
from evalsuite.errors import DataError
from evalsuite.task import Located
from evalsuite.task.readers import field, read_json, reader

from .records import CycleQuestion, CycleSample


class MovesSettings(BaseModel):
    """What a source may say under `settings` for `uni-mmmu-moves`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: str
    """Where a file of moves has them."""
    example: str
    """The puzzle that the prompt shows, solved."""
    leave_out: bool = False
    """Whether the example is no sample."""


@reader("uni-mmmu-moves", makes=CycleSample, columns={}, settings=MovesSettings)
def read_moves(source: Located, settings: MovesSettings) -> Iterator[CycleSample]:
    """`moves`: a JSON file per puzzle, whose number stands for `*`; `images`: the image after a move, with
    the fields `id` and `step` (`0000` is the beginning); `list` (optional): the puzzles that are asked.

    A sample has `image`, `frames` (after each move), and of the example `demo_first`, `demo_last`, `demo_1` …
    and `demo_moves`.

    Raises DataError: moves are none of up, down, left and right, or the example or a listed puzzle is absent.
    """
    pattern = re.escape(source.files["moves"]).replace(r"\*", r"(\d+)")
    found: dict[str, Path] = {}
    for path in source.paths("moves"):
        if named := re.fullmatch(pattern, path.relative_to(source.folder).as_posix()):
            found[named[1]] = path
    if settings.example not in found:
        raise DataError(
            f"{source.folder} lacks the moves of puzzle {settings.example}, which the prompt shows.",
            "Take the whole folder that the authors publish.",
        )
    shown = _moves(found[settings.example], settings.key)
    frames = [_frame(source, settings.example, step) for step in range(len(shown) + 1)]
    demo = {f"demo_{step}": (image,) for step, image in enumerate(frames) if step > 0}
    demo |= {"demo_first": (frames[0],), "demo_last": (frames[-1],)}
    for name in _listed(source) or sorted(found):
        if settings.leave_out and name == settings.example:
            continue
        if name not in found:
            raise DataError(f"{source.path('list')} lists puzzle {name}, whose moves are not there.")
        moves = _moves(found[name], settings.key)
        after = tuple(_frame(source, name, step + 1) for step in range(len(moves)))
        images = {"image": (_frame(source, name, 0),), "frames": after, **demo}
        question = CycleQuestion("", tuple(moves), kind="open")
        yield CycleSample(name, {"demo_moves": json.dumps(shown)}, (question,), images)


def _frame(source: Located, name: str, step: int) -> Image:
    return source.image("images", id=name, step=f"{step:04}")


def _moves(path: Path, key: str) -> list[str]:
    moves = [str(move).lower() for move in field(read_json(path), key, list, str(path))]
    if unknown := [move for move in moves if move not in ("up", "down", "left", "right")]:
        raise DataError(f"{path}: {unknown[0]!r:.20} is no move.", "Moves are up, down, left and right.")
    return moves


def _listed(source: Located) -> list[str]:
    """The numbers of the puzzles that the list names; empty without a list."""
    if not source.has("list"):
        return []
    path = source.path("list")
    names = []
    items: list[Any] = field(read_json(path), "items", list, str(path))
    for place, item in enumerate(items):
        folder = field(item, "steps_dir", str, f"{path}, item {place}")
        numbered = re.search(r"_(\d+)_steps/?$", folder)
        if numbered is None:
            raise DataError(f"{path}, item {place}: the folder {folder!r:.60} has no number.")
        names.append(numbered[1])
    return names
