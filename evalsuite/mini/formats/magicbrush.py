"""MagicBrush's test folder: images of every turn, masks, sessions and descriptions.

Layout (OSU-NLP-Group/MagicBrush): `images/<id>/<id>-input.png`, `-output<k>.png`, `-mask<k>.png`;
`edit_sessions.json` {id: [{input, mask, output, instruction}, ...]}, `edit_turns.json` the same turns in one
list, `global_descriptions.json` {id: {file: caption}} for all images, `local_descriptions.json` for the
outputs.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..edits import Edit
from ..render import render
from .sink import Sink
from .truth import scene_row

FOLDER = "magicbrush/test"
TRUTH = "magicbrush/scenes.jsonl"
FIRST_ID = 100_001


def write_magicbrush(sink: Sink, sessions: Sequence[Sequence[Edit]]) -> None:
    """Write editing sessions of one turn or several, and `scenes.jsonl` with the scene of every image.

    File names in `scenes.jsonl` are relative to `FOLDER`; its lines for outputs carry the kind of the edit.
    """
    turns_of: dict[str, list[dict[str, str]]] = {}
    everything: dict[str, dict[str, str]] = {}
    local: dict[str, dict[str, str]] = {}
    truth: list[dict[str, Any]] = []
    for number, session in enumerate(sessions, start=FIRST_ID):
        key = str(number)
        folder = f"images/{key}"
        current = f"{key}-input.png"
        sink.image(f"{FOLDER}/{folder}/{current}", render(session[0].source))
        truth.append(scene_row(f"{folder}/{current}", session[0].source))
        turns_of[key], local[key] = [], {}
        everything[key] = {current: session[0].source_caption}
        for k, edit in enumerate(session, start=1):
            mask, output = f"{key}-mask{k}.png", f"{key}-output{k}.png"
            before, after = render(edit.source), render(edit.target)
            sink.image(f"{FOLDER}/{folder}/{mask}", region_mask(before, after))
            sink.image(f"{FOLDER}/{folder}/{output}", after)
            truth.append(scene_row(f"{folder}/{output}", edit.target, kind=edit.kind))
            turns_of[key].append(
                {"input": current, "mask": mask, "output": output, "instruction": edit.instruction}
            )
            everything[key][output] = edit.target_caption
            local[key][output] = edit.local_caption
            current = output
    sink.json(f"{FOLDER}/edit_sessions.json", turns_of)
    sink.json(f"{FOLDER}/edit_turns.json", [turn for turns in turns_of.values() for turn in turns])
    sink.json(f"{FOLDER}/global_descriptions.json", everything)
    sink.json(f"{FOLDER}/local_descriptions.json", local)
    sink.jsonl(TRUTH, truth)


def region_mask(before: np.ndarray, after: np.ndarray, border: int = 2) -> np.ndarray:
    """The source with the box of all changed pixels made transparent: (H, W, 4) uint8, alpha 0 where edited.

    This is the form of mask that DALL-E 2 takes, with which MagicBrush was made.
    """
    changed = (before != after).any(axis=2)
    rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
    alpha = np.full(changed.shape, 255, dtype=np.uint8)
    if len(rows):
        top, left = max(rows[0] - border, 0), max(columns[0] - border, 0)
        alpha[top : rows[-1] + border + 1, left : columns[-1] + border + 1] = 0
    return np.dstack([before, alpha])
