"""Yes-or-no answers: reading them and counting them (POPE).

Rules, by name:

* ``official``: AoiDragon/POPE `evaluate.py`: everything is "yes" unless its first sentence holds "No", "no"
  or "not"; nothing is ever undecided;
* ``lmms-eval``: the whole answer must be "yes" or "no"; anything else is wrong, and counts neither for
  precision nor for recall; its yes-ratio is that of the *labels*;
* ``vlmevalkit``: exactly one of the words "yes" and "no" after the VQA punctuation step; anything else is
  wrong and counts as not-yes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from evalsuite.errors import SampleError, SpecError
from evalsuite.metrics.vqa import words_without_punctuation

__all__ = ["YES_NO_RULES", "YesNoReport", "YesNoRule", "read_yes_no", "yes_no_report"]


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


@dataclass(frozen=True, slots=True)
class YesNoRule:
    """How one scorer reads and counts.

    Args:
        name: what the rule is called.
        read: answer -> yes, no, or None for undecided.
        undecided_misses: whether an undecided answer to a "yes" question counts as missed in recall.
        ratio_of_labels: whether the yes-ratio is taken of the labels instead of the predictions.
    """

    name: str
    read: Callable[[str], bool | None]
    undecided_misses: bool = True
    ratio_of_labels: bool = False


YES_NO_RULES: Mapping[str, YesNoRule] = MappingProxyType(
    {
        rule.name: rule
        for rule in (
            YesNoRule("official", _official),
            YesNoRule("lmms-eval", _exact, undecided_misses=False, ratio_of_labels=True),
            YesNoRule("vlmevalkit", _one_word),
        )
    }
)


def _rule(name: str) -> YesNoRule:
    try:
        return YES_NO_RULES[name]
    except KeyError:
        raise SpecError(
            f"There is no yes/no rule {name!r}.", f"Choose from {', '.join(YES_NO_RULES)}."
        ) from None


def read_yes_no(answer: str, rule: str = "official") -> bool | None:
    """True for yes, False for no, None when the rule cannot tell (never under ``official``).

    >>> read_yes_no("No, there is not."), read_yes_no("Perhaps."), read_yes_no("Perhaps.", "vlmevalkit")
    (False, True, None)
    """
    return _rule(rule).read(answer)


@dataclass(frozen=True, slots=True)
class YesNoReport:
    """Counts with "yes" as positive, and what follows from them, in [0, 1].

    `undecided` answers are in none of the four counts. A quotient whose divisor is zero is 0 (the official
    script stops with an error there).
    """

    true_positive: int
    false_positive: int
    true_negative: int
    false_negative: int
    undecided: int
    accuracy: float
    precision: float
    recall: float
    f1: float
    yes_ratio: float


def yes_no_report(
    decisions: Sequence[bool | None], labels: Sequence[bool], rule: str = "official"
) -> YesNoReport:
    """The report over what `read_yes_no` said of each answer.

    Args:
        decisions: one per question.
        labels: the right answers, True for yes.
        rule: the rule under which undecided answers and the yes-ratio are counted.
    """
    chosen = _rule(rule)
    if not labels or len(decisions) != len(labels):
        raise SampleError(f"A yes/no report got {len(decisions)} answers for {len(labels)} questions.")
    pairs = list(zip(decisions, labels, strict=True))
    hit, alarm = pairs.count((True, True)), pairs.count((True, False))
    rejection, miss = pairs.count((False, False)), pairs.count((False, True))
    open_yes = pairs.count((None, True))
    precision = _quotient(hit, hit + alarm)
    recall = _quotient(hit, hit + miss + (open_yes if chosen.undecided_misses else 0))
    yes = sum(labels) if chosen.ratio_of_labels else hit + alarm
    return YesNoReport(
        true_positive=hit,
        false_positive=alarm,
        true_negative=rejection,
        false_negative=miss,
        undecided=open_yes + pairs.count((None, False)),
        accuracy=(hit + rejection) / len(labels),
        precision=precision,
        recall=recall,
        f1=2 * precision * recall / (precision + recall) if precision + recall else 0.0,
        yes_ratio=yes / len(labels),
    )


def _quotient(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
