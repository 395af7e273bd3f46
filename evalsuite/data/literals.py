"""Values that tables write as text: JSON's or Python's."""

from __future__ import annotations

import ast
import json
from typing import Any


def read_literal(text: str) -> Any:
    """The value that a text writes, as JSON or else as Python does. Raises ValueError where it writes none.

    >>> read_literal('["a", null]'), read_literal("['a', None]")
    (['a', None], ['a', None])
    """
    for parse in (json.loads, ast.literal_eval):  # JSON's escapes of an emoji are two characters to Python
        try:
            return parse(text)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            continue
    raise ValueError(f"{text!r:.60} is no literal")
