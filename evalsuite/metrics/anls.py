"""Average normalised Levenshtein similarity: answers read off documents (DocVQA, InfographicVQA)."""

from __future__ import annotations

from collections.abc import Sequence

from evalsuite.errors import SampleError

__all__ = ["THRESHOLD", "anls", "levenshtein"]

THRESHOLD = 0.5
"""Less similar answers score 0 (Biten et al. 2019)."""


def levenshtein(one: str, other: str) -> int:
    """Edit distance: the fewest insertions, deletions and replacements of characters between two texts.

    >>> levenshtein("kitten", "sitting")
    3
    """
    if len(one) < len(other):
        one, other = other, one
    row = list(range(len(other) + 1))
    for i, a in enumerate(one, start=1):
        before, row[0] = row[0], i
        for j, b in enumerate(other, start=1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (a != b))
    return row[-1]


def anls(prediction: str, answers: Sequence[str], threshold: float = THRESHOLD) -> float:
    """ANLS of one question: similarity in [0, 1] of a predicted answer to the nearest human answer.

    max over the answers of 1 - distance / length, or 0 where that is below `threshold`. The distance (see
    `levenshtein`) ignores case and runs of white space, the length is that of the longer text as it stands.
    A set's score is the mean over questions. Source: evaluation script of the Robust Reading Competition.

    Args:
        prediction: the model's answer.
        answers: the human answers, at least one.
        threshold: in [0, 1], officially 0.5.

    Raises:
        SampleError: there are no answers.

    >>> anls(" The  NET", ["the net"]), round(anls("nets", ["net"]), 2), anls("ball", ["net"])
    (1.0, 0.75, 0.0)
    """
    if not answers:
        raise SampleError("ANLS needs at least one human answer.")
    predicted = _plain(prediction)
    distances = []
    for answer in answers:
        # The script takes the length in upper case, where some letters are longer ("ß").
        length = max(len(answer.upper()), len(prediction.upper()))
        distances.append(levenshtein(_plain(answer), predicted) / length if length else 0.0)
    value = 1 - min(distances)
    return value if value >= threshold else 0.0


def _plain(text: str) -> str:
    return " ".join(text.strip().lower().split())
