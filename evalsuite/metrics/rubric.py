"""Grades in a judge's replies, read as the benchmarks' own scripts read them, and what they come to.

WISE, RISEBench, KRIS-Bench, OmniContext, DreamBench++, MMIE and OpenING. Where a script draws a random grade
for a reply that it cannot read, ours is a failure and no score.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from evalsuite.errors import SampleError

__all__ = [
    "LOGICAL",
    "RiseGrades",
    "dreambench_grade",
    "kris_dual_grades",
    "kris_grade",
    "mmie_grade",
    "omnicontext_grade",
    "omnicontext_reply",
    "opening_scores",
    "rise_complete",
    "rise_grades",
    "rise_numbers",
    "rise_score",
    "win_rates",
    "wiscore",
    "wise_grades",
    "wise_verdict",
]

_WISE = re.compile(r"\*{0,2}(Consistency|Realism|Aesthetic Quality)\*{0,2}\s*[:：]?\s*(\d)", re.IGNORECASE)
_WISE_VERIFIED = re.compile(r"\*{0,2}Score\*{0,2}\s*[:：]?\s*([01])\b", re.IGNORECASE)


def wise_grades(reply: str) -> dict[str, float]:
    """WISE: the grades by name, or the first three lines that are a lone digit from 0 to 2.

    The first digit behind a name counts (10 is 1), and the last of several. Names may be missing.

    >>> wise_grades("Consistency: 2\\n**Realism**: 10")
    {'consistency': 2.0, 'realism': 1.0}
    """
    found = {name.lower().replace(" ", "_"): float(digit) for name, digit in _WISE.findall(reply)}
    if found:
        return found
    lines = re.findall(r"(?m)^\s*([0-2])\s*$", reply)
    names = ("consistency", "realism", "aesthetic_quality")
    return dict(zip(names, map(float, lines), strict=False)) if len(lines) >= 3 else {}


def wise_verdict(reply: str) -> float | None:
    """WISE_Verified: 0 or 1 behind `Score`, or on the only line that is such a digit; None without.

    >>> wise_verdict("**Score**: 1"), wise_verdict("Score: 2")
    (1.0, None)
    """
    match = _WISE_VERIFIED.search(reply)
    if match:
        return float(match.group(1))
    lines = re.findall(r"(?m)^\s*([01])\s*$", reply)
    return float(lines[0]) if len(lines) == 1 else None


def wiscore(consistency: float, realism: float, aesthetic_quality: float) -> float:
    """WISE: (0.7 consistency + 0.2 realism + 0.1 aesthetic quality) / 2, of grades from 0 to 2.

    >>> wiscore(2, 1, 1)
    0.85
    """
    return (0.7 * consistency + 0.2 * realism + 0.1 * aesthetic_quality) / 2


LOGICAL = "logical_reasoning"
"""RISEBench's category that has no plausibility, and grades of 0 and 1."""


@dataclass(frozen=True, slots=True)
class RiseGrades:
    """RISEBench's grades of one image, from 1 to 5; None where a question is not asked."""

    consistency: float | None
    reasoning: float
    plausibility: float | None


def rise_numbers(reply: str) -> list[int]:
    """RISEBench: the integers behind `Final Score`; empty where there are none.

    >>> rise_numbers("**Final Score**: 4"), rise_numbers("Final Score (1-5): 5")
    ([4], [])
    """
    for name in ("Score", "Scores"):
        for match in re.findall(rf"\*?\*?Final {name}\*?\*?:?\s*([\d*\s,\n]*)", reply, re.IGNORECASE):
            numbers = [int(number) for number in re.findall(r"\d+", match)]
            if numbers:
                return numbers
    return []


def rise_grades(category: str, replies: Sequence[str | None]) -> RiseGrades | None:
    """RISEBench: the grades in the replies about consistency, reasoning and (but for logic) plausibility.

    Args:
        replies: None for a question that is not asked.

    Returns:
        None where a reply holds no grade.

    Raises:
        SampleError: a reply holds more than one: the official script stops.
    """
    numbers = [None if reply is None else rise_numbers(reply) for reply in replies]
    if any(not found for found in numbers if found is not None):
        return None
    flat: list[float | None] = []
    for found in numbers:
        flat += [None] if found is None else found
    if len(flat) == 2 and category == LOGICAL:
        consistency, reasoning = (None if value is None else 4.0 * min(value, 1) + 1 for value in flat)
        plausibility = None
    elif len(flat) == 3 and category != LOGICAL:
        consistency, reasoning, plausibility = flat
    else:
        raise SampleError(f"the judge gave {len(flat)} grades to {len(replies)} questions")
    if reasoning is None:
        raise SampleError("reasoning is always graded")
    return RiseGrades(consistency, float(reasoning), plausibility)


def rise_score(category: str, grades: RiseGrades, *, free_column: bool = False) -> float:
    """RISEBench: the weighted grade from 1 to 5.

    .3 consistency + .5 reasoning + .2 plausibility; .3 and .7 for logic. A reasoning of 1 halves it, to no
    less than 1.

    Args:
        free_column: the data have a column `consistency_free`, which the official script takes for true even
            where it is empty: .8 reasoning + .2 plausibility.

    >>> round(rise_score("causal_reasoning", RiseGrades(5, 4, 5)), 6)
    4.5
    """
    plausibility = grades.plausibility or 0.0
    if category != LOGICAL and (free_column or grades.consistency is None):
        score = 0.2 * plausibility + 0.8 * grades.reasoning
    elif grades.consistency is None:
        raise SampleError("consistency is always graded in logical reasoning")
    elif category == LOGICAL:
        score = 0.3 * grades.consistency + 0.7 * grades.reasoning
    else:
        score = 0.3 * grades.consistency + 0.5 * grades.reasoning + 0.2 * plausibility
    return max(1.0, score * 0.5) if grades.reasoning == 1 else score


def rise_complete(grades: RiseGrades) -> float:
    """RISEBench: 1 where every grade that is asked for is 5; their mean is the headline, Accuracy."""
    asked = (grades.consistency, grades.reasoning, grades.plausibility)
    return float(all(grade == 5 for grade in asked if grade is not None))


_KRIS = (r"([1-5])\s*/\s*5", r"([1-5])\s+out\s+of\s+5", r"\b([1-5])\b")


def kris_grade(
    reply: str, name: Literal["consistency", "instruction", "quality"], *, named: bool = True
) -> int | None:
    """KRIS-Bench: the grade in the JSON object that holds `NAME_score`, else by patterns; None without one.

    Args:
        named: the first pattern is the grade's name; temporal prediction and the composition of several
            elements do without it.

    >>> kris_grade('{"quality_score": 4}', "quality"), kris_grade("3 out of 5", "quality")
    (4, 3)
    """
    key = f"{name}_score"
    match = re.search(r"\{[^{}]*" + key + r"[^{}]*\}", reply, re.DOTALL)
    if match:
        try:
            return int(json.loads(match.group(0))[key])
        except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
            pass  # the patterns below see what JSON does not
    first = (rf"{name}[_\s]*score\s*[:：]?\s*([1-5])",) if named else ()
    for pattern in (*first, *_KRIS):
        found = re.search(pattern, reply, re.IGNORECASE | re.DOTALL)
        if found:
            return int(found.group(1))
    return None


def kris_dual_grades(reply: str) -> tuple[int | None, int | None]:
    """KRIS-Bench: grades of instruction and knowledge in one reply; None for one that it does not hold.

    Raises SampleError for JSON of another form, at which the official script stops.

    >>> kris_dual_grades('{"instruction_score": 4, "knowledge_score": 2}')
    (4, 2)
    """
    data: Any = None
    for text in (reply, _block(reply)):
        try:
            data = json.loads(text)
            break
        except (ValueError, RecursionError):
            continue
    names = ("instruction", "knowledge")
    if data:
        try:
            values = [data.get(f"{name}_score") for name in names]
            first, second = (None if value is None else int(value) for value in values)
        except (AttributeError, ValueError, TypeError, OverflowError) as error:
            raise SampleError(f"the reply's grades are no numbers: {reply!r:.200}") from error
        return first, second
    matches = [re.search(rf'"?{name}[_\s]*score"?\s*:\s*([1-5])', reply, re.IGNORECASE) for name in names]
    first, second = (int(match.group(1)) if match else None for match in matches)
    return first, second


def _block(text: str) -> str:
    """From the first brace to the one that closes it; empty where none does."""
    depth, start = 0, text.find("{")
    for place in range(max(start, 0), len(text)):
        depth += (text[place] == "{") - (text[place] == "}" and depth > 0)
        if start >= 0 and text[place] == "}" and depth == 0:
            return text[start : place + 1]
    return ""


def omnicontext_reply(reply: str) -> Any:
    """OmniContext: the object in a reply, mended where it is no JSON; `{"score": n}` of a lone number.

    Raises SampleError where there is none; `rate_limit_exceeded` stays as it is.
    """
    if reply == "rate_limit_exceeded":
        return reply
    start, end = reply.find("{"), reply.rfind("}") + 1
    if start == -1 or end == 0:
        try:
            number = int(reply)
        except ValueError:
            number = -1
        if not 0 <= number <= 10:
            raise SampleError(f"the reply holds no grade: {reply!r:.200}")
        return {"score": number, "reasoning": "System: output is simply a number"}
    text = reply[start:end].strip().replace("\n", "")
    for candidate in (text, _mended(text)):
        try:
            return json.loads(candidate)
        except (ValueError, RecursionError):
            continue
    raise SampleError(f"the reply holds no JSON that can be read: {reply!r:.200}")


def _mended(text: str) -> str:
    quoted = re.sub(r"(\w+):", r'"\1":', text)

    def value(match: re.Match[str]) -> str:
        key, content, comma = match.groups()
        content = content.strip()
        if re.match(r"^-?\d+(\.\d+)?$", content):
            content = f"[{content}]"
        elif not re.match(r"^(true|false|null)$", content, re.IGNORECASE):
            content = f'"{content}"'
        return f"{key}: {content}{comma}"

    return re.sub(r'(".*?"):(.*?)(,|})', value, quoted)


def omnicontext_grade(replies: Iterable[str]) -> float:
    """OmniContext: the grade from 0 to 10 of the last reply that can be read.

    Raises SampleError where none can, for which the official script draws a random integer.
    """
    found: Any = None
    for reply in replies:
        try:
            found = omnicontext_reply(reply)
        except SampleError:
            continue
    score = found.get("score") if isinstance(found, dict) else None
    if isinstance(score, list) and len(score) == 1:
        score = score[0]
    if isinstance(score, bool) or not isinstance(score, int | float) or not 0 <= score <= 10:
        raise SampleError("none of the judge's replies holds a grade from 0 to 10")
    return float(score)


def dreambench_grade(reply: str) -> int | None:
    """DreamBench++: the integer behind the only `Score:`; None where there is not exactly one.

    >>> dreambench_grade("Score: 3.5"), dreambench_grade("Score: 1 Score: 2")
    (3, None)
    """
    found = re.findall(r"(score|Score):\s*[a-zA-Z]*\s*(\d+)", reply)
    return int(found[0][1]) if len(found) == 1 else None


def mmie_grade(reply: str) -> int | None:
    """MMIE: the first number behind `### Score`, rounded half to even; None without one.

    The official averages leave out what is not from 0 to 6.

    >>> mmie_grade("### Score: 2.5"), mmie_grade("Score: 2")
    (2, None)
    """
    match = re.search(r"### Score.*?(-?\d+(\.\d+)?)", reply, re.DOTALL)
    return round(float(match.group(1))) if match else None


def opening_scores(entries: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """OpenING: the mean of every metric to 2 places, and `Overall`, the mean of those to 2 places.

    An entry with a null score is dropped whole; what is no number is left out.
    """
    columns: dict[str, list[float]] = {}
    for entry in entries:
        if None not in entry.values():
            for name, value in entry.items():
                if isinstance(value, int | float):
                    columns.setdefault(name, []).append(value)
    means = {name: round(sum(values) / len(values), 2) for name, values in columns.items()}
    return means | {"Overall": round(sum(means.values()) / len(means), 2)} if means else {}


def win_rates(
    battles: Iterable[tuple[str, str, str]], ties: Literal["divided", "left-out", "lost"]
) -> dict[str, float]:
    """OpenING: each model's share of won comparisons.

    Args:
        battles: (model A, model B, winner), the winner `A`, `B`, `Tie(A)` or `Tie(B)`.
        ties: a tie is won by the model in parentheses, not counted, or won by nobody.
    """
    wins: dict[str, int] = {}
    matches: dict[str, int] = {}
    for first, second, winner in battles:
        if ties == "left-out" and winner not in ("A", "B"):
            continue
        won = winner.removeprefix("Tie(").removesuffix(")") if ties == "divided" else winner
        for model, side in ((first, "A"), (second, "B")):
            matches[model] = matches.get(model, 0) + 1
            wins[model] = wins.get(model, 0) + (won == side)
    return {model: wins[model] / count if count else math.nan for model, count in matches.items()}
