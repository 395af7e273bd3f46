"""Text in generated images: what was read of it against what it should say, by the benchmarks' own rules.

LongText-Bench, OneIG-Bench, CVTG-2K and TIIF-Bench. Reading is the work of a vision-language model or an OCR
engine and not done here.
"""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from evalsuite.errors import SampleError
from evalsuite.metrics.anls import levenshtein

__all__ = [
    "CvtgWords",
    "OneigReading",
    "cvtg_words",
    "longtext_clean",
    "longtext_counts",
    "oneig_reading",
    "oneig_text_score",
    "quoted_words",
    "tiif_gned",
    "tiif_recall",
]

_NOTHING = "No text recognized."
_HALLUCINATION = "addCriterion"
_KEPT = r"\u4e00-\u9fa5a-zA-Z0-9"
_ACCENTS = "àâäéèêëîïôöùûüçÀÂÄÉÈÊËÎÏÔÖÙÛÜÇ"
_CHINESE = re.compile("[\u4e00-\u9fff]")


def _letters(text: str, *, blanks: bool) -> str:
    """Letters, digits and the accents that the scripts know; blanks as single ones, or none."""
    kept = re.sub(rf"[^{_KEPT}\s{_ACCENTS}]", "", text)
    return re.sub(r"\s+", " " if blanks else "", kept).strip()


def longtext_clean(reply: str) -> str:
    """LongText-Bench: the reply without `No text recognized.`; the other keyword stays, as officially."""
    return reply.replace(_NOTHING, "").replace(f"\n{_NOTHING}", "").replace(f"{_NOTHING}\n", "")


def longtext_counts(truth: Sequence[str], read: str, language: Literal["en", "zh"]) -> tuple[int, int]:
    """LongText-Bench: the words (Chinese: characters) of the truth that were read, and how many it has.

    The benchmark's number is the sum of the first over the sum of the second, over all images.

    >>> longtext_counts(["Fresh Bread"], "bread, FRESH!", "en")
    (2, 2)
    """
    english = language == "en"
    wanted, found = (_letters(text, blanks=english) for text in (" ".join(truth), read))
    parts = (wanted.lower().split(), found.lower().split()) if english else (wanted, found)
    return sum((Counter(parts[0]) & Counter(parts[1])).values()), len(parts[0])


@dataclass(frozen=True, slots=True)
class OneigReading:
    """OneIG-Bench: one image's reading.

    Args:
        distance: Levenshtein, after clean-up.
        matched, words: words (Chinese: characters) of the truth that were read, and how many it has.
    """

    distance: int
    matched: int
    words: int


def oneig_reading(truth: str, read: str) -> OneigReading:
    """OneIG-Bench: a reading against the truth; case counts, and Chinese text loses all blanks.

    >>> oneig_reading("OPEN now", "OPEN now addCriterion")
    OneigReading(distance=0, matched=2, words=2)
    """
    for keyword in (_HALLUCINATION, _NOTHING):
        read = read.replace(keyword, "").replace(f"\n{keyword}", "").replace(f"{keyword}\n", "")
    wanted, found = (_letters(text, blanks=True) for text in (truth, read))
    wanted, found = (re.sub(r"\s", "", text) if _CHINESE.search(text) else text for text in (wanted, found))
    parts = (wanted, found) if _CHINESE.search(wanted) else (wanted.split(), found.split())
    matched = sum((Counter(parts[0]) & Counter(parts[1])).values())
    return OneigReading(levenshtein(found, wanted), matched, len(parts[0]))


def oneig_text_score(readings: Iterable[OneigReading], most: float) -> dict[str, float]:
    """OneIG-Bench: `ED` mean distance, `CR` share of exact readings, `WAC` share of words, and `score`.

    score = 1 - min(most, ED) (1 - CR) (1 - WAC) / most.

    Args:
        most: 100 for English prompts, 50 for Chinese ones.

    Raises:
        SampleError: no readings, or no words in any truth.
    """
    found = list(readings)
    words = sum(one.words for one in found)
    if not words:
        raise SampleError("the text score needs readings of images that should hold text")
    distance = sum(one.distance for one in found) / len(found)
    exact = sum(one.distance == 0 for one in found) / len(found)
    share = sum(one.matched for one in found) / words
    score = 1 - min(most, distance) * (1 - exact) * (1 - share) / most
    return {"ED": distance, "CR": exact, "WAC": share, "score": score}


def quoted_words(prompt: str) -> list[str]:
    """CVTG-2K: the words between single quotes, lower-cased; an apostrophe shifts the pairs, as officially.

    >>> quoted_words("a sign reading 'Grand Opening' and 'a'")
    ['grand', 'opening', 'a']
    """
    return [word for phrase in re.findall(r"'(.*?)'", prompt) for word in phrase.lower().split()]


@dataclass(frozen=True, slots=True)
class CvtgWords:
    """CVTG-2K: the words of one image.

    Args:
        right: words of the prompt that were read.
        similarity: of each word, 1 - NED to what was read that is closest; higher is better.
    """

    right: int
    similarity: tuple[float, ...]


def cvtg_words(words: Sequence[str], read: Sequence[str]) -> CvtgWords:
    """CVTG-2K: the prompt's words against the words of the OCR's lines, lower-cased.

    A word that was read once counts for every time it is wanted; NED divides by the longer length + 1e-5.
    """
    found = [word for line in read for word in line.lower().split()]
    right = sum(word in found for word in words)
    return CvtgWords(right, tuple(_closeness(word, found) for word in words))


def _closeness(word: str, found: Sequence[str]) -> float:
    closest = difflib.get_close_matches(word, found, n=1, cutoff=0)
    other = closest[0] if closest else ""
    return 1 - levenshtein(word, other) / (max(len(word), len(other)) + 1e-5)


def _normalized(one: str, other: str) -> float:
    longest = max(len(one), len(other))
    return levenshtein(one, other) / longest if longest else 0.0


def _words(lines: Iterable[str]) -> list[str]:
    return [word for line in lines for word in line.split(" ")]


def tiif_gned(truth: Sequence[str], read: Sequence[str]) -> float:
    """TIIF-Bench: the least total normalised distance of a matching of words, and 1 for each word without
    a partner, over the larger count; lower is better.

    >>> tiif_gned(["tea", "cake"], ["tea"])
    0.5
    """
    import numpy as np
    from scipy.optimize import linear_sum_assignment

    words = _words(read)
    if not truth and not words:
        return 0.0
    costs = np.asarray([[_normalized(word, wanted) for wanted in truth] for word in words])
    costs = costs.reshape(len(words), len(truth))
    rows, columns = linear_sum_assignment(costs)
    total = costs[rows, columns].sum() + abs(len(words) - len(truth))
    return float(total / max(len(words), len(truth)))


def tiif_recall(truth: Sequence[str], read: Sequence[str], threshold: float = 0.3) -> float:
    """TIIF-Bench: the share of the truth's words that find, in their order, a free word within the threshold.

    Raises SampleError without a truth.
    """
    if not truth:
        raise SampleError("recall needs at least one word that the image should hold")
    words: list[str | None] = list(_words(read))
    right = 0
    for wanted in truth:
        for place, word in enumerate(words):
            if word is not None and _normalized(wanted, word) <= threshold:
                words[place] = None
                right += 1
                break
    return right / len(truth)
