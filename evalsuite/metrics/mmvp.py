"""Which of MMVP's two options an answer means, as three programs read it.

* ``mmvp-bagel``: ByteDance-Seed/Bagel `eval/vlm/eval/mmvp/evaluate_mmvp.py` (InternVL's is the same);
* ``mmvp-cambrian``: cambrian-mllm/cambrian `eval/eval/mmvp/mmvp_test.py`;
* ``mmvp-lmms``: EvolvingLMMs-Lab/lmms-eval `lmms_eval/tasks/mmvp/utils.py`.

The benchmark's own scorer asks GPT-4 instead (`scripts/gpt_grader.py`). Equal to the named code on every
recorded answer (tests/golden/test_mmvp.py).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

__all__ = ["bagel", "cambrian", "lmms"]

_BEHIND = ("answer is", "answer is:", "answer:")
_LETTER = r"\(?([AB])\)?"
_FORMS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"^\s*{_LETTER}\.?\s*$",
        rf"^\s*{_LETTER}[\.\s]",
        rf"answer\s+is\s+{_LETTER}",
        rf"option\s+{_LETTER}",
        rf"{_LETTER}(?:\s|$)",
    )
)


def bagel(text: str, options: Mapping[str, str]) -> str | None:
    """The first character where it is a letter, else the first option whose text occurs in the answer.

    >>> bagel("It is open.", {"A": "open", "B": "closed"})
    'A'
    """
    text = text.strip()
    if text[:1] in options:
        return text[0]
    if len(text) == 1:
        return None
    return next((letter for letter, option in options.items() if option in text), None)


def cambrian(text: str, options: Mapping[str, str]) -> str | None:
    """The letter, or the option's whole text, behind the last "answer is"; case does not count."""
    text = text.lower().strip()
    for words in _BEHIND:
        text = text.split(words)[-1]
    text = text.strip().rstrip(".:,").lstrip("(").rstrip(")")
    return next(
        (letter for letter, option in options.items() if text in (letter.lower(), option.lower())), None
    )


def lmms(text: str, options: Mapping[str, str]) -> str | None:
    """The first of five patterns that finds an A or B, else the first character."""
    text = text.strip()
    for form in _FORMS:
        if found := form.search(text):
            return found[1].upper()
    first = text[:1].upper()
    return first if first in ("A", "B") else None
