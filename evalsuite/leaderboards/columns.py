"""Columns of the tidy frame that earlier versions did not have."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas

_TEXTS = ("form", "answers", "doubts", "partial", "undeclared", "reason", "marks", "remarks", "lacks")


def complete(frame: pandas.DataFrame) -> pandas.DataFrame:
    """A frame of an earlier version with the columns of this one: texts that it lacks are empty."""
    import pandas

    have = {name: frame[name] if name in frame else pandas.Series("", frame.index) for name in _TEXTS}
    texts = {name: column.astype(object).where(column.notna(), "") for name, column in have.items()}
    return frame.assign(**texts)
