"""What a judge says about rubrics and yes-or-no questions of generated images: UEval, RealUnify.

* `parse_rubric`, `rubric_met`, `rubric_summary`: zlab-princeton/UEval `ueval_eval.py`;
* `image_verdict`: FrankYang-17/RealUnify `eval/eval_generation.py`, `process_one`.

Equal to the named code on every recorded reply (tests/golden/test_unified.py).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from evalsuite.errors import SampleError

__all__ = ["image_verdict", "parse_rubric", "reply_says", "rubric_met", "rubric_rate", "rubric_summary"]

_FENCED = re.compile(r"```json\s*(\{.*?\})\s*```", re.DOTALL)
_NAMED = re.compile(r'\{\s*"(?:criteria_met|explanation)"[^}]*\}', re.DOTALL)
_ESCAPE = re.compile(r'(?<!\\)\\(?!["\\/bfnrtu])')
_MET = frozenset({"true", "yes", "y", "1"})


def parse_rubric(reply: str) -> Any:
    """The JSON of a reply: in a fence, an object that begins with `criteria_met` or `explanation`, or all
    from the first brace to the last.

    Raises SampleError where there is none: the official script asks again.
    """
    for form, group in ((_FENCED, 1), (_NAMED, 0)):
        if found := form.search(reply):
            try:
                return json.loads(found[group])
            except ValueError:
                continue
    start, end = reply.find("{"), reply.rfind("}") + 1
    for text in (reply[start:end], _ESCAPE.sub(r"\\\\", reply[start:end])) if -1 < start < end else ():
        try:
            return json.loads(text)
        except ValueError:
            continue
    raise SampleError("the judge's reply holds no JSON object")


def rubric_met(value: Any) -> bool:
    """Whether a value of `criteria_met` says yes; "not sure" and whatever else do not.

    >>> rubric_met(" Yes "), rubric_met("not sure"), rubric_met(1)
    (True, False, False)
    """
    return value if isinstance(value, bool) else isinstance(value, str) and value.strip().lower() in _MET


def rubric_rate(values: Sequence[Any]) -> float | None:
    """The share of rubrics that are met; None where there is none."""
    return sum(map(rubric_met, values)) / len(values) if values else None


def rubric_summary(items: Iterable[Mapping[str, Sequence[Any]]]) -> dict[str, float | None]:
    """`text` and `image`: mean rates over the items that have rubrics of that kind; None where none has."""
    found: dict[str, list[float]] = {"text": [], "image": []}
    for item in items:
        for kind, rates in found.items():
            rate = rubric_rate(item.get(kind, ()))
            if rate is not None:
                rates.append(rate)
    return {kind: sum(rates) / len(rates) if rates else None for kind, rates in found.items()}


def image_verdict(answers: Sequence[str], replies: Sequence[str]) -> bool:
    """Whether a judge's replies about an image are all as expected. A reply with "yes" in it is yes, else one
    with "no" in it (also "not", "know") is no; a missing reply is not as expected.

    >>> image_verdict(["yes", "no"], ["Yes.", "I do not know"])
    True
    """
    return len(replies) >= len(answers) and all(
        reply_says(reply) == answer for answer, reply in zip(answers, replies, strict=False)
    )


def reply_says(reply: str) -> str:
    """`yes` where the lower-cased reply holds it, else `no` where it holds that, else the reply itself.

    >>> reply_says("Yes, not no"), reply_says("I know")
    ('yes', 'no')
    """
    text = reply.lower()
    return "yes" if "yes" in text else "no" if "no" in text else text
