"""Options of a question, written behind it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict

from evalsuite.errors import DataError
from evalsuite.task.readers import options_of


class Choices(BaseModel):
    """How options are written behind a question."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    head: str = "\n"
    """What stands in front of the first."""
    each: str = "({letter}) {text}"
    between: str = "\n"
    none: str = ""
    """What stands behind a question whose options are in its image."""

    def behind(
        self, question: str, cell: Any, letters: Mapping[str, str], where: str
    ) -> tuple[str, dict[str, str]]:
        """The question with its options, and those by letter; without texts where the cell has none.

        Raises:
            DataError: the cell is no list, or has another number of options than there are letters.
        """
        texts = options_of(cell, where)
        if not texts:
            return question + self.none, dict(letters)
        if len(texts) != len(letters):
            raise DataError(f"{where} has {len(texts)} options instead of {len(letters)}.")
        options = dict(zip(letters, texts, strict=True))
        lines = [
            self.each.replace("{letter}", letter).replace("{text}", text) for letter, text in options.items()
        ]
        return question + self.head + self.between.join(lines), options


def is_number(text: str) -> bool:
    """Whether a text is a finite number."""
    try:
        return abs(float(text)) < float("inf")
    except ValueError:
        return False
