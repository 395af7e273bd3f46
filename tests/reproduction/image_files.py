"""The colours benchmark's files."""

from __future__ import annotations

import json
from pathlib import Path

from PIL import Image

from tests.reproduction.colours_plugin import COLOURS, FORMS

PLUGIN = Path(__file__).parent / "colours_plugin.py"


def write_colours(folder: Path, count: int = 40) -> Path:
    """Images whose width says in which form the model will answer."""
    folder.mkdir(parents=True, exist_ok=True)
    names = list(COLOURS)
    triples = []
    for i in range(count):
        colour = names[i % len(names)]
        Image.new("RGB", (1 + i % len(FORMS), 2), COLOURS[colour]).save(folder / f"{i}.png")
        triples.append([f"What colour is image {i}?", colour, i])
    (folder / "questions.json").write_text(json.dumps(triples))
    return folder
