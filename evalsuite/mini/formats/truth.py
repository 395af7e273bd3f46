"""The truth beside the official files: which scene each image shows, and what each prompt asks for."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evalsuite.errors import DataError

from ..subjects import Wanted
from ..world import Scene, Thing

SCENES = "scenes.jsonl"
PROMPTS = "prompts.jsonl"
_REMEDY = "Write the world again."


@dataclass(frozen=True)
class Prompt:
    """A caption as a text-to-image prompt.

    Args:
        caption_id: id of the caption in the annotation file.
        image_id: id of the image that it was written for.
        text: the caption.
        states: the attributes that the text fixes, to be right in an image made from it: some of colour,
            shape, size, place, relation (see `Match.satisfies`).
    """

    caption_id: int
    image_id: int
    text: str
    states: tuple[str, ...]


def scene_row(file: str, scene: Scene, **more: Any) -> dict[str, Any]:
    """A line of `scenes.jsonl`: the image's file, what breakdowns use, and the scene."""
    return {
        "file": file,
        **more,
        "things": len(scene.things),
        "held_out": scene.held_out,
        "scene": {
            "things": [
                {"shape": t.shape, "colour": t.colour, "size": t.size, "x": t.x, "y": t.y, "radius": t.radius}
                for t in scene.things
            ],
            "background": list(scene.background),
        },
    }


def scene_from(row: dict[str, Any]) -> Scene:
    """The scene of a line of `scenes.jsonl`; KeyError, TypeError or ValueError where it is malformed."""
    scene = row["scene"]
    red, green, blue = (int(level) for level in scene["background"])
    things = tuple(
        Thing(
            str(t["shape"]),
            str(t["colour"]),
            str(t["size"]),
            float(t["x"]),
            float(t["y"]),
            float(t["radius"]),
        )
        for t in scene["things"]
    )
    return Scene(things, (red, green, blue))


def read_scenes(path: Path) -> dict[str, Scene]:
    """File name, relative to the folder the file describes, to scene.

    Raises:
        DataError: the file is missing or a line is malformed.
    """
    found: dict[str, Scene] = {}
    for number, row in _lines(path):
        try:
            found[str(row["file"])] = scene_from(row)
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f"{path}, line {number} is not a scene ({error}).", _REMEDY) from error
    return found


def read_prompts(path: Path) -> dict[int, Prompt]:
    """Caption id to prompt.

    Raises:
        DataError: the file is missing or a line is malformed.
    """
    found: dict[int, Prompt] = {}
    for number, row in _lines(path):
        try:
            prompt = Prompt(
                int(row["caption_id"]), int(row["image_id"]), str(row["text"]), tuple(map(str, row["states"]))
            )
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f"{path}, line {number} is not a prompt ({error}).", _REMEDY) from error
        found[prompt.caption_id] = prompt
    return found


def read_subjects(path: Path) -> dict[tuple[str, str], Wanted]:
    """(subject, prompt) to what an image generated for it must show.

    Raises:
        DataError: the file is missing or a line is malformed.
    """
    found: dict[tuple[str, str], Wanted] = {}
    for number, row in _lines(path):
        try:
            other = row.get("other")
            wanted = Wanted(
                _looks(row["looks"]),
                row.get("place"),
                row.get("relation"),
                _looks(other) if other is not None else None,
            )
            if (wanted.place is None) == (wanted.relation is None or other is None):
                raise ValueError("neither a place nor a relation, or both")
            found[str(row["subject"]), str(row["prompt"])] = wanted
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise DataError(f"{path}, line {number} is not a subject's prompt ({error}).", _REMEDY) from error
    return found


def _looks(row: dict[str, Any]) -> tuple[str, str, str]:
    return str(row["shape"]), str(row["colour"]), str(row["size"])


def _lines(path: Path) -> Iterator[tuple[int, Any]]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}).", _REMEDY) from error
    for number, line in enumerate(lines, start=1):
        try:
            yield number, json.loads(line)
        except ValueError as error:
            raise DataError(f"{path}, line {number} is not JSON.", _REMEDY) from error
