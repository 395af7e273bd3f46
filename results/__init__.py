"""Numbers of papers, and of our own runs, as data."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from evalsuite.published import Publication


def published() -> Sequence[Publication]:
    """The publications in `published/`; found through the entry-point group `evalsuite.published`."""
    from evalsuite.published import read_folder

    return read_folder(Path(__file__).parent / "published")
