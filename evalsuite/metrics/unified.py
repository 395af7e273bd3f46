"""Letters out of answers about a model's own images: UniEval, RealUnify, MME-Unify.

* ``unieval``: xmed-lab/UniEval `uni_eval.py`, `check_answer`;
* ``realunify``: FrankYang-17/RealUnify `eval/eval_understanding.py`;
* ``realunify-lmms``: EvolvingLMMs-Lab/lmms-eval `lmms_eval/tasks/realunify/utils.py`.
* ``mme-unify``: the form that MME-Benchmarks/MME-Unify `Prompt.txt` asks for (no reader is published).

Equal to the named code on every recorded answer (tests/golden/test_unified.py).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

__all__ = ["mme_unify", "realunify", "realunify_lmms", "unieval"]

_IN_PARENTHESES = re.compile(r"\(([ABCDE])|([ABCDE])\)")
_UNIEVAL = "ABCDE"
_REALUNIFY = re.compile("[ABCD]")
_REMOVED = (
    "The best answer is",
    "The correct answer is",
    "The answer is",
    "The answer",
    "The best option is",
    "The correct option is",
    "Best answer:",
    "Best option:",
    "Answer",
    "Answer is",
)
_IN_FRONT = (*_REMOVED[:-2], "Answer:", "Answer is", "Answer")
_LONG = 10
"""An answer of more words counts only where it has a capital letter from A to D."""


def unieval(text: str, options: Mapping[str, str]) -> str | None:
    """The last letter at a parenthesis, else the last character, else the option that is named last.

    An option whose text holds a comma is cut at it; of options that end at one place the first counts.

    >>> unieval("(A) or, rather, (B)", {"A": "one", "B": "two"})
    'B'
    """
    found = _IN_PARENTHESES.findall(text)
    if found:
        return str(found[-1][0] or found[-1][1])
    if text[-1:] and text[-1] in _UNIEVAL:
        return text[-1]
    if not text:
        return None
    lower = text.lower()
    places = {letter: lower.rfind(option.split(",")[0].lower()) for letter, option in options.items()}
    last = max(places, key=places.__getitem__, default=None)
    return None if last is None or places[last] < 0 else last


def realunify(text: str, options: Mapping[str, str]) -> str | None:
    """The first capital letter from A to D once ten phrases are removed ("Because" is B)."""
    text = text.strip()
    for phrase in _REMOVED:
        text = text.replace(phrase, "")
    found = _REALUNIFY.search(text)
    return found[0] if found else None


def realunify_lmms(text: str, options: Mapping[str, str]) -> str | None:
    """The first letter from A to D, in either case, behind phrases in front ("apple" is A)."""
    text = text.strip()
    for phrase in _IN_FRONT:
        if text.lower().startswith(phrase.lower()):
            text = text[len(phrase) :].strip()
    if len(text.split()) > _LONG and not _REALUNIFY.search(text):
        return None
    found = _REALUNIFY.search(text.upper())
    return found[0] if found else None


_ANSWER_LINE = re.compile(r"Answer:\s*\(?([A-Z])\b")


def mme_unify(text: str, options: Mapping[str, str]) -> str | None:
    """The letter behind the last "Answer:", else the answer itself where it is nothing but a letter.

    >>> mme_unify("Answer: B", {"A": "Earth", "B": "Mars"})
    'B'
    """
    found = _ANSWER_LINE.findall(text)
    letter = found[-1] if found else text.strip().strip("().")
    return letter if letter in options else None
