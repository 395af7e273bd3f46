"""Columns of few different texts, as answers to choices and their references: for filters and matrices."""

from __future__ import annotations

from array import array
from typing import Any

from evalsuite.report.encoding import pack

MOST = 24
"""A column with more different texts is no filter, and makes no matrix that can be read."""


class FewValues:
    """A column of texts; it is dropped as soon as it has too many different ones, or a long one."""

    def __init__(self) -> None:
        self._places: dict[str, int] = {"": 0}
        self._codes: array[int] | None = array("B")

    def append(self, text: str) -> None:
        if self._codes is None:
            return
        place = self._places.setdefault(text, len(self._places))
        if place > MOST or len(text) > 80:
            self._codes = None
            return
        self._codes.append(place)

    @property
    def usable(self) -> bool:
        """Whether there are texts, and few different ones."""
        return self._codes is not None and len(self._places) > 1

    @property
    def texts(self) -> list[str]:
        """The different texts as they first occurred; the first is "", which means none."""
        return list(self._places)

    @property
    def codes(self) -> array[int]:
        """For each sample, the place of its text in `texts`; empty where the column was dropped."""
        return self._codes if self._codes is not None else array("B")

    def packed(self) -> dict[str, Any] | None:
        """The column for the index; None where it is not usable."""
        if not self.usable:
            return None
        texts = self.texts
        return pack([texts[code] or None for code in self.codes])
