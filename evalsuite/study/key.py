"""The key of a study: what each item really is. It stays with whoever runs the study."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from evalsuite.durable import write_file
from evalsuite.errors import DataError

KEY = "key.json"
PAGE = "page"
TIE = "tie"
LEFT, RIGHT = "left", "right"
Mode = Literal["rate", "compare"]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Source(_Strict):
    """Where documents come from: a run, or the true documents of the data."""

    name: str
    run: str = ""
    """Folder of the run; empty for the true documents."""
    model_fingerprint: str = ""


class Item(_Strict):
    """What raters see at once.

    `rate`: one source's document. `compare`: two, side by side.
    """

    id: str
    sample: str
    topic: str = ""
    sources: tuple[str, ...] = Field(min_length=1, max_length=2)
    """In `compare`, the left one first."""


class Key(_Strict):
    """A study as it was made."""

    version: Literal[1] = 1
    study: str
    """Digest of what is shown and how; votes carry it."""
    created: str
    mode: Mode
    question: str
    answers: tuple[str, ...]
    """In `rate`, the share of the first is reported; in `compare`: left, right and, if allowed, tie."""
    task: str
    protocol: str
    label: str
    """The label that topics come from; empty where there are none."""
    seed: int
    sources: tuple[Source, ...]
    items: tuple[Item, ...]

    def save(self, folder: Path) -> None:
        """Writes `key.json`. Raises StoreError."""
        path = folder / KEY
        write_file(path, self.model_dump_json(indent=1) + "\n")


def read_key(folder: Path) -> Key:
    """The key in a study's folder. Raises DataError where it is missing or malformed."""
    path = folder / KEY
    try:
        return Key.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise DataError(
            f"{path} cannot be read ({error.strerror}).", "Name the folder that `evalsuite study make` wrote."
        ) from error
    except (ValueError, RecursionError, ValidationError) as error:
        first = str(error).splitlines()[0]
        raise DataError(f"{path} is not a key of a study ({first}).", "Make the study again.") from error
