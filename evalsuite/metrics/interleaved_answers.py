"""Questions and answers of text and images as judges of interleaved benchmarks are shown them: MMIE, OpenING.

Checked against MMIE's `dataset.py` (lists of entries, images that are missing, the limit of three images).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

from evalsuite.errors import SampleError

__all__ = [
    "OPENING_METRICS",
    "OPENING_RATES",
    "marked_steps",
    "mmie_entries",
    "opening_battle",
    "opening_grades",
    "opening_winner",
]

_Image = TypeVar("_Image")

_MOST = 3
"""Images of question and answer together from which on MMIE's judge is shown no more of the answer."""

Entry = tuple[str | None, _Image | None]
"""A text and the image behind it; either may be absent."""


def mmie_entries(
    question: Iterable[Entry[_Image]], answer: Iterable[Entry[_Image]]
) -> tuple[list[str | _Image], list[str | _Image]]:
    """MMIE: question and answer as runs of text and images, each image behind `Image-N: `.

    Texts end in a line break, and so do images. The answer is cut off once three images have been shown; the
    text of the entry at which it is cut still counts.

    >>> mmie_entries([("Next", None)], [(None, 7), ("A step.", None)])
    (['Next\\n'], ['Image-0: ', 7, '\\nA step.\\n'])
    """
    shown = 0
    asked: list[str | _Image] = []
    for text, image in question:
        _add(asked, "" if text is None else f"{text}\n")
        if image is not None:
            _add(asked, f"Image-{shown}: ", image, "\n")
            shown += 1
    said: list[str | _Image] = []
    for text, image in answer:
        _add(said, "" if text is None else f"{text}\n")
        if shown >= _MOST:
            break
        if image is not None:
            _add(said, f"Image-{shown}: ", image, "\n")
            shown += 1
        if shown >= _MOST:
            break
    return asked, said


def _add(parts: list[str | _Image], *more: str | _Image) -> None:
    for one in more:
        before = parts[-1] if parts else None
        if isinstance(one, str) and isinstance(before, str):
            parts[-1] = before + one
        elif one != "":
            parts.append(one)


def marked_steps(entries: Sequence[Entry[_Image]], opening: str, shown: int) -> list[str | _Image]:
    """OpenING: each entry's text with `<IMG_N></IMG_N>` where an image follows, then the image.

    Args:
        opening: what stands before the first text (`INPUT: `).
        shown: images before these.

    >>> marked_steps([("Draw <image>", 7), ("Then", None)], "INPUT: ", 0)
    ['INPUT: Draw  <IMG_0></IMG_0>', 7, 'Then']
    """
    parts: list[str | _Image] = []
    for place, (text, image) in enumerate(entries):
        words = (text or "").replace("<BEGIN>", "").replace("<image>", "")
        if image is not None:
            words += f" <IMG_{shown}></IMG_{shown}>"
            shown += 1
        parts.append(opening + words if place == 0 else words)
        if image is not None:
            parts.append(image)
    return parts or [f"{opening}None"]


OPENING_METRICS = (
    "Correctness",
    "Image-Text Coherency",
    "Multi-step Consistency",
    "Content Quality",
    "Human Preference Alignment",
    "Completeness",
    "Content Richness",
)


def opening_grades(reply: str) -> dict[str, float]:
    """OpenING: the seven scores from 0 to 10 in a reply's JSON, whether or not they lie under `scores`.

    Raises SampleError where the JSON cannot be read, or a score is missing, null or off the scale: officially
    the entry is asked again, or dropped whole.

    >>> opening_grades('{"scores": {' + ", ".join(f'"{name}": {{"Score": 5}}' for name in OPENING_METRICS)
    ...     + "}}")["Completeness"]
    5.0
    """
    found = _object(reply)
    inner = found.get("scores")
    found = inner if isinstance(inner, dict) else found
    grades: dict[str, float] = {}
    for name in OPENING_METRICS:
        entry = found.get(name)
        score = entry.get("Score") if isinstance(entry, dict) else entry
        if isinstance(score, bool) or not isinstance(score, int | float) or not 0 <= score <= 10:
            raise SampleError(f"the reply has no {name} from 0 to 10: {reply!r:.200}")
        grades[name] = float(score)
    return grades


OPENING_RATES = ("FDT", "w/o Tie", "w/ Tie (0)", "w/ Tie (.5)")


def opening_winner(reply: str) -> str:
    """OpenING: which of two documents a judge prefers, `A`, `B`, or a tie that leans, `Tie(A)`, `Tie(B)`.

    As GPT_judge_AB.py and IntJudge_judge_AB.py read it: by the first letter, or its first five where
    it begins with `Tie`; else a tie that leans to the first A or B of the reply. A tie that leans to nobody
    is kept as it is.

    Raises SampleError for a reply without any, for which the scripts draw a side at random.

    >>> opening_winner("Tie(B is better)"), opening_winner("I prefer B"), opening_winner("A is better")
    ('Tie(B)', 'Tie(B)', 'A')
    """
    if reply[:1] in ("A", "B"):
        return reply[0]
    if reply[:3].lower() == "tie":
        return f"{reply[:5]})"
    side = next((letter for letter in reply if letter in "AB"), "")
    if not side:
        raise SampleError(f"the reply prefers neither A nor B: {reply!r:.200}")
    return f"Tie({side})"


def opening_battle(winner: str, side: str) -> dict[str, float]:
    """OpenING (calculate_model_winrate.py): what a comparison counts for the document shown as `side`.

    Ties count for whom they lean to (FDT), not at all (`w/o Tie`, absent then), nothing, or half.

    >>> opening_battle("Tie(A)", "A")
    {'FDT': 1.0, 'w/ Tie (0)': 0.0, 'w/ Tie (.5)': 0.5}
    """
    won = winner == side
    found = {
        "FDT": float(won or winner == f"Tie({side})"),
        "w/ Tie (0)": float(won),
        "w/ Tie (.5)": 1.0 if won else 0.5 * ("Tie" in winner),
    }
    return found | ({"w/o Tie": float(won)} if winner in ("A", "B") else {})


def _object(reply: str) -> dict[str, Any]:
    match = re.search(r"\{[\s\S]*\}", reply)
    try:
        found = json.loads(match.group(0)) if match else None
    except (ValueError, RecursionError) as error:
        raise SampleError(f"the reply holds no JSON that can be read: {reply!r:.200}") from error
    if not isinstance(found, dict):
        raise SampleError(f"the reply holds no JSON object: {reply!r:.200}")
    return found
