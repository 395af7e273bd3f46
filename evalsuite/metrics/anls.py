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
    if one == other:
        return 0
    if len(one) < len(other):
        one, other = other, one
    if not other:
        return len(one)
    # Columns of the table of distances as bits of whole numbers (Myers 1999, in Hyyrö's form): `up` and
    # `down` hold where neighbours in a column differ by +1 and -1.
    places: dict[str, int] = {}
    for place, character in enumerate(one):
        places[character] = places.get(character, 0) | 1 << place
    every, last = (1 << len(one)) - 1, 1 << (len(one) - 1)
    up, down, distance = every, 0, len(one)
    for character in other:
        equal = places.get(character, 0)
        vertical = equal | down
        level = (((equal & up) + up) ^ up) | equal
        right_up = (down | ~(level | up)) & every
        right_down = up & level
        distance += bool(right_up & last) - bool(right_down & last)
        right_up, right_down = right_up << 1 | 1, right_down << 1
        up = (right_down | ~(vertical | right_up)) & every
        down = right_up & vertical & every
    return distance


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
