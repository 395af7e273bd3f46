"""Which option a short answer means, for benchmarks that ask for a letter; and MMMU's open answers.

Rules by name:

* ``llava-scienceqa``: haotian-liu/LLaVA `llava/eval/eval_science_qa.py`;
* ``lmms-scienceqa``: EvolvingLMMs-Lab/lmms-eval `lmms_eval/tasks/scienceqa/utils.py`;
* ``equal``: the answer is the letter (LLaVA `scripts/convert_seed_for_submission.py`);
* ``first-letter``: its first character is the letter (lmms-eval `lmms_eval/tasks/seedbench/utils.py`);
* ``mmmu``: MMMU-Benchmark/MMMU `mmmu/utils/eval_utils.py`, without its random choice for an undecided answer;
* ``mmstar``: MMStar-Benchmark/MMStar `eval/vlmeval/evaluate/mmstar.py`;
* ``blink``: zeyofu/BLINK_Benchmark `eval/test_benchmark.py`, `analyze_answer` without its judge;
* ``ai2d-lmms``: EvolvingLMMs-Lab/lmms-eval, task ai2d: its filter, then its exact match;
* ``ai2d-cambrian``: cambrian-mllm/cambrian `eval/eval/ai2d/ai2d_test.py`;
* ``internvl``: OpenGVLab/InternVL `internvl_chat/eval/vqa/evaluate_vqa.py`, exact match of the letter;
* ``lmms-mcq``: the letter extractor that lmms-eval's tasks share since 2026 (`evalsuite.metrics.mcq`);
* ``blink-lmms``: EvolvingLMMs-Lab/lmms-eval `lmms_eval/tasks/blink/utils.py`;
* ``in-parentheses``: the answer is "(B)" (what BLINK's judge is asked for);
* ``mmmu-pro``: MMMU-Benchmark/MMMU `mmmu-pro/evaluate.py`, without its random choice for an undecided answer;
* ``mmvp-bagel``, ``mmvp-cambrian``, ``mmvp-lmms``: see `evalsuite.metrics.mmvp`;
* ``unieval``, ``realunify``, ``realunify-lmms``, ``mme-unify``: see `evalsuite.metrics.unified`;
* ``mmsi``, ``visual-puzzles``: see `evalsuite.metrics.unig2u`.
"""

from __future__ import annotations

import re
import string
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from evalsuite.errors import SpecError
from evalsuite.metrics import mmvp, unified, unig2u
from evalsuite.metrics.mcq import lmms_letter

__all__ = ["LETTER_RULES", "mmmu_open_hit", "read_letter"]

_ANSWER_IS = re.compile(r"The answer is ([A-Z]).")
_LETTER_FIRST = re.compile(r"([A-E])(?:\Z|\. )")


def _llava_scienceqa(text: str, options: Mapping[str, str]) -> str | None:
    # A letter in front decides even where the question has fewer options: whatever follows, it is wrong.
    first = _LETTER_FIRST.match(text)
    found = [first[1]] if first else _ANSWER_IS.findall(text)
    return found[0] if len(found) == 1 and found[0] in options else None


def _lmms_scienceqa(text: str, options: Mapping[str, str]) -> str | None:
    text = text.strip()
    if text.upper() in options and len(text) == 1:
        return text.upper()
    if len(text) >= 2 and text[0].isupper() and text[1] == ".":
        return text[0] if text[0] in options else None
    return None


def _equal(text: str, options: Mapping[str, str]) -> str | None:
    return text if text in options else None


def _first_letter(text: str, options: Mapping[str, str]) -> str | None:
    letter = text.strip()[:1].upper()
    return letter if letter in options else None


def _mmmu(text: str, options: Mapping[str, str]) -> str | None:
    for mark in (",", ".", "!", "?", ";", ":", "'"):
        text = text.strip(mark)
    text = f" {text} "
    forms: tuple[Callable[[str], str], ...] = ("({})".format, " {} ".format)
    for form in forms:
        places = {letter: text.rfind(form(letter)) for letter in options}
        found = [letter for letter in options if places[letter] >= 0]
        if found:
            return max(found, key=places.__getitem__)
    if len(text.split()) <= 5:
        return None
    lower = text.lower()
    places = {letter: lower.rfind(option.lower()) for letter, option in options.items()}
    found = [letter for letter in options if places[letter] >= 0]
    return max(found, key=places.__getitem__) if found else None


def _mmmu_pro(text: str, options: Mapping[str, str]) -> str | None:
    place = text.rfind("Answer:")
    if place >= 0:
        behind = text[place + len("Answer:") :]
        named = [letter for letter in options if letter in behind]
        if len(named) == 1:
            return named[0]
    for mark in (",", ".", "!", "?", ";", ":", "'"):
        text = text.strip(mark)
    text = f" {text} "
    # What is found by "B " or "B." is told apart by " B ", wherever that stands (or nowhere).
    forms = (("({})", "({})"), ("{} ", " {} "), ("{}.", " {} "))
    for form, places_of in forms:
        found = [letter for letter in options if form.format(letter) in text]
        if found:
            return max(found, key=lambda letter: text.rfind(places_of.format(letter)))
    if len(text.split()) <= 5:
        return None
    lower = text.lower()
    places = {letter: lower.rfind(option.lower()) for letter, option in options.items()}
    found = [letter for letter in options if places[letter] >= 0]
    return max(found, key=places.__getitem__) if found else None


_BLINK_LMMS = re.compile(r"[(\s]*([A-Z])", re.IGNORECASE)


def _blink_lmms(text: str, options: Mapping[str, str]) -> str | None:
    found = _BLINK_LMMS.match(text.strip())
    return found[1].upper() if found else None  # even beyond the options: decided, and wrong


def _in_parentheses(text: str, options: Mapping[str, str]) -> str | None:
    return text[1] if len(text) == 3 and text[0] == "(" and text[2] == ")" and text[1] in options else None


_MMSTAR_FRONTS = ("", "(", "option ", "the answer is ")


def _mmstar(text: str, options: Mapping[str, str]) -> str | None:
    text = text.lower().strip().replace("\n", " ")
    for front in _MMSTAR_FRONTS:
        letter = text[len(front) : len(front) + 1].upper()
        if text.startswith(front) and letter in options:
            return letter
    return None


_BLINK_LETTERS = "ABCDE"


def _blink(text: str, options: Mapping[str, str]) -> str | None:
    bare = text[1:-1] if text[:1] + text[-1:] == "()" else text
    if len(bare) == 1 and bare in _BLINK_LETTERS:  # even beyond the options: decided, and wrong
        return bare
    marks = {f"({letter})": letter for letter in options}
    found = {word for word in text.split() if word in marks}
    last = {word for word in text.split("\n\n")[-1].split() if word in marks}
    chosen = last if len(last) == 1 else found
    return marks[next(iter(chosen))] if len(chosen) == 1 else None


_LETTER_PERIOD = re.compile(r"\s*([A-Z])\.")
_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)


def _ai2d_lmms(text: str, options: Mapping[str, str]) -> str | None:
    found = _LETTER_PERIOD.match(text)
    text = (found[1] if found else text).lower().translate(_NO_PUNCTUATION)
    letter = text.rstrip("\0").upper()  # numpy's strings have no NUL at their end
    return letter if letter in options else None


def _ai2d_cambrian(text: str, options: Mapping[str, str]) -> str | None:
    text = text.lower().strip()
    for key in ("answer is", "answer is:", "answer:"):
        text = text.split(key)[-1]
    first = text.strip().rstrip(".:,").lstrip("(").rstrip(")")[:1]
    # Letters up to d stand for positions; a position itself counts, too.
    place = "abcd".find(first) if first and first in "abcd" else "0123456789".find(first) if first else -1
    letters = list(options)
    return letters[place] if 0 <= place < len(letters) else None


def _internvl(text: str, options: Mapping[str, str]) -> str | None:
    letter = text.strip().upper()
    return letter if letter in options else None


LETTER_RULES: Mapping[str, Callable[[str, Mapping[str, str]], str | None]] = MappingProxyType(
    {
        "llava-scienceqa": _llava_scienceqa,
        "lmms-scienceqa": _lmms_scienceqa,
        "equal": _equal,
        "first-letter": _first_letter,
        "mmmu": _mmmu,
        "mmstar": _mmstar,
        "blink": _blink,
        "ai2d-lmms": _ai2d_lmms,
        "ai2d-cambrian": _ai2d_cambrian,
        "internvl": _internvl,
        "lmms-mcq": lmms_letter,
        "blink-lmms": _blink_lmms,
        "in-parentheses": _in_parentheses,
        "mmmu-pro": _mmmu_pro,
        "mmvp-bagel": mmvp.bagel,
        "mmvp-cambrian": mmvp.cambrian,
        "mmvp-lmms": mmvp.lmms,
        "unieval": unified.unieval,
        "realunify": unified.realunify,
        "mme-unify": unified.mme_unify,
        "realunify-lmms": unified.realunify_lmms,
        "mmsi": unig2u.mmsi,
        "visual-puzzles": unig2u.visual_puzzles,
    }
)


def read_letter(text: str, options: Mapping[str, str], rule: str) -> str | None:
    """The letter that an answer means; None where the rule cannot decide.

    Args:
        text: the model's answer.
        options: letter -> text, in order.
        rule: a name in `LETTER_RULES`.

    Raises:
        SpecError: unknown rule.

    >>> read_letter("The answer is B.", {"A": "cat", "B": "dog"}, "llava-scienceqa")
    'B'
    """
    if rule not in LETTER_RULES:
        raise SpecError(f"There is no letter rule {rule!r}.", f"Choose from {', '.join(LETTER_RULES)}.")
    return LETTER_RULES[rule](text, options)


_NUMBERS = (
    re.compile(r"-?\b\d{1,3}(?:,\d{3})+\b"),
    re.compile(r"-?\d+(?:\.\d+)?[eE][+-]?\d+"),
    re.compile(r"-?(?:\d+\.\d+|\.\d+|\d+\b)(?![eE][+-]?\d+)(?![,\d])"),
)
_KEYS = ("could be ", "so ", "is ", "thus ", "therefore ", "final ", "answer ", "result ")
_TRIVIAL = frozenset(":,.!?;'")


def mmmu_open_hit(text: str, answers: Sequence[str]) -> bool:
    """Whether an answer to an open question of MMMU counts as right.

    Of each line the shortest tail behind a word like "is" counts, and every number in it: a number must
    equal an answer to two decimals, a text must contain one.

    Args:
        text: the model's answer.
        answers: the right answers; one of them suffices.

    >>> mmmu_open_hit("So the total is $1,200.", ["1200"]), mmmu_open_hit("about 7", ["8"])
    (True, False)
    """
    wanted = [value for answer in answers for value in _normal(answer)]
    parts = _key_parts(text)
    given = [*parts, *(number for part in parts for form in _NUMBERS for number in form.findall(part))]
    for value in (value for part in given for value in _normal(part)):
        if isinstance(value, str):
            if any(isinstance(answer, str) and answer in value for answer in wanted):
                return True
        elif value in wanted:
            return True
    return False


def _key_parts(text: str) -> list[str]:
    text = text.strip().strip(".").lower()
    # The official pattern also splits before capital letters, of which lower-cased text has none.
    lines = text.split("\n")
    parts = []
    for place, line in enumerate(lines):
        keys = (*_KEYS, "=") if place == len(lines) - 1 else _KEYS
        tails = [line.split(key)[-1].strip() for key in keys if key in line]
        # As there, a tail that is empty gives way to the next one, whatever its length.
        shortest = ""
        for tail in tails:
            if not shortest or len(tail) < len(shortest):
                shortest = tail
        if shortest and shortest not in _TRIVIAL:
            parts.append(shortest)
    return parts or [text]


def _normal(text: str) -> list[str | float]:
    text = text.strip()
    try:
        return [round(float(text.replace(",", "")), 2)]
    except ValueError:
        text = text.lower()
        # A single letter must stand alone, not inside a word.
        return [f" {text}", f"{text} "] if len(text) == 1 else [text]
