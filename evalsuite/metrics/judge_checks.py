"""Whether a judge's numbers may be counted: complete, one answer to each question, within the judge's scale.

The official scripts count whatever they can parse: 80 on a scale from 0 to 10, one line of three, a year in
the middle of a sentence. Within the scale and complete, their number is ours to the bit
(`evalsuite.metrics.judge` parses both); else these functions raise, and the judgement has failed. Rules that
end in `-unchecked` leave them out.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

from evalsuite.errors import SampleError
from evalsuite.metrics.judge import imgedit_grade, parse_grade

__all__ = ["checked_grade", "checked_imgedit_grade", "checked_scores"]


def checked_scores(parsed: Any, *, count: int = 2, low: float = 0.0, high: float = 10.0) -> list[float]:
    """VIEScore: the `count` scores of one reply, each a number in [low, high].

    Args:
        parsed: what `parse_viescore` gave.

    Raises SampleError for another number of scores, for what is not a number, and for one outside the scale.

    >>> checked_scores({"score": [8, 9]})
    [8.0, 9.0]
    """
    scores = parsed.get("score") if isinstance(parsed, dict) else None
    if not isinstance(scores, list):
        raise SampleError("the judge's reply has no list of scores")
    if len(scores) != count:
        raise SampleError(f"the judge gave {len(scores)} scores, expected {count}: {scores!r:.100}")
    return [_within(score, low, high) for score in scores]


def _within(score: object, low: float, high: float) -> float:
    try:
        if isinstance(score, bool) or not isinstance(score, int | float | str):
            raise TypeError
        value = float(score)
    except (TypeError, ValueError, OverflowError):
        raise SampleError(f"a score of the judge is not a number: {score!r:.60}") from None
    if not (math.isfinite(value) and low <= value <= high):
        raise SampleError(f"a score of the judge is {score!r:.60}, the scale is {low:g} to {high:g}")
    return value


_NO_CRITERION = re.compile(r"reason|explanation|comment|note|summary", re.IGNORECASE)


def checked_imgedit_grade(answer: str, *, count: int = 3, low: int = 1, high: int = 5) -> float:
    """ImgEdit: the mean of the `count` lines `name: digits`, each from `low` to `high`, rounded to 2 places.

    Raises SampleError where there are more or fewer such lines, where two have one name, where one is a
    remark and no criterion, and for a number outside the scale.

    >>> checked_imgedit_grade("Brief reasoning: fine\\nCompliance: 5\\nNaturalness: 3\\nDetail: 1")
    3.0
    """
    grade = imgedit_grade(answer)
    lines = [line.strip().split(": ") for line in answer.splitlines()]
    scores = [(parts[0], int(parts[1])) for parts in lines if len(parts) == 2 and parts[1].isdigit()]
    if grade is None:
        raise SampleError(f"the judge's answer has no line `name: digits`: {answer!r:.200}")
    for name, score in scores:
        if not low <= score <= high:
            raise SampleError(f"a score of the judge is {score} ({name!r:.60}), the scale is {low} to {high}")
    names = {re.sub(r"[\W_]+", " ", name).strip().casefold() for name, _ in scores}
    if len(scores) != count or len(names) != count or any(map(_NO_CRITERION.search, names)):
        raise SampleError(
            f"the judge's answer has {len(scores)} lines `name: digits` with {len(names)} names, "
            f"{count} criteria were asked for: {answer!r:.200}"
        )
    return grade


def checked_grade(replies: Sequence[str], *, tries: int) -> float | None:
    """MM-Vet: the first reply that is a grade in [0, 1].

    0 after `tries` replies without any number, as the official script has it; None where fewer were had.

    Raises SampleError where all `tries` replies are empty, and where one holds a number that is no grade
    ("8/10", "5"): the judge has graded, on a scale that is not the benchmark's.

    >>> checked_grade(["I cannot say", "0.5"], tries=5)
    0.5
    """
    for reply in replies:
        grade = parse_grade(reply)
        if grade is not None:
            return grade
    if len(replies) < tries:
        return None
    numbered = next((reply for reply in replies if re.search(r"\d", reply)), None)
    if numbered is not None:
        raise SampleError(f"the judge's grade cannot be read, the scale is 0 to 1: {numbered!r:.100}")
    if not any(reply.strip() for reply in replies):
        raise SampleError(f"the judge's {len(replies)} replies are empty")
    return 0.0
