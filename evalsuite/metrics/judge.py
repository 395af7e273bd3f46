"""From a judge's words to a benchmark's table: MM-Vet, VIEScore and GEdit-Bench, ImgEdit-Bench.

The judge is a model and not here. What it wrote is parsed as the official scripts parse it; where these
sample a random score for an answer they cannot read, ours is None: a failure is no score.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from evalsuite.errors import SampleError

__all__ = [
    "CapabilityTable",
    "EditGrade",
    "EditTable",
    "ViescoreStatistics",
    "capability_table",
    "edit_table",
    "imgedit_grade",
    "imgedit_types",
    "parse_grade",
    "parse_pair",
    "parse_viescore",
    "relative_score",
    "viescore",
    "viescore_statistics",
]


def parse_grade(answer: str) -> float | None:
    """MM-Vet: the number in [0, 1] before the first space; None when there is none (the official script asks
    again).

    >>> parse_grade("0.5 "), parse_grade("5"), parse_grade("about 0.5")
    (0.5, None, None)
    """
    try:
        grade = float(answer.split(" ")[0].strip())
    except ValueError:
        return None
    return grade if 0.0 <= grade <= 1.0 else None


@dataclass(frozen=True, slots=True)
class CapabilityTable:
    """MM-Vet's two tables in one, in percent, rounded.

    Args:
        capabilities: score of the questions that need a capability, the most frequent first.
        integrations: score of the questions that need exactly this set, the most frequent first.
        total: over all questions, mean over runs.
        deviation: of the totals of the runs (population).
        runs: total of every run.
    """

    capabilities: Mapping[str, float]
    integrations: Mapping[frozenset[str], float]
    total: float
    deviation: float
    runs: tuple[float, ...]


def capability_table(
    grades: Mapping[str, Sequence[float]], capabilities: Mapping[str, Sequence[str]], digits: int = 1
) -> CapabilityTable:
    """MM-Vet's scores (yuweihao/MM-Vet `mm-vet_evaluator.py`).

    Args:
        grades: question -> one grade in [0, 1] per run of the judge, as many for all.
        capabilities: question -> what it needs, of the whole benchmark.

    A question without grades counts as 0, because the official divisor is the number of questions.
    """
    lengths = {len(runs) for runs in grades.values()}
    if len(lengths) != 1 or 0 in lengths:
        raise SampleError(f"All questions need equally many grades, there are {sorted(lengths) or 'none'}.")
    if unknown := set(grades) - set(capabilities):
        raise SampleError(f"{len(unknown)} graded questions are not in the benchmark: {min(unknown)!r}.")
    runs = lengths.pop()
    sets = {question: frozenset(needed) for question, needed in capabilities.items()}
    of_capability = Counter(needed for group in sets.values() for needed in group)
    of_set = Counter(sets.values())
    sums: dict[Any, np.ndarray] = {key: np.zeros(runs) for key in (*of_capability, *of_set, "")}
    for question, values in grades.items():
        for key in (*sets[question], sets[question], ""):
            sums[key] += np.asarray(values, dtype=np.float64)

    def percent(key: Any, count: int) -> np.ndarray:
        return sums[key] / count * 100

    totals = percent("", len(sets))
    return CapabilityTable(
        {key: float(round(percent(key, n).mean(), digits)) for key, n in of_capability.most_common()},
        {key: float(round(percent(key, n).mean(), digits)) for key, n in of_set.most_common()},
        float(round(totals.mean(), digits)),
        float(round(totals.std(), digits)),
        tuple(float(total) for total in np.round(totals, digits)),
    )


_DELIMITER = "||V^=^V||"


def parse_viescore(answer: str) -> dict[str, Any] | None:
    """VIEScore: the judge's JSON object with its "score" list; None when it cannot be read.

    In turn: what stands between two delimiters ``||V^=^V||``, else from the first "{" to the last "}", else a
    bare list of two integers or an integer from 0 to 10. A JSON object that does not parse, or has no score,
    gets quotes around keys and values and a second try, whose result is taken as it is.
    """
    if answer.count(_DELIMITER) == 2:
        text = answer[answer.find(_DELIMITER) + len(_DELIMITER) : answer.rfind(_DELIMITER)]
    elif "{" in answer and "}" in answer:
        text = answer[answer.find("{") : answer.rfind("}") + 1]
    else:
        return _bare_scores(answer)
    text = text.strip().replace("\n", "")
    if not text:
        return None
    try:
        parsed = json.loads(text)
        scores = parsed["score"]
    except (ValueError, KeyError, TypeError, IndexError, RecursionError):
        try:
            parsed = json.loads(_quoted(text))
        except (ValueError, RecursionError):  # the latter: a judge that repeats brackets without end
            return None
        return parsed if isinstance(parsed, dict) else None
    parsed["score"] = scores if isinstance(scores, list) else [scores]
    return dict(parsed)


def _bare_scores(answer: str) -> dict[str, Any] | None:
    listed = answer[answer.find("[") : answer.rfind("]") + 1] if "[" in answer else ""
    try:
        if re.match(r"\[\d+, ?\d+\]$", listed, re.ASCII):
            return {"score": json.loads(listed), "reasoning": "System: output is simply a list of scores"}
        number = int(answer)
    except ValueError:  # also a list of "08", which is not JSON
        return None
    if not 0 <= number <= 10:
        return None
    return {"score": [number], "reasoning": "System: output is simply a number"}


def _quoted(text: str) -> str:
    def value(match: re.Match[str]) -> str:
        key, given, end = match.groups()
        given = given.strip()
        if re.fullmatch(r"-?\d+(\.\d+)?", given):
            given = f"[{given}]"
        elif not re.fullmatch("true|false|null", given, re.IGNORECASE):
            given = f'"{given}"'
        return f"{key}: {given}{end}"

    return re.sub(r'(".*?"):(.*?)(,|})', value, re.sub(r"(\w+):", r'"\1":', text))


def viescore(semantics: Sequence[float], quality: Sequence[float]) -> tuple[float, float, float]:
    """VIEScore (Ku et al. 2024) of one image: (SC, PQ, O), each in [0, 10], higher is better.

    SC is the minimum of the semantic scores, PQ that of the quality scores, O = sqrt(SC × PQ).

    Raises SampleError where a list is empty, or holds anything but finite numbers from 0 on.
    """
    if not semantics or not quality:
        raise SampleError("VIEScore needs at least one score of each kind.")
    try:
        first, second = list(map(float, semantics)), list(map(float, quality))
    except (TypeError, ValueError, OverflowError) as error:
        raise SampleError("VIEScore got scores that are not numbers, or too large to be any.") from error
    if not all(math.isfinite(score) and score >= 0 for score in (*first, *second)):
        raise SampleError(f"VIEScore got scores that are not numbers from 0 on: {semantics}, {quality}.")
    consistency, perception = min(first), min(second)
    return consistency, perception, math.sqrt(consistency * perception)


@dataclass(frozen=True, slots=True)
class ViescoreStatistics:
    """Mean and standard deviation (population) of SC, PQ and O."""

    mean: tuple[float, float, float]
    deviation: tuple[float, float, float]


def viescore_statistics(scores: Sequence[tuple[float, float]], *, scale: float = 0.1) -> ViescoreStatistics:
    """Table of a model; O = sqrt(SC × PQ) is averaged over images.

    Args:
        scores: (SC, PQ) of each image, in [0, 10].
        scale: factor of all values; published ones are tenths.

    Raises:
        SampleError: no images.
    """
    if not scores:
        raise SampleError("VIEScore statistics need at least one image.")
    pairs = np.asarray(scores, dtype=np.float64) * scale
    values = np.column_stack([pairs, np.sqrt(pairs[:, 0] * pairs[:, 1])])
    mean, deviation = values.mean(axis=0), values.std(axis=0)
    return ViescoreStatistics(
        (float(mean[0]), float(mean[1]), float(mean[2])),
        (float(deviation[0]), float(deviation[1]), float(deviation[2])),
    )


@dataclass(frozen=True, slots=True)
class EditGrade:
    """One graded edit of GEdit-Bench: task, SC and PQ in [0, 10], whether it is in the common subset."""

    task: str
    semantics: float
    quality: float
    in_intersection: bool = False


@dataclass(frozen=True, slots=True)
class EditTable:
    """GEdit-Bench: task -> (SC, PQ, O) means, and their plain mean over the tasks."""

    tasks: Mapping[str, tuple[float, float, float]]
    average: tuple[float, float, float]


def edit_table(grades: Sequence[EditGrade], *, intersection: bool = False) -> EditTable:
    """GEdit-Bench's table (stepfun-ai/Step1X-Edit `calculate_statistics.py`).

    O of a task is the mean of the images' roots of SC × PQ, not the root of the means; tasks weigh the same.

    Args:
        grades: of one instruction language (the data say "cn"; the official script's "zh" matches nothing).
        intersection: only edits that every compared model answered.

    Returns:
        Means in the scale of the grades, 0 to 10.

    Raises:
        SampleError: no edits.
    """
    groups: dict[str, list[tuple[float, float, float]]] = {}
    for grade in grades:
        if grade.in_intersection or not intersection:
            overall = math.sqrt(grade.semantics * grade.quality)
            groups.setdefault(grade.task, []).append((grade.semantics, grade.quality, overall))
    if not groups:
        raise SampleError("A GEdit table needs at least one graded edit.")

    def means(rows: Sequence[tuple[float, float, float]]) -> tuple[float, float, float]:
        first, second, third = np.mean(np.asarray(rows, dtype=np.float64), axis=0)
        return float(first), float(second), float(third)

    tasks = {task: means(rows) for task, rows in sorted(groups.items())}
    return EditTable(tasks, means(list(tasks.values())))


def imgedit_grade(answer: str) -> float | None:
    """ImgEdit: mean of the lines "name: digits", rounded to 2 places; None when there are none.

    Raises SampleError for digits that are no number, such as "²", and for a number without end (the official
    script stops there).
    """
    try:
        scores = [
            int(parts[1])
            for parts in (line.strip().split(": ") for line in answer.splitlines())
            if len(parts) == 2 and parts[1].isdigit()
        ]
        return round(sum(scores) / len(scores), 2) if scores else None
    except (ValueError, OverflowError) as error:
        raise SampleError(f"A score of the judge is not a number: {answer!r:.200}") from error


def imgedit_types(grades: Mapping[str, float], types: Mapping[str, str]) -> dict[str, float]:
    """ImgEdit: edit type -> mean of its rounded grades, rounded to 2 places. Both arguments go by item."""
    groups: dict[str, list[float]] = {}
    for item, grade in grades.items():
        if item in types:
            groups.setdefault(types[item], []).append(grade)
    return {kind: round(sum(values) / len(values), 2) for kind, values in groups.items()}


def parse_pair(review: str) -> tuple[float, float]:
    """Two scores of a review's first line; -1, -1 where it is not exactly two numbers with one space or comma
    between them.

    Source: haotian-liu/LLaVA `llava/eval/eval_gpt_review_bench.py`, `parse_score`.

    >>> parse_pair("8 9.5\\nBecause …"), parse_pair("8, 9")
    ((8.0, 9.5), (-1.0, -1.0))
    """
    fields = review.split("\n")[0].replace(",", " ").split(" ")
    try:
        first, second = map(float, fields)
    except ValueError:
        return -1.0, -1.0
    return first, second


def relative_score(reference: float, model: float) -> float:
    """The model's mean score in percent of the reference's, both rounded to three digits first, to one digit.

    Source: haotian-liu/LLaVA `llava/eval/summarize_gpt_review.py`. NaN where the reference's mean is 0.
    """
    base = round(float(reference), 3)
    return round(round(float(model), 3) / base * 100, 1) if base else float("nan")
