"""MathVista: the answer inside a response, and its normal form.

Source: lupantech/MathVista `evaluation/extract_answer.py` (`extract_answer`, before it asks a judge) and
`evaluation/calculate_score.py` (`normalize_extracted_answer`). Equal to both on every recorded answer, and
to the scores that the authors publish of eleven models (tests/golden/test_mathvista.py).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from evalsuite.metrics.anls import levenshtein

__all__ = ["extract", "normalize"]

_LETTER = re.compile(r"\(([a-zA-Z])\)")
_QUICK = re.compile(r'The answer is "(.*)"\.')


def extract(
    response: str, choices: Sequence[str] | None, answer_type: str, *, quick: bool = False
) -> str | None:
    """The answer that a response is, or None where the benchmark asks a judge to find it.

    Args:
        choices: of a multiple-choice question; None: it is a free one.
        answer_type: "text", "integer", "float" or "list".
        quick: also reads `The answer is "…".` (the script's --quick_extract).

    >>> extract("7", None, "integer"), extract("I think 7", None, "integer")
    ('7', None)
    """
    if not response or (choices is not None and response in choices):
        return response
    try:
        if answer_type == "integer":
            return str(int(response))
        if answer_type == "float":
            return str(float(response))
    except ValueError:
        pass
    found = _QUICK.search(response) if quick else None
    return found[1] if found else None


def normalize(
    extraction: Any,
    choices: Sequence[str] | None,
    answer_type: str,
    precision: float | None = None,
    *,
    ignore_empty: bool = False,
) -> str | None:
    """An extracted answer as it is compared with the right one; None where it has no normal form.

    Of a multiple-choice question the first letter in parentheses, or a bare letter, stands for its choice;
    anything else becomes the choice with the least edit distance, so that an empty answer is the shortest
    one.

    Args:
        choices: as in `extract`.
        precision: decimals of a floating-point answer.
        ignore_empty: an empty answer to a multiple-choice question is none (--ignore_empty_extractions).

    >>> normalize("(b) blue", ["red", "blue"], "text"), normalize("3.14159", None, "float", 2)
    ('blue', '3.14')
    """
    if choices is not None:
        text = extraction.strip() if isinstance(extraction, str) else str(extraction)
        if ignore_empty and not text:
            return None
        if found := _LETTER.findall(text):
            text = found[0].upper()
        place = ord(text) - ord("A") if len(text) == 1 else -1
        if 0 <= place < len(choices):
            return choices[place]
        return min(choices, key=lambda choice: levenshtein(text, choice))
    try:
        if answer_type == "integer":
            return str(int(float(extraction)))
        if answer_type == "float":
            return str(round(float(extraction), None if precision is None else int(precision)))
    except (ValueError, TypeError, OverflowError):
        return None
    return str(extraction) if answer_type == "list" or extraction is not None else None
