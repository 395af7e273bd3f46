"""Which step of which training a checkpoint is: by its folder's name and what trainers leave in it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

_STATE = "trainer_state.json"
"""Of `transformers.Trainer`."""
_STEP = re.compile(
    r"(?:^|[-_.=])(?:checkpoint|ckpt|(?:global[-_]?)?step|iteration|iter)[-_=]?(\d+)(?=$|[-_.])", re.I
)
"""`checkpoint-1000`, `step_1000`, `global_step1000`, `iter_0001000`, `epoch=3-step=1000`."""
_NUMBER = re.compile(r"^\d+$")
_SEED = re.compile(r"[-_.=]?seed[-_=]?(\d+)(?=$|[-_.])", re.I)


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a training a checkpoint stands.

    Args:
        step: optimizer steps that were made; None where nothing says.
        series: the training, as curves call it; runs of one series with other seeds are repetitions.
        seed: of the training; None where nothing says.
        source: what says the step: `given`, `trainer_state.json`, `folder name`; empty without a step.
    """

    step: int | None = None
    series: str = ""
    seed: int | None = None
    source: str = ""


def joined(*places: Place | None) -> Place | None:
    """The first that is known of each part; None where nothing is."""
    known = [place for place in places if place is not None]
    stepped = next((place for place in known if place.step is not None), None)
    found = Place(
        stepped.step if stepped else None,
        next((place.series for place in known if place.series), ""),
        next((place.seed for place in known if place.seed is not None), None),
        stepped.source if stepped else "",
    )
    return None if found == Place() else found


def step_in(name: str) -> int | None:
    """The step in the name of a checkpoint's folder or file; None where it has none.

    >>> [step_in(n) for n in ("checkpoint-1000", "step_20", "epoch=3-step=1000.ckpt", "0500", "llama-7b")]
    [1000, 20, 1000, 500, None]
    """
    found = _STEP.findall(name)
    if found:
        return int(found[-1])
    return int(name) if _NUMBER.match(name) else None


def series_of(folder: Path) -> tuple[str, int | None]:
    """The name of a training and its seed, from the folder that holds its checkpoints.

    >>> series_of(Path("out/base-seed2/checkpoint-1000"))
    ('base', 2)
    """
    parent = folder.parent.name
    if parent.lower() in ("checkpoints", "ckpts", "ckpt", "weights", ""):
        parent = folder.parent.parent.name or parent
    seed = _SEED.search(parent)
    if seed is None:
        return parent, None
    rest = (parent[: seed.start()] + parent[seed.end() :]).strip("-_.=")
    return rest or folder.parent.parent.name, int(seed[1])


def place_of(checkpoint: Path) -> Place:
    """What a checkpoint's folder (or file) says of its place in a training.

    The trainer's own record counts more than the name of the folder, which may have been changed.
    """
    step, source = _recorded(checkpoint), _STATE
    if step is None:
        step, source = step_in(checkpoint.name), "folder name"
    if step is None:
        return Place()
    series, seed = series_of(checkpoint)
    return Place(step, series, seed, source)


def place_of_model(name: str) -> Place:
    """As `place_of`, of a model as it is typed: `dreamllm:out/checkpoint-1000`."""
    argument = name.partition(":")[2].rstrip("/\\")
    return place_of(Path(argument)) if argument else Place()


def _recorded(folder: Path) -> int | None:
    """The step in the trainer's own record; None where there is none, or none that can be read."""
    try:
        found = json.loads((folder / _STATE).read_text(encoding="utf-8"))["global_step"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return found if isinstance(found, int) and found >= 0 else None
