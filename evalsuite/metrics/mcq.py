"""Which letter an answer means, by the extractor that lmms-eval's multiple-choice tasks share since 2026."""

from __future__ import annotations

from collections.abc import Callable, Mapping

__all__ = ["lmms_letter"]

_MARKS = ",.!?;:'\""
_ANNOUNCE = (
    *(
        f"{article}{what} is"
        for what in (
            "answer", "correct answer", "best answer", "correct option", "best option", "choice",
            "correct choice",
        )
        for article in ("", "the ")
    ),
    "my answer is", "my choice is",
    "i choose", "i select", "i pick",
    "옵션", "정답은", "답은", "답:",
    "答案是", "答案为", "选",
    "答えは",
)  # fmt: skip
"""Phrases before an answer; of each the first occurrence counts, so longer forms are phrases of their own."""
_FORMS: tuple[Callable[[str], str], ...] = (
    "({})".format,
    "{}.".format,
    "{}:".format,
    "{})".format,
    "{} ".format,
    "{}".format,
)


def lmms_letter(text: str, options: Mapping[str, str]) -> str | None:
    """The letter that an answer means; None where no letter of an option occurs in it.

    The first of these that finds a letter decides: one in front or at the end that belongs to no word; the
    letters behind a phrase like "the answer is" (the farthest of their first occurrences); the last "(B)",
    "B.", "B:", "B)", "B " in this order; the last letter anywhere, even inside a word. Letters are upper
    case. Source: EvolvingLMMs-Lab/lmms-eval `lmms_eval/tasks/_task_utils/mcq_extract.py`
    (`extract_mcq_answer` as it was until summer 2026; later versions abstain more often).

    >>> lmms_letter("I first thought of (A), but the answer is B", {"A": "cat", "B": "dog"})
    'B'
    >>> lmms_letter("a dog", {"A": "cat", "B": "dog"}) is None
    True
    """
    text = text.strip()
    for mark in _MARKS:
        text = text.strip(mark)
    bare = text.strip()
    for letter in options:
        if bare.startswith(letter) and not bare[1:2].isalpha():
            return letter
    for letter in options:
        if bare.endswith(letter) and not bare[-2:-1].isalpha():
            return letter
    text = f" {text} "
    if announced := _announced(text, options):
        return announced
    for form in _FORMS:
        found = {letter: text.rfind(form(letter)) for letter in options}
        best = max(found, key=found.__getitem__, default=None)
        if best is not None and found[best] >= 0:
            return best
    return None


def _announced(text: str, options: Mapping[str, str]) -> str | None:
    lower = text.lower()
    behind = [place + len(phrase) for phrase in _ANNOUNCE if (place := lower.find(phrase)) >= 0]
    found: dict[str, int] = {}
    for start in behind:
        for letter in options:
            if (place := text.find(letter, start)) >= 0:
                found[letter] = max(found.get(letter, -1), place)
    return max(found, key=found.__getitem__, default=None)
