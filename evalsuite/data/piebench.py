"""PIE-Bench (cure-lab/PnPInversion): `mapping_file.json` beside `annotation_images`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import MappingProxyType

from evalsuite.content import Image
from evalsuite.data.edits import Session, Turn
from evalsuite.data.files import inside
from evalsuite.data.jsonfile import field, read_json
from evalsuite.errors import DataError

TYPES = MappingProxyType(
    {
        "0": "random",
        "1": "change object",
        "2": "add object",
        "3": "delete object",
        "4": "change content",
        "5": "change pose",
        "6": "change colour",
        "7": "change material",
        "8": "change background",
        "9": "change style",
    }
)
"""Editing types by `editing_type_id`."""


def read_mapping(mapping: Path, images: Path) -> Iterator[Session]:
    """The items of the mapping file in order; the marks `[ ]` are taken out of both prompts, as officially.

    Args:
        mapping: `{id: {image_path, original_prompt, editing_prompt, editing_instruction, editing_type_id,
            mask}}`, the mask as pairs of start and length over 512 × 512.
        images: the folder `annotation_images`.

    Raises:
        DataError: a field is missing or of another type, an unknown editing type, a mask that is no pairs of
            numbers, a name that leaves the folder.
    """
    data = read_json(mapping)
    if not isinstance(data, dict) or not data:
        raise DataError(f"{mapping} must be an object of items by id.", "Is this mapping_file.json?")
    for key, row in data.items():
        where = f"{mapping}, item {key}"
        kind = str(field(row, "editing_type_id", (str, int), where))
        if kind not in TYPES:
            raise DataError(f"{where}: there is no editing type {kind!r}.", f"Known: {', '.join(TYPES)}.")
        runs = field(row, "mask", list, where)
        if len(runs) % 2 or not all(isinstance(run, int) and run >= 0 for run in runs):
            raise DataError(
                f"{where}: the mask is not a list of pairs of start and length ({len(runs)} entries).",
                "Fetch the mapping file again.",
            )
        path = field(row, "image_path", str, where)
        source, target = (
            field(row, name, str, where).replace("[", "").replace("]", "")
            for name in ("original_prompt", "editing_prompt")
        )
        turn = Turn(
            number=1,
            instruction=field(row, "editing_instruction", str, where),
            source=Image(path=inside(images, path), name=path),
            description=target,
            source_description=source,
            mask=tuple(runs),
        )
        yield Session(key, (turn,), {"type": TYPES[kind]})
