"""What a reply to questions about a generated image says, read as the benchmarks' own scripts read it.

`REPLIES` names the ways. Each gives one value in [0, 1] per question asked, or raises SampleError where the
official script asks again: a reply that cannot be read is a failure and no score.
"""

from __future__ import annotations

import ast
import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from evalsuite.errors import SampleError

__all__ = [
    "REPLIES",
    "geneval_checklist",
    "json_verdict",
    "likelihood_value",
    "parse_numbered",
    "parse_parents",
    "spelling_probability",
    "spellings",
    "xml_scores",
    "yes_no_lines",
]


def yes_no_lines(reply: str, count: int) -> list[str]:
    """TIIF-Bench: the lines that begin with yes or no, lower-cased.

    Raises SampleError where they are not `count`: the script asks again, without end.

    >>> yes_no_lines("Yes, a cat.\\n\\nNo.", 2)
    ['yes', 'no']
    """
    matches = (re.match(r"(yes|no)\b", line.strip(), re.IGNORECASE) for line in reply.strip().split("\n"))
    found = [match.group(1).lower() for match in matches if match]
    if len(found) != count:
        raise SampleError(f"{len(found)} lines begin with yes or no, {count} were asked for: {reply!r:.200}")
    return found


def xml_scores(reply: str, count: int) -> list[Any]:
    """UniGenBench: the Python list inside `<score>`; `<analysis>` must hold one of the same length.

    Raises SampleError for anything else.
    """
    lists = []
    for tag in ("analysis", "score"):
        match = re.search(rf"<{tag}>(.*?)</{tag}>", reply, re.DOTALL)
        if match is None:
            raise SampleError(f"the reply has no <{tag}>: {reply!r:.200}")
        try:
            value = ast.literal_eval(match.group(1).strip())
            length = len(value)
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError) as error:
            raise SampleError(f"<{tag}> of the reply is no list: {match.group(1)!r:.100}") from error
        if length != count:
            raise SampleError(f"<{tag}> of the reply has {length} members, {count} were asked for")
        lists.append(value)
    return list(lists[1])


def json_verdict(reply: str) -> dict[str, Any]:
    """GenEval++: the JSON object from the first brace to the last. Raises SampleError where it is none.

    >>> json_verdict('Sure. {"correct": 1} Done')
    {'correct': 1}
    """
    match = re.search(r"\{[\s\S]*\}", reply)
    try:
        if match is not None:
            found: dict[str, Any] = json.loads(match.group(0))
            return found
    except (ValueError, RecursionError) as error:
        raise SampleError(f"the reply holds no JSON that can be read: {reply!r:.200}") from error
    raise SampleError(f"the reply holds no JSON object: {reply!r:.200}")


def _exact(reply: str, expected: Sequence[str]) -> list[float]:
    return [float(reply == expected[0])]


def _loose(reply: str, expected: Sequence[str]) -> list[float]:
    said = reply.lower().strip()
    for mark in ".,?!":
        said = said.replace(mark, "")
    return [float(said == expected[0].lower().strip())]


def _lines(reply: str, expected: Sequence[str]) -> list[float]:
    said = yes_no_lines(reply, len(expected))
    return [float(one == wanted.strip().lower()) for one, wanted in zip(said, expected, strict=True)]


def _lists(reply: str, expected: Sequence[str]) -> list[float]:
    return [float(value == 1) for value in xml_scores(reply, len(expected))]


def _verdict(reply: str, expected: Sequence[str]) -> list[float]:
    return [float(json_verdict(reply).get("correct", 0) == 1)] * len(expected)


def _spelled(reply: str, expected: Sequence[str]) -> list[float]:
    return [float(reply.lower() in spellings(_question_of(expected[0]), expected[0]))]


def _probability(reply: str, expected: Sequence[str]) -> list[float]:
    try:
        value = float(reply)
    except ValueError:
        value = math.nan
    if not 0 <= value <= 1:
        raise SampleError(f"{reply!r:.100} is no probability")
    return [value]


def _number(reply: str, expected: Sequence[str]) -> list[float]:
    try:
        value = float(reply)
    except ValueError as error:
        raise SampleError(f"{reply!r:.100} is no number") from error
    if not math.isfinite(value):
        raise SampleError(f"{reply!r:.100} is no finite number")
    return [value]


def likelihood_value(reply: str, expected: str, *, share: bool = False) -> float:
    """The probability of a right answer, from log-likelihoods of choices (JSON), or a probability as it
    stands.

    The probabilities of all spellings of the answer are added, at most to 1. Two that are the same tokens to
    the model, with and without a leading blank, count once. A choice without a number is impossible.

    Args:
        share: over the sum of all choices (T2I-CompBench, VQAScore's relatives): 0 where all are impossible.

    Raises SampleError for anything else.

    >>> round(likelihood_value('{"Yes": -0.5, "No": -1.0}', "Yes"), 4)
    0.6065
    >>> round(likelihood_value('{"yes": -0.5, "no": -1.0}', "yes", share=True), 4)
    0.6225
    """
    try:
        found = json.loads(reply)
    except (ValueError, RecursionError) as error:
        raise SampleError(f"{reply!r:.100} holds no likelihoods") from error
    if not isinstance(found, dict):
        return _probability(reply, [expected])[0]
    right = {_bare(one) for one in (expected, *spellings(_question_of(expected), expected))}
    values: dict[str, list[float]] = {}
    for choice, value in found.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not value <= 1e-6:
            raise SampleError(f"{reply!r:.100} holds no likelihoods")
        known = values.setdefault(choice.strip(), [])
        if not any(abs(value - other) < 1e-6 for other in known):
            known.append(float(value))
    sums = {name: sum(map(math.exp, ones)) for name, ones in values.items()}
    good = sum(value for name, value in sums.items() if _bare(name) in right)
    if not share:
        return min(1.0, good)
    total = sum(sums.values())
    return good / total if total else 0.0


def _bare(text: str) -> str:
    return text.strip().lower()


def _question_of(expected: str) -> str:
    """A question that `spellings` takes for one with this answer."""
    return "" if _bare(expected) == "yes" else "How many"


def _likelihood(reply: str, expected: Sequence[str]) -> list[float]:
    return [likelihood_value(reply, expected[0])]


def _likelihood_share(reply: str, expected: Sequence[str]) -> list[float]:
    return [likelihood_value(reply, expected[0], share=True)]


REPLIES: Mapping[str, Callable[[str, Sequence[str]], list[float]]] = MappingProxyType(
    {
        "exact": _exact,
        "loose": _loose,
        "lines": _lines,
        "xml-lists": _lists,
        "json-verdict": _verdict,
        "likelihood": _likelihood,
        "likelihood-share": _likelihood_share,
        "probability": _probability,
        "spellings": _spelled,
        "number": _number,
    }
)
"""Way of reading -> value of each question from the reply and the expected answers. `exact`: the very answer
(DPG-Bench, OneIG, DSG); `loose`: without case and punctuation (DSG's GPT-4o); `lines`: `yes_no_lines`;
`xml-lists`: `xml_scores`; `json-verdict`: `json_verdict` for all questions at once; `probability`: a number;
`likelihood`, `likelihood-share`: `likelihood_value`, the judge is asked for likelihoods instead of words;
`spellings`: one of a right answer's spellings (GenEval 2's TIFA); `number`: a number that a network measured,
as it stands (OneIG's reasoning, style, diversity)."""

_NUMBERS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def spellings(question: str, answer: str) -> list[str]:
    """GenEval 2: the spellings of a right answer, whose first tokens' probabilities are added.

    >>> spellings("How many cats are in the image?", "two")
    ['two', 'Two', ' two', ' Two', '2', ' 2']
    """
    if not question.startswith("How many"):
        return ["Yes", "yes", " yes", " Yes"]
    digits = str(_NUMBERS.index(answer) + 1) if answer in _NUMBERS else "other"
    return [answer, answer.capitalize(), f" {answer}", f" {answer.capitalize()}", digits, f" {digits}"]


def spelling_probability(question: str, answer: str, probability: Callable[[str], float]) -> float:
    """GenEval 2 (Soft-TIFA): the sum over the spellings; those that begin with one token count twice.

    Args:
        probability: of the first token of a text, as the first token of the reply.
    """
    return sum(map(probability, spellings(question, answer)))


def _countable(name: str, count: int) -> str:
    return f"{name}s" if count > 1 else name


def geneval_checklist(metadata: Mapping[str, Any]) -> str:
    """GenEval++: what the image must contain, in words, from a line of its file.

    >>> print(geneval_checklist({"include": [{"class": "bus", "count": 2, "color": "red"}]}))
    This image should contain:
    - red-colored 2 buss present in the image.
    """
    lines = ["This image should contain:"]
    for item in metadata.get("include", ()):
        count = item.get("count", 1)
        before = [f"{item['color']}-colored"] if item.get("color") else []
        before += [item["size"]] if item.get("size") else []
        where = f"located in the {item['region']} part of" if item.get("region") else "present in"
        noun = " ".join([*before, f"{count} {_countable(item['class'], count)}"])
        lines.append(f"- {noun} {where} the image.")
    for item in metadata.get("exclude", ()):
        count = item.get("count", 1)
        lines.append(f"- No more than {count - 1} {_countable(item['class'], count)} should appear.")
    return "\n".join(lines)


def parse_parents(cell: str) -> tuple[str, ...]:
    """Ids in a cell of dependencies: "1, 2"; "0" for none. Words beside them are left out, as DSG does.

    Raises SampleError for a cell without a number.

    >>> parse_parents("1 ,2"), parse_parents("0, 5, right")
    (('1', '2'), ('5',))
    """
    parts = [part.strip() for part in cell.split(",")]
    found = [part for part in parts if part.isnumeric()]
    if not found or "-" in parts:
        raise SampleError(f"{cell!r:.60} is no list of questions that one depends on")
    return tuple(str(int(part)) for part in found if len(found) == 1 or part != "0")


def parse_numbered(text: str) -> dict[int, str]:
    """DSG: the lines `number | content` that a language model wrote, behind `output:` where it stands.

    Raises SampleError for a line of another form.

    >>> parse_numbered("output: 1 | a cat\\n2| red")
    {1: 'a cat', 2: 'red'}
    """
    if "output:" in text:
        text = text[text.index("output:") + len("output:") :]
    found: dict[int, str] = {}
    for line in text.strip().split("\n"):
        parts = line.split("|")
        try:
            (place, content) = int(parts[0]), *parts[1:]
        except ValueError as error:
            raise SampleError(f"{line!r:.100} is not of the form `number | content`") from error
        found[place] = content.strip()
    return found
