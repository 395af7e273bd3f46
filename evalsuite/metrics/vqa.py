"""Accuracy of short answers against ten human answers: VQAv2, OK-VQA, TextVQA, VizWiz.

`vqa_accuracy` is a pure function of the prediction and the raw human answers, under a named rule:

* ``official``: GT-Vision-Lab/VQA `PythonEvaluationTools/vqaEvaluation/vqaEval.py` (VQAv2, OK-VQA);
* ``m4c``: facebookresearch/mmf `mmf/utils/m4c_evaluators.py`, the TextVQA server's evaluator;
* ``vizwiz``: the VizWiz API evaluator by Qing Li;
* ``lmms-eval`` and ``lmms-eval-textvqa``: EvolvingLMMs-Lab/lmms-eval, tasks vqav2 and textvqa/okvqa/vizwiz;
* ``vlmevalkit``: open-compass/VLMEvalKit `vlmeval/dataset/utils/vqa_eval.py`.

Their oddities are theirs and are kept: they decide points. Each was checked against the output of the code it
is named after (tests/metrics/test_vqa.py).
"""

from __future__ import annotations

import re
import statistics
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType

import numpy as np

from evalsuite.errors import SampleError, SpecError
from evalsuite.metrics._vqa_tables import ARTICLES, CONTRACTIONS, CURLY_CONTRACTIONS, NUMBERS, PUNCTUATION

__all__ = [
    "VQA_RULES",
    "VQAReport",
    "VQARule",
    "direct_answer_accuracy",
    "normalize_answer",
    "unanswerability",
    "vqa_accuracy",
    "vqa_report",
    "words_without_punctuation",
]

# Distinct strings kept in the caches below: a VQAv2 run has about 100,000 distinct answers.
_CACHED_STRINGS = 1 << 18

_ANY_PUNCTUATION = re.compile("[" + re.escape("".join(PUNCTUATION)) + "]")
_DIGIT_COMMA_DIGIT = re.compile(r"\d,\d")
_DIGIT_COMMAS_DIGIT = re.compile(r"(?<=\d),+(?=\d)")
# The official pattern begins with "(?!<=\d)", a mistyped look-behind that forbids nothing before a period.
_PERIOD = re.compile(r"\.(?!\d)")
_PERIOD_NO_DIGIT_BEFORE = re.compile(r"(?<!\d)\.(?!\d)")
# The official call passes re.UNICODE, whose value is 32, in the place of `count`.
_PERIODS_REMOVED = 32


def _trim(text: str) -> str:
    return text.replace("\n", " ").replace("\t", " ").strip()


def _strip_punctuation(text: str, comma: re.Pattern[str], period: re.Pattern[str]) -> str:
    found = set(_ANY_PUNCTUATION.findall(text))
    if found:
        drop_all = comma.search(text) is not None
        # Whether a mark vanishes or becomes a space is decided on the unchanged text, so one pass is enough.
        table = {
            ord(mark): "" if drop_all or mark + " " in text or " " + mark in text else " " for mark in found
        }
        text = text.translate(table)
    if "." in text:
        text = period.sub("", text, count=_PERIODS_REMOVED)
    return text


def _words(text: str, contractions: Mapping[str, str]) -> str:
    kept = (NUMBERS.get(word, word) for word in text.lower().split())
    return " ".join(contractions.get(word, word) for word in kept if word not in ARTICLES)


@lru_cache(maxsize=_CACHED_STRINGS)
def _official(text: str) -> str:
    return _words(_strip_punctuation(_trim(text), _DIGIT_COMMA_DIGIT, _PERIOD), CONTRACTIONS)


@lru_cache(maxsize=_CACHED_STRINGS)
def _curly(text: str) -> str:
    return _words(_strip_punctuation(_trim(text), _DIGIT_COMMA_DIGIT, _PERIOD), CURLY_CONTRACTIONS)


@lru_cache(maxsize=_CACHED_STRINGS)
def _many_commas(text: str) -> str:
    return _words(_strip_punctuation(_trim(text), _DIGIT_COMMAS_DIGIT, _PERIOD), CONTRACTIONS)


@lru_cache(maxsize=_CACHED_STRINGS)
def _evalai(text: str) -> str:
    text = text.lower().replace(",", "").replace("?", "").replace("'s", " 's").strip()
    return _many_commas(text)


@lru_cache(maxsize=_CACHED_STRINGS)
def _digit_guarded(text: str) -> str:
    return _words(_strip_punctuation(_trim(text), _DIGIT_COMMA_DIGIT, _PERIOD_NO_DIGIT_BEFORE), CONTRACTIONS)


def _unchanged(text: str) -> str:
    return text


_trimmed = lru_cache(maxsize=_CACHED_STRINGS)(_trim)


def _plain_mean(values: list[float]) -> float:
    return sum(values) / len(values)


def _numpy_mean(values: list[float]) -> float:
    return float(np.mean(values))


@dataclass(frozen=True, slots=True)
class VQARule:
    """How one scorer compares a prediction with the human answers.

    Args:
        name: what the rule is called.
        prediction: postprocessing of the predicted answer.
        reference: postprocessing of each human answer.
        unanimous: postprocessing of both sides when the human answers, so cleaned, are all equal; None: as
            always.
        mean: how the leave-one-out values are averaged (it decides the last bit of the float).
        answers: how many human answers the scorer insists on; None: any number of at least one.
    """

    name: str
    prediction: Callable[[str], str]
    reference: Callable[[str], str]
    unanimous: Callable[[str], str] | None = None
    mean: Callable[[list[float]], float] = _plain_mean
    answers: int | None = None


VQA_RULES: Mapping[str, VQARule] = MappingProxyType(
    {
        rule.name: rule
        for rule in (
            # Nothing is normalised when the ten answers agree: "Yes" against ten "yes" is wrong.
            VQARule("official", _official, _official, unanimous=_trimmed),
            VQARule("m4c", _evalai, _evalai, answers=10),
            # VizWiz compares with the human answers as they are, not even stripped.
            VQARule("vizwiz", _curly, _unchanged),
            VQARule("lmms-eval", _many_commas, _many_commas, mean=statistics.mean),
            VQARule("lmms-eval-textvqa", _evalai, _evalai, mean=statistics.mean),
            VQARule("vlmevalkit", _digit_guarded, _digit_guarded, mean=_numpy_mean),
        )
    }
)


def _rule(name: str) -> VQARule:
    try:
        return VQA_RULES[name]
    except KeyError:
        raise SpecError(
            f"There is no VQA scoring rule {name!r}.", f"Choose from {', '.join(VQA_RULES)}."
        ) from None


def normalize_answer(text: str, rule: str = "official") -> str:
    """The predicted answer as `rule` compares it.

    Punctuation is dropped where it touches a space or the text holds digit-comma-digit, else it becomes a
    space; the first 32 periods that no digit follows go; words are lower-cased, number words become digits,
    articles go, contractions get their apostrophe.

    >>> normalize_answer("The two  dogs, arent they?")
    "2 dogs aren't they"
    """
    return _rule(rule).prediction(text)


def words_without_punctuation(text: str) -> list[str]:
    """The words of `text` after VLMEvalKit's punctuation step, which it shares between benchmarks."""
    return _strip_punctuation(text, _DIGIT_COMMA_DIGIT, _PERIOD_NO_DIGIT_BEFORE).split()


@lru_cache(maxsize=1 << 14)
def _leave_one_out(matches: tuple[bool, ...], mean: Callable[[list[float]], float]) -> float:
    total = sum(matches)
    return float(mean([min(1, (total - match) / 3) for match in matches]))


def vqa_accuracy(prediction: str, answers: Sequence[str], rule: str = "official") -> float:
    """Accuracy in [0, 1] of one predicted answer against the raw human answers.

    Each human answer in turn is left out; the prediction scores min(1, matches among the others / 3); the
    mean over all is returned. With ten answers: 1 match 0.3, 2 matches 0.6, 3 matches 0.9, 4 and more 1.

    Args:
        prediction: the answer as the model gave it.
        answers: the human answers as they stand in the annotation file, usually ten.
        rule: a name in `VQA_RULES`.

    Raises:
        SampleError: there are no answers, or not as many as the rule insists on.
        SpecError: unknown rule.

    >>> round(vqa_accuracy("Two dogs", ["2 dogs"] * 2 + ["dogs"] * 8), 6)
    0.6
    """
    chosen = _rule(rule)
    if not answers or (chosen.answers is not None and len(answers) != chosen.answers):
        raise SampleError(
            f"VQA rule {rule!r} got {len(answers)} human answers, not {chosen.answers or 'one or more'}.",
            "Check the annotation file, or score with the rule 'official'.",
        )
    if chosen.unanimous is not None:
        trim = chosen.unanimous
        first = trim(answers[0])
        if all(trim(answer) == first for answer in answers):
            return _leave_one_out((trim(prediction) == first,) * len(answers), chosen.mean)
    predicted = chosen.prediction(prediction)
    reference = chosen.reference
    return _leave_one_out(tuple([reference(answer) == predicted for answer in answers]), chosen.mean)


def direct_answer_accuracy(prediction: str, answers: Sequence[str]) -> float:
    """A-OKVQA direct answer: min(1, matches / 3) in [0, 1], without normalisation or leave-one-out.

    Args:
        prediction: the answer, compared as it is.
        answers: the human answers, officially ten.

    >>> direct_answer_accuracy("cat", ["cat", "dog", "cat"])
    0.6666666666666666
    """
    return min(1.0, sum(answer == prediction for answer in answers) / 3)


@dataclass(frozen=True, slots=True)
class VQAReport:
    """What the official scorer prints, in percent, rounded."""

    overall: float
    per_question_type: Mapping[str, float]
    per_answer_type: Mapping[str, float]


def _percent(values: Sequence[float], digits: int) -> float:
    return round(100 * float(sum(values)) / len(values), digits)


def _grouped(accuracies: Sequence[float], keys: Iterable[str], digits: int) -> dict[str, float]:
    groups: dict[Hashable, list[float]] = {}
    for key, value in zip(keys, accuracies, strict=True):
        groups.setdefault(key, []).append(value)
    return {str(key): _percent(values, digits) for key, values in groups.items()}


def vqa_report(
    accuracies: Sequence[float],
    question_types: Iterable[str] = (),
    answer_types: Iterable[str] = (),
    digits: int = 2,
) -> VQAReport:
    """The official aggregate: 100 × sum / count over unrounded accuracies in question order, then `round`.

    `question_types` and `answer_types`, where given, have one entry per accuracy.

    Raises:
        SampleError: there are no values.
    """
    if not accuracies:
        raise SampleError("A VQA report needs at least one scored question.")
    question_keys, answer_keys = list(question_types), list(answer_types)
    return VQAReport(
        overall=_percent(accuracies, digits),
        per_question_type=_grouped(accuracies, question_keys, digits) if question_keys else {},
        per_answer_type=_grouped(accuracies, answer_keys, digits) if answer_keys else {},
    )


def unanswerability(answerable: Sequence[int], predicted: Sequence[float]) -> tuple[float, float]:
    """VizWiz task 2: (average precision, F1) of "unanswerable", both in [0, 1].

    Args:
        answerable: the ground truth, 1 answerable, 0 not.
        predicted: the model's confidence that the question is answerable, in [0, 1].

    Average precision is the step-wise sum over distinct thresholds; F1 takes `1 - predicted > 0.5`
    (VizWiz API, with scikit-learn's `average_precision_score` and `f1_score`).
    """
    truth = 1 - np.asarray(answerable, dtype=np.int64)
    score = 1.0 - np.asarray(predicted, dtype=np.float64)
    if truth.size == 0 or truth.shape != score.shape:
        raise SampleError("Unanswerability needs one label and one confidence per question.")
    chosen = score > 0.5
    true_positive = int((chosen & (truth == 1)).sum())
    denominator = int(chosen.sum()) + int(truth.sum())
    f1 = 2 * true_positive / denominator if denominator else 0.0
    positives = int(truth.sum())
    if positives == 0:
        return 0.0, f1
    order = np.argsort(-score, kind="stable")
    hits, ranked = np.cumsum(truth[order]), score[order]
    last = np.append(np.nonzero(np.diff(ranked))[0], ranked.size - 1)
    precision, recall = hits[last] / (last + 1), hits[last] / positives
    return float(np.sum(np.diff(np.concatenate([[0.0], recall])) * precision)), f1
