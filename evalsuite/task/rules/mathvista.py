"""MathVista's rules, of its multiple-choice and of its free questions. A question's labels `answer_type` and
`precision` say how an answer is normalised."""

from __future__ import annotations

from evalsuite.errors import SampleError
from evalsuite.metrics.mathvista import extract, normalize
from evalsuite.task.rules.types import UNREAD, GroundTruth, Kind, Rule, Verdict

_TITLES = {
    "mathvista": "MathVista: the answer where it stands alone; any other is left to a judge",
    "mathvista-quick": 'MathVista with --quick_extract: alone, or in `The answer is "…".`',
    "mathvista-extracted": "MathVista's normalisation and comparison of an answer that is extracted already",
    "mathvista-ignoring-empty": "The same; an empty extraction of a choice is wrong, not the shortest option",
}


def _of_choices(name: str) -> Rule:
    def function(answer: str, truth: GroundTruth) -> Verdict:
        return _verdict(name, answer, truth, [*truth.options.values()])

    return _rule(name, function, "letters")


def _of_free(name: str) -> Rule:
    def function(answer: str, truth: GroundTruth) -> Verdict:
        return _verdict(name, answer, truth, None)

    return _rule(name, function, "open")


def _rule(name: str, function: object, kind: Kind) -> Rule:
    assert callable(function)
    function.__doc__ = _TITLES[name]
    return Rule(name, function, kind)


def _verdict(name: str, answer: str, truth: GroundTruth, choices: list[str] | None) -> Verdict:
    kind = truth.labels.get("answer_type", "text" if choices is not None else "")
    if not kind:
        raise SampleError(f"The rule {name!r} needs the label answer_type of the question.")
    found: str | None = answer
    if name in ("mathvista", "mathvista-quick"):
        found = extract(answer, choices, kind, quick=name.endswith("quick"))
        if found is None:
            return UNREAD
    precision = truth.labels.get("precision")
    said = normalize(
        found,
        choices,
        kind,
        float(precision) if precision else None,
        ignore_empty=name.endswith("ignoring-empty"),
    )
    right = [truth.options[one] for one in truth.references] if choices is not None else truth.references
    return Verdict(float(said in right), "" if said is None else said)


RULES: tuple[Rule, ...] = (*map(_of_choices, _TITLES), *map(_of_free, _TITLES))
