"""Yes-or-no answers: reading them and counting them (POPE, MME).

Rules, by name:

* ``official``: AoiDragon/POPE `evaluate.py`: everything is "yes" unless its first sentence holds "No", "no"
  or "not"; nothing is ever unread;
* ``lmms-eval``: the whole answer must be "yes" or "no"; anything else is wrong, and counts neither for
  precision nor for recall; its yes-ratio is that of the *labels*;
* ``vlmevalkit``: exactly one of the words "yes" and "no" after the VQA punctuation step; anything else is
  wrong and counts as not-yes;
* ``mme``: MME's `eval_tool/calculation.py`: the lower-cased answer itself, or "yes", else "no", within its
  first four characters as they stand ("Not" and "know" are no, "  yes" is unread);
* ``mme-lmms``: lmms-eval `lmms_eval/tasks/mme/utils.py`: the same without outer space and periods; "y" and
  "n" alone count.

Equal to those programs on every recorded answer and to LLaVA-1.5's logged table (tests/metrics/test_pope.py).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evalsuite.errors import SampleError, SpecError
from evalsuite.metrics.vqa import words_without_punctuation

__all__ = ["POPE_RULES", "PopeReport", "PopeRule", "pope_report", "yes_or_no"]


def _official(answer: str) -> bool:
    words = answer.partition(".")[0].replace(",", "").split(" ")
    return not {"No", "not", "no"}.intersection(words)


def _exact(answer: str) -> bool | None:
    return {"yes": True, "no": False}.get(answer.lower().strip())


def _one_word(answer: str) -> bool | None:
    words = words_without_punctuation(answer.lower())
    if ("yes" in words) == ("no" in words):
        return None
    return "yes" in words


def _mme(answer: str) -> bool | None:
    return _first_four(answer.lower())


def _mme_lmms(answer: str) -> bool | None:
    text = answer.lower().strip().replace(".", "")
    return {"y": True, "n": False}.get(text) if len(text) == 1 else _first_four(text)


def _first_four(text: str) -> bool | None:
    front = text[:4]
    return True if "yes" in front else False if "no" in front else None


@dataclass(frozen=True, slots=True)
class PopeRule:
    """How one scorer reads and counts.

    Args:
        name: what the rule is called.
        read: answer -> yes, no, or None for unread.
        unread_misses: whether an unread answer to a "yes" question counts as missed in recall.
        ratio_of_labels: whether the yes-ratio is taken of the labels instead of the answers.
        without_value: what a quotient is whose divisor is zero.
    """

    name: str
    read: Callable[[str], bool | None]
    unread_misses: bool = True
    ratio_of_labels: bool = False
    without_value: float = 0.0


POPE_RULES: Mapping[str, PopeRule] = MappingProxyType(
    {
        rule.name: rule
        for rule in (
            # The official script stops with a division by zero.
            PopeRule("official", _official, without_value=math.nan),
            PopeRule("lmms-eval", _exact, unread_misses=False, ratio_of_labels=True),
            PopeRule("vlmevalkit", _one_word),
            PopeRule("mme", _mme),
            PopeRule("mme-lmms", _mme_lmms),
        )
    }
)


def _rule(name: str) -> PopeRule:
    try:
        return POPE_RULES[name]
    except KeyError:
        raise SpecError(f"There is no POPE rule {name!r}.", f"Choose from {', '.join(POPE_RULES)}.") from None


def yes_or_no(answer: str, rule: str = "official") -> bool | None:
    """True for yes, False for no, None when the rule cannot decide (never under ``official``).

    Args:
        answer: the model's answer.
        rule: a name in `POPE_RULES`.

    Raises:
        SpecError: unknown rule.

    >>> yes_or_no("No, there is not."), yes_or_no("Perhaps."), yes_or_no("Perhaps.", "vlmevalkit")
    (False, True, None)
    """
    return _rule(rule).read(answer)


@dataclass(frozen=True, slots=True)
class PopeReport:
    """Counts with "yes" as positive, and what follows from them, in [0, 1].

    Unread answers are in none of the four counts. Where a divisor is zero, a value is NaN under ``official``
    and 0 under the others, as there.
    """

    true_positive: int
    false_positive: int
    true_negative: int
    false_negative: int
    unread: int
    accuracy: float
    precision: float
    recall: float
    f1: float
    yes_ratio: float


def pope_report(
    labels: Sequence[bool] | NDArray[Any], picks: Sequence[bool | None] | NDArray[Any], rule: str = "official"
) -> PopeReport:
    """The report over a set of questions.

    Args:
        labels: the right answers, True for yes.
        picks: what `yes_or_no` made of each answer; an array of 1, 0 and -1 (unread) will do.
        rule: the rule under which unread answers and the yes-ratio are counted.

    Raises:
        SampleError: there are no labels, or not one answer per label.
    """
    chosen = _rule(rule)
    truth = np.asarray(labels, dtype=bool)
    if isinstance(picks, np.ndarray) and picks.dtype != object:
        said = picks.astype(np.int64)
    else:
        said = np.array([-1 if pick is None else int(pick) for pick in picks], dtype=np.int64)
    if not truth.size or truth.shape != said.shape:
        raise SampleError(f"POPE needs one answer per label, got {said.size} for {truth.size} labels.")
    hit, alarm = int(((said == 1) & truth).sum()), int(((said == 1) & ~truth).sum())
    miss, rejection = int(((said == 0) & truth).sum()), int(((said == 0) & ~truth).sum())
    positives = int(truth.sum()) if chosen.unread_misses else hit + miss
    precision = hit / (hit + alarm) if hit + alarm else chosen.without_value
    recall = hit / positives if positives else chosen.without_value
    both = precision + recall
    return PopeReport(
        true_positive=hit,
        false_positive=alarm,
        true_negative=rejection,
        false_negative=miss,
        unread=int((said < 0).sum()),
        accuracy=(hit + rejection) / truth.size,
        precision=precision,
        recall=recall,
        f1=2 * precision * recall / both if both else chosen.without_value,
        yes_ratio=(int(truth.sum()) if chosen.ratio_of_labels else hit + alarm) / truth.size,
    )
