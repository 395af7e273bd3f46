"""Multiple choice from free text: which option is meant, circular evaluation, ability report (MMBench).

Rules for reading an answer, by name:

* ``vlmevalkit``: open-compass/VLMEvalKit `vlmeval/utils/matching_util.py`, MMBench's own tool chain;
* ``lmms-eval``: EvolvingLMMs-Lab/lmms-eval `lmms_eval/tasks/mmbench/mmbench_evals.py`, an older copy.

Both may give up; the papers then ask a language model. Without one, an undecided answer is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from evalsuite.errors import SampleError, SpecError

__all__ = [
    "CHOICE_RULES",
    "MMBENCH_ABILITIES",
    "NO_OPTION",
    "ability_report",
    "circular_hit",
    "extract_choice",
    "rotations_of",
]

NO_OPTION = "Z"
"""What the ``vlmevalkit`` rule says of a refusal: decided, and none of the options."""

MMBENCH_ABILITIES: Mapping[str, str] = MappingProxyType(
    {
        "coarse_perception": "CP",
        "finegrained_perception (instance-level)": "FP-S",
        "finegrained_perception (cross-instance)": "FP-C",
        "logic_reasoning": "LR",
        "relation_reasoning": "RR",
        "attribute_reasoning": "AR",
    }
)
"""The short names of the six L2 abilities in MMBench's tables."""

_API_FAILED = "Failed to obtain answer via API"
_REFUSALS = (
    "Sorry, I can't help with images of people yet.",
    "I can't process this file.",
    "I'm sorry, but without the image provided",
    "Cannot determine the answer",
)
_SEPARATORS = str.maketrans(dict.fromkeys(".()[],:;!*#{}", " "))
_ANSWER_IS = re.compile(r"answer\s+is\s+\**([ABCD])", re.IGNORECASE)
# Letters of an older copy with the marks it accepts around them, in the order in which it tries them.
_OLDER_LETTERS = "ABCDE"
_OLDER_MARKS = (
    ("", "."), ("", ","), ("", ":"), ("", ")"), ("", ")."), ("(", ")"), ("(", ")."),
    (":", ""), (":", ","), (":", "."), (":", ")"), (":", ")."),
)  # fmt: skip


def _only_text(answer: str, options: Mapping[str, str]) -> str | None:
    found = [letter for letter, text in options.items() if text.lower() in answer]
    return found[0] if len(found) == 1 else None


def _vlmevalkit(prediction: str, options: Mapping[str, str]) -> str | None:
    return _vlmevalkit_letter(prediction, options) or _vlmevalkit_text(prediction, options)


def _vlmevalkit_letter(prediction: str, options: Mapping[str, str]) -> str | None:
    if _API_FAILED in prediction:
        return None
    if any(refusal in prediction for refusal in _REFUSALS):
        return NO_OPTION
    words = prediction.translate(_SEPARATORS).split()
    letters = [letter for letter in options if letter in words]
    if len(letters) == 1 and words.index(letters[0]) > len(words) - 5:
        return letters[0]
    if not letters and NO_OPTION in words:
        return NO_OPTION
    spelled = _ANSWER_IS.search(prediction)
    if spelled and spelled[1].upper() in options:
        return spelled[1].upper()
    return None


def _vlmevalkit_text(prediction: str, options: Mapping[str, str]) -> str | None:
    answer = prediction.lower()
    if len(answer) > 2 * sum(len(text) for text in options.values()):
        return None
    return _only_text(answer, options)


def _lmms_eval(prediction: str, options: Mapping[str, str]) -> str | None:
    if _API_FAILED not in prediction:
        words = prediction.split()
        bare = [letter for letter in _OLDER_LETTERS if letter in words]
        # A lone "A" in a longer sentence may be the article.
        if len(bare) == 1 and not ("A" in words and len(words) > 3):
            return bare[0]
        for before, after in _OLDER_MARKS:
            marked = [letter for letter in _OLDER_LETTERS if before + letter + after in words]
            if len(marked) == 1:
                return marked[0]
    return _only_text(prediction.lower(), options)


CHOICE_RULES: Mapping[str, Callable[[str, Mapping[str, str]], str | None]] = MappingProxyType(
    {"vlmevalkit": _vlmevalkit, "lmms-eval": _lmms_eval}
)


def extract_choice(
    prediction: str, options: Mapping[str, str | None], rule: str = "vlmevalkit"
) -> str | None:
    """The letter of the option that a free-text answer means; None when the rule cannot decide.

    Args:
        prediction: the model's answer.
        options: letter -> text, in order; options whose text is None (absent) do not take part.
        rule: a name in `CHOICE_RULES`. Besides option letters, ``vlmevalkit`` may return "Z" (refused, or
            said "Z") and ``lmms-eval`` "E": decided, and wrong.

    >>> extract_choice("The answer is (B).", {"A": "cat", "B": "dog"})
    'B'
    >>> extract_choice("a big dog", {"A": "cat", "B": "dog"})
    'B'
    """
    try:
        chosen = CHOICE_RULES[rule]
    except KeyError:
        raise SpecError(
            f"There is no choice extraction rule {rule!r}.", f"Choose from {', '.join(CHOICE_RULES)}."
        ) from None
    present = {letter: str(text) for letter, text in options.items() if text is not None}
    return chosen(str(prediction), present)


def rotations_of(indices: Sequence[int]) -> dict[int, list[int]]:
    """MMBench's circular groups: question index -> positions of its rows in `indices`, in the order given.

    Row `index` belongs to question `index % 1,000,000`; a rotation whose original row is absent is left out,
    as the official tool does.
    """
    groups: dict[int, list[int]] = {index: [] for index in indices if index < 1_000_000}
    for position, index in enumerate(indices):
        if index % 1_000_000 in groups:
            groups[index % 1_000_000].append(position)
    return groups


def circular_hit(answers: Sequence[str], picks: Sequence[str | None]) -> bool | None:
    """Whether a question counts as right: every rotation must be answered right.

    Args:
        answers: the right letter of each rotation.
        picks: what `extract_choice` made of each prediction.

    Returns:
        False as soon as one decided pick is wrong, True when all are decided and right, None when only a
        judge can decide (without one, MMBench counts the question as wrong).
    """
    if not answers or len(answers) != len(picks):
        raise SampleError(f"A circular group has {len(answers)} answers and {len(picks)} predictions.")
    if any(pick is not None and pick != answer for answer, pick in zip(answers, picks, strict=True)):
        return False
    return None if any(pick is None for pick in picks) else True


def ability_report(
    hits: Sequence[float],
    splits: Sequence[str] = (),
    l2: Sequence[str] = (),
    l3: Sequence[str] = (),
) -> dict[str, dict[str, float]]:
    """MMBench's table: split -> {"Overall", L2 abilities by short name, L3 abilities} -> mean hit in [0, 1].

    Args:
        hits: one value per question (not per rotation).
        splits: the split of each question; empty: one split called "none".
        l2: the L2 ability of each question (column `l2-category`); empty: not reported.
        l3: the L3 ability of each question (column `category`); empty: not reported.

    An ability without a question in a split is left out there (the official table has NaN).
    """
    if not hits:
        raise SampleError("An ability report needs at least one question.")
    of_split = list(splits) or ["none"] * len(hits)
    report: dict[str, dict[str, float]] = {}
    for split in dict.fromkeys(of_split):
        report[split] = {"Overall": _mean([hit for hit, s in zip(hits, of_split, strict=True) if s == split])}
        for column in (l2, l3):
            for ability in sorted(set(column)):
                rows = zip(hits, of_split, column, strict=True)
                members = [hit for hit, s, a in rows if s == split and a == ability]
                if members:
                    report[split][MMBENCH_ABILITIES.get(ability, ability)] = _mean(members)
    return report


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
