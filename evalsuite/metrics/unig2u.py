r"""How lmms-eval reads answers to UniG2U's parts: MMSI, VisualPuzzles, VSP, and those that a judge grades.

Source: EvolvingLMMs-Lab/lmms-eval `lmms_eval/tasks/unig2u/<part>/utils.py`:

* `mmsi`: mmsi, `extract_single_choice_with_word_boundary`;
* `visual_puzzles`: visualpuzzles, `parse_response`;
* `route`, `crossing_times`: vsp, `gmap_process_results`, `collision_process_results`;
* `final_answer`: babyvision and phyx, `extract_boxed_answer` and what stands in for it;
* `judged_flag`, `last_part`: geometry3k and auxsolidmath, `…_process_results`.

Each was run beside that code on generated texts (docs/comprehension.md). What surprises in it is kept, and
named with each function.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

__all__ = [
    "crossing_times",
    "final_answer",
    "judged_flag",
    "last_part",
    "mmsi",
    "route",
    "visual_puzzles",
]

_ENCLOSED = tuple(map(re.compile, ("``([^`]*)``", "`([^`]*)`", r"\{([^}]*)\}")))
_ALONE = re.compile(r"\b[A-D]\b(?!\s[a-zA-Z])")


def mmsi(text: str, options: Mapping[str, str]) -> str | None:
    """The first capital letter from A to D that is a word of its own, between the first backticks or braces
    where there are any.

    A letter with a space and another word behind it is none ("A is right"), nor is a small one. Empty
    backticks hide whatever else the answer says.

    >>> mmsi("A bird is seen, so ``B``.", {}), mmsi("(C) seems right", {}), mmsi("B it is", {})
    ('B', 'C', None)
    """
    for mark in _ENCLOSED:
        found = mark.search(text)
        text = found[1] if found else text
    letter = _ALONE.search(text)
    return letter[0] if letter else None


_PUZZLE_LETTERS = "ABCD"
_PUZZLE_FORMS = tuple(
    map(
        re.compile,
        (
            r"Answer:\s*\(([A-Za-z])\)",
            r"(?<!Final )Answer:\s*([A-Za-z])",
            r"Answer:\s*([A-Za-z])",
            r"\(([A-Za-z])\)",
            r"([A-Za-z])\)",
            r"\{([A-Za-z])\}",
            r"\$([A-Za-z])\$",
            r" ([A-Da-d])\.",
        ),
    )
)
_WORD_LETTER = re.compile(" ([A-Da-d])")
_SHORT = 5
"""An answer of fewer characters may be a bare letter."""


def visual_puzzles(text: str, options: Mapping[str, str]) -> str | None:
    """The last letter from A to D, in either case, of the first of nine forms that finds one; else the option
    whose text is behind "answer:", else the one that is named last.

    A word behind "Answer:" counts by its first letter ("Answer: both" is B). Of the text behind "answer:"
    only options without capital letters can be found. A bare letter counts in answers of up to four
    characters. Where nothing is found the official script fails; here the answer is unread.

    Args:
        options: letter -> text; without texts (they are in the image) only letters are looked for.

    >>> visual_puzzles("(A) or (B)? Answer: c", {}), visual_puzzles("two dogs", {"A": "cat", "B": "dog"})
    ('C', 'B')
    """
    text = f" {text.strip()}"
    for form in (*_PUZZLE_FORMS, *([_WORD_LETTER] if len(text) <= _SHORT else [])):
        for letter in reversed(form.findall(text)):
            if letter.upper() in _PUZZLE_LETTERS:
                return str(letter.upper())
    if not any(options.values()):
        return None
    lower = text.lower()
    for letter, option in options.items():
        if f"answer: {option}" in lower or f"answer:{option}" in lower:
            return letter
    places = {letter: text.rfind(option) for letter, option in options.items()}
    last = max(places, key=places.__getitem__)  # of two at one place the first
    return last if places[last] >= 0 else None


_COMPASS = {"north": (1, 0), "south": (-1, 0), "east": (0, 1), "west": (0, -1)}
_STEPS = {name: re.compile(rf"{name}[:\s]*(\d+)") for name in _COMPASS}
_DROPPED = str.maketrans("", "", "\"'.")
_BEHIND = 7
"""Characters from the beginning of "Output" (or "Path") to what is read: the word and a mark behind it."""


def route(text: str) -> tuple[int, int] | None:
    """Crossroads to the north and to the east in all, south and west negative; None where no direction with a
    number is found (the official script takes that for no step at all).

    Read is what is behind the first "Output", else behind the first "Path", else everything. Of a line each
    direction counts once. Periods are dropped before: "North: 1.5" is fifteen.

    >>> route("<Output>\\n1. North: 2\\n2. West: 4"), route("north 1, north 1"), route("up")
    ((2, -4), (1, 0), None)
    """
    place = text.find("Output")
    if place < 0:
        place = text.find("Path")
    north = east = 0
    read = False
    for line in text[place + _BEHIND if place >= 0 else 0 :].translate(_DROPPED).lower().split("\n"):
        for name, (up, right) in _COMPASS.items():
            found = _STEPS[name].search(line)
            if found is None:
                continue
            try:
                steps = int(found[1])
            except ValueError:  # more digits than Python converts: nothing behind it is read
                return north, east
            read = True
            north += up * steps
            east += right * steps
    return (north, east) if read else None


_TIME = re.compile(r"(Car|Person):\s*([0-9]*\.?[0-9]+)", re.IGNORECASE)


def crossing_times(text: str) -> dict[str, float]:
    """Seconds by "Car" and "Person"; of several numbers the last. Who is not named is not there.

    >>> crossing_times("car: 2.0\\nPerson: .5, no, Person: 3")
    {'Car': 2.0, 'Person': 3.0}
    """
    return {name.capitalize(): float(number) for name, number in _TIME.findall(text)}


_BOX = "\\boxed{"
_QUOTED = re.compile(r"`([^`]+)`")
_ANSWER_LENGTH = 200


def final_answer(text: str, letters: str = "") -> str:
    r"""What a judge is shown of an answer: the last `\boxed{…}`, else the last text between backticks, else
    the first of `letters` that is a word of its own, else the first 200 characters.

    Args:
        letters: as a regular expression's range, `A-D`; empty: none is looked for.

    >>> final_answer(r"So \boxed{\frac{1}{2}}"), final_answer("I say B.", "A-D"), final_answer(" Red. ")
    ('\\frac{1}{2}', 'B', 'Red.')
    """
    found = _boxed(text) or _QUOTED.findall(text)
    if found:
        return str(found[-1]).strip()
    letter = re.search(rf"\b([{letters}])\b", text) if letters else None
    return letter[1] if letter else text.strip()[:_ANSWER_LENGTH]


def _boxed(text: str) -> list[str]:
    """The contents of all boxes that are closed.

    Braces in a box nest two deep; what is deeper runs to the last brace of its line that lets the box close.
    That is what the official regular expression matches, whose time doubles with every brace of a box
    that is cut off; here it is in proportion to the text.
    """
    first = text.find(_BOX)
    if first < 0:
        return []
    # From the end: where a box closes that is at this place outside of braces, and inside one pair of them.
    outside: list[int | None] = [None] * (len(text) + 1)
    inside, deeper = None, None
    for place in range(len(text) - 1, first, -1):
        letter = text[place]
        if letter == "}":
            outside[place], deeper = place, inside if deeper is None else deeper
            inside = outside[place + 1]
        elif letter == "{":
            outside[place], inside = inside, deeper
        else:
            outside[place] = outside[place + 1]
            deeper = None if letter == "\n" else deeper
    found = []
    place = first
    while place >= 0:
        start = place + len(_BOX)
        end = outside[start]
        if end is not None:
            found.append(text[start:end])
        place = text.find(_BOX, start if end is None else end)
    return found


def judged_flag(reply: str, key: str) -> bool | None:
    """Whether `key` is 1 in the first JSON object of a judge's reply; False where there is no object, None
    where it is no JSON or holds no number there (the official script then asks again).

    Fractions are cut: 1.9 is 1.

    >>> judged_flag('Well: {"ok": 1}', "ok"), judged_flag("ok", "ok"), judged_flag('{"ok": "yes"}', "ok")
    (True, False, None)
    """
    found = _first_object(reply)
    if found is None:
        return False
    try:
        return int(json.loads(found).get(key, 0)) == 1
    except (ValueError, TypeError, OverflowError, RecursionError):
        return None


def _first_object(text: str) -> str | None:
    """From the first brace to the one that closes it; braces inside quotes do not count."""
    start = text.find("{")
    depth, quoted, escaped = 0, False, False
    for place in range(start, len(text)) if start >= 0 else ():
        letter = text[place]
        if letter == '"' and not escaped:
            quoted = not quoted
        elif letter in "{}" and not quoted:
            depth += 1 if letter == "{" else -1
            if depth == 0:
                return text[start : place + 1]
        escaped = letter == "\\" and not escaped
    return None


_JUDGED_LENGTH = 50_000


def last_part(text: str) -> str:
    """The last 50,000 characters of an answer, with a line in front that says so where it is longer.

    >>> last_part("x" * 50_001)[:16]
    '...[truncated]..'
    """
    if len(text) <= _JUDGED_LENGTH:
        return text
    return f"...[truncated]...\n{text[-_JUDGED_LENGTH:]}"
