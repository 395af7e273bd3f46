"""InstructPix2Pix's generated data set: `seeds.json`, and per prompt a folder of image pairs."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

from evalsuite.content import Image
from evalsuite.data.edits import Session, Turn
from evalsuite.data.files import inside
from evalsuite.data.jsonfile import field, read_json
from evalsuite.errors import DataError

SPLITS = {"train": (0.0, 0.9), "val": (0.9, 0.9 + 0.05), "test": (0.9 + 0.05, 1.0)}
"""Shares of `seeds.json` in its order, added up in floating point as the official loader does."""


def read_seeds(seeds: Path, folder: Path, split: str = "test") -> Iterator[Session]:
    """The prompts of a split in the order of `seeds.json`, each with the pair of its first seed.

    The official loader samples one of a prompt's pairs with torch's global generator, between draws of the
    model's noise, so that its choice cannot be repeated for another model; the first one can.

    Args:
        seeds: `seeds.json`: `[[name, [seed, …]], …]`.
        folder: holds `<name>/prompt.json` {input, edit, output} and `<name>/<seed>_0.jpg`, `<seed>_1.jpg`.

    Raises:
        DataError: a file is missing or malformed, a name leaves the folder.
    """
    rows = read_json(seeds)
    if not isinstance(rows, list) or not rows:
        raise DataError(f"{seeds} must be a list of names with their seeds.", "Is this seeds.json?")
    low, high = (math.floor(share * len(rows)) for share in SPLITS[split])
    for number, row in enumerate(rows[low:high], start=low):
        if not isinstance(row, list) or len(row) != 2 or not isinstance(row[1], list) or not row[1]:
            raise DataError(f"{seeds}, entry {number}: {row!r:.60} is not [name, [seed, …]].")
        name, seed = str(row[0]), str(row[1][0])
        prompt_file = inside(folder, f"{name}/prompt.json")
        prompt = read_json(prompt_file)
        texts = {key: field(prompt, key, str, str(prompt_file)) for key in ("input", "edit", "output")}
        before, after = (
            Image(path=inside(folder, f"{name}/{seed}_{k}.jpg"), name=f"{name}/{seed}_{k}.jpg")
            for k in (0, 1)
        )
        turn = Turn(1, texts["edit"], before, after, texts["output"], texts["input"])
        yield Session(name, (turn,))
