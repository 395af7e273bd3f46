"""MagicBrush: sessions of image edits, from the official test folder and from the hub's columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from evalsuite.content import Image
from evalsuite.data.edits import Session, Turn
from evalsuite.data.files import inside
from evalsuite.data.jsonfile import field, read_json
from evalsuite.data.table import image_cell, read_table
from evalsuite.errors import DataError


def read_sessions(sessions: Path, images: Path, descriptions: Path | None = None) -> Iterator[Session]:
    """The official test folder, in the order of `edit_sessions.json`.

    Args:
        sessions: `{id: [{input, mask, output, instruction}, …]}`; names of images in `images/<id>/`.
        images: the folder `images`.
        descriptions: `local_descriptions.json`: `{id: {file: caption}}`.

    Raises:
        DataError: a field is missing or of another type, a session is empty, a described image is missing
            from the descriptions, a turn does not start from the previous one's output, a name leaves the
            folder.
    """
    data = read_json(sessions)
    if not isinstance(data, dict) or not data:
        raise DataError(f"{sessions} must be an object of sessions by id.", "Is this edit_sessions.json?")
    texts = read_json(descriptions) if descriptions else {}
    for key, rows in data.items():
        where = f"{sessions}, session {key}"
        if not isinstance(rows, list) or not rows:
            raise DataError(f"{where} has no turns.", "Is the file complete?")
        turns: list[Turn] = []
        for number, row in enumerate(rows, start=1):
            at = f"{where}, turn {number}"
            source, target = field(row, "input", str, at), field(row, "output", str, at)
            if number > 1 and rows[number - 2]["output"] != source:
                raise DataError(
                    f"{at} starts from {source}, but the turn before ends in {rows[number - 2]['output']}."
                )
            text = ""
            if descriptions:
                text = field(
                    field(texts, key, dict, str(descriptions)), target, str, f"{descriptions}, {key}"
                )
            turns.append(
                Turn(
                    number,
                    field(row, "instruction", str, at),
                    _image(images, key, source),
                    _image(images, key, target),
                    text,
                )
            )
        yield Session(key, tuple(turns))


def read_columns(paths: Sequence[Path], columns: Mapping[str, str]) -> Iterator[Session]:
    """The hub's table: the columns session, turn, source, instruction, target, one row per turn, sessions
    together.

    Raises:
        DataError: a cell is missing or of another type, turns are not numbered 1, 2, …, a session occurs in
            two places.
    """
    rows = read_table(paths, columns)
    seen: set[str] = set()
    for key, group in groupby(rows, key=lambda row: str(row[1]["session"])):
        if key in seen:
            raise DataError(f"Session {key} occurs in two places of {paths[0].parent}.", "Fetch it again.")
        seen.add(key)
        yield Session(
            key, tuple(_row_turn(where, cells, n) for n, (where, cells) in enumerate(group, start=1))
        )


def _row_turn(where: str, cells: Mapping[str, Any], number: int) -> Turn:
    if cells["turn"] != number:
        raise DataError(
            f"{where}: turn {cells['turn']!r} of session {cells['session']} stands where turn {number} "
            "should.",
            "Fetch the data set again.",
        )
    instruction = cells["instruction"]
    if not isinstance(instruction, str):
        raise DataError(f"{where} has no instruction ({instruction!r}).")
    name = f"{cells['session']}, turn {number}"
    return Turn(
        number,
        instruction,
        image_cell(cells["source"], f"{where} (source of {name})"),
        image_cell(cells["target"], f"{where} (target of {name})"),
        str(cells.get("description") or ""),
    )


def _image(images: Path, key: str, name: str) -> Image:
    return Image(path=inside(images, f"{key}/{name}"), name=name)
