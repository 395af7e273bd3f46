"""Edits to be judged, from GEdit-Bench's table and from ImgEdit-Bench's folder."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from types import MappingProxyType

from evalsuite.content import Image
from evalsuite.errors import DataError
from evalsuite.task import Located
from evalsuite.task.readers import field, image_cell, read_json, read_table


@dataclass(frozen=True, slots=True)
class JudgedEdit:
    """One edit to be made.

    Args:
        source: the image as the judge is shown it.
        given: the image as the model gets it.
        kind: type of edit, as the benchmark calls it.
        common: it belongs to the subset that every compared model answered (GEdit-Bench's Intersection).
    """

    id: str
    source: Image
    given: Image
    instruction: str
    kind: str
    common: bool = False


def read_gedit(source: Located) -> Iterator[JudgedEdit]:
    """GEdit-Bench's `table` with the columns key, task_type, instruction, instruction_language, input_image,
    input_image_raw, Intersection_exist; the rows of the language in the setting `language` (`en` or `cn`).

    Models edit the raw image, and the judge is shown the other one beside the result
    (`generate_image_example.py`).

    Raises DataError for a cell of another type, and where no row is in that language.
    """
    language = source.settings["language"]
    seen: set[str] = set()
    for where, row in read_table(source.paths("table"), source.columns):
        found = field(row, "language", str, where)
        seen.add(found)
        if found == language:
            key = str(row["key"])
            yield JudgedEdit(
                id=key,
                source=image_cell(row["image"], f"{where} ({key})"),
                given=image_cell(row["raw"], f"{where} ({key}, raw)"),
                instruction=field(row, "instruction", str, where),
                kind=field(row, "kind", str, where),
                common=bool(row["common"]),
            )
    if language not in seen:
        known = ", ".join(sorted(seen)) or "none"
        raise DataError(
            f"{source.folder} has no instruction in the language {language!r} (there are: {known}).",
            "Is this GEdit-Bench's table?",
        )


def read_imgedit(source: Located) -> Iterator[JudgedEdit]:
    """ImgEdit-Bench's `edits`: key -> `{id, prompt, edit_type}`, where `id` is the image's path for the
    role `images`. Raises DataError for a field that is missing or of another type."""
    path = source.path("edits")
    rows = read_json(path)
    if not isinstance(rows, dict):
        raise DataError(f"{path} must be an object of edits, not {type(rows).__name__}.", "Is it ImgEdit's?")
    for key, row in rows.items():
        where = f"{path}, {key}"
        image = source.image("images", image=field(row, "id", str, where))
        yield JudgedEdit(
            id=key,
            source=image,
            given=image,
            instruction=field(row, "prompt", str, where),
            kind=field(row, "edit_type", str, where),
        )


READERS = MappingProxyType({"gedit-table": read_gedit, "imgedit-folder": read_imgedit})
