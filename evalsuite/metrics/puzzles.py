"""Answers to Uni-MMMU's puzzles inside a text: the choice of a jigsaw, the moves of a maze.

Source: Vchitect/Uni-MMMU `eval_ummmu.py`, `JigsawEvaluator` and `MazeEvaluator`. Equal to it on every
recorded text (tests/golden/test_unified.py).
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

__all__ = ["jigsaw_choice", "jigsaw_choice_lmms", "maze_moves", "moves_right"]

_CHOICE = re.compile(r"<FINAL_ANSWER_JSON>\s*(\{.*?\})\s*</FINAL_ANSWER_JSON>", re.DOTALL | re.IGNORECASE)
_SPACED = re.compile(r"<FINAL_ANSWER\s+JSON>\s*(\{.*?\})\s*</FINAL_ANSWER\s+JSON>", re.DOTALL | re.IGNORECASE)
_DIGIT = re.compile(r'"choice"\s*:\s*(\d)')
_MOVES = re.compile(r"<ANSWER_JSON>\s*(\[.*?\])\s*</ANSWER_JSON>", re.DOTALL | re.IGNORECASE)


def jigsaw_choice(text: str) -> tuple[int | None, str]:
    """0 or 1, the choice in the first `<FINAL_ANSWER_JSON>`, and `ok`; else None and why there is none:
    `no_final_json_block`, `bad_json`, `invalid_choice_value`.

    >>> jigsaw_choice('<FINAL_ANSWER_JSON>{"choice": 1}</FINAL_ANSWER_JSON>')
    (1, 'ok')
    """
    found = _CHOICE.search(text)
    if not found:
        return None, "no_final_json_block"
    try:
        value = json.loads(found[1])
    except ValueError:
        return None, "bad_json"
    choice = value.get("choice") if isinstance(value, dict) else None
    if isinstance(choice, int | float) and choice in (0, 1):
        return int(choice), "ok"
    return None, "invalid_choice_value"


def jigsaw_choice_lmms(text: str) -> int | None:
    """The choice as lmms-eval reads it (`lmms_eval/tasks/unig2u/uni_mmmu/utils.py`): `ANSWER JSON` counts,
    too, a number that is a text, and where no such block holds a choice, the first digit behind `"choice":`.

    A whole answer that is JSON with `text` stands for that text (BAGEL's adapter there gives such).

    >>> jigsaw_choice_lmms('I take {"choice": 1}, see above')
    1
    """
    try:
        whole = json.loads(text)
    except ValueError:
        whole = None
    if isinstance(whole, dict) and "text" in whole:
        text = str(whole["text"])
    choice = None
    found = _CHOICE.search(text) or _SPACED.search(text)
    if found:
        try:
            # The block is matched to its first closing mark; the object in it ends where its braces do.
            choice = json.JSONDecoder().raw_decode(found[1])[0].get("choice")
        except ValueError:
            choice = None
    if choice is None:
        digit = _DIGIT.search(text)
        choice = int(digit[1]) if digit else None
    try:
        return None if choice is None else int(choice)
    except (TypeError, ValueError):
        return None


def maze_moves(text: str) -> list[str]:
    """The moves in the last `<ANSWER_JSON>`, in lower case; none where it holds no JSON list."""
    found = _MOVES.findall(text)
    try:
        value = json.loads(found[-1]) if found else []
    except ValueError:
        return []
    return [str(move).strip().lower() for move in value]


def moves_right(moves: Sequence[str], right: Sequence[str]) -> tuple[bool, float]:
    """Whether the moves are the right ones (never where there are none), and the share of right moves that
    stand at their place."""
    if not right:
        return False, 0.0
    hits = sum(move == wanted for move, wanted in zip(moves, right, strict=False))
    return list(moves) == list(right), hits / len(right)
