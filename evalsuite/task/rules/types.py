"""What a scoring rule of one answer is: a small named function, what it is given and what it gives back."""

from __future__ import annotations

import importlib
import inspect
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from evalsuite.errors import EvalsuiteError, SampleError, SpecError

Kind = Literal["open", "letters", "yes-no"]
"""What a question asks for: a short text, the letter of an option, or yes or no."""
KINDS: tuple[Kind, ...] = ("open", "letters", "yes-no")

NOT_READ = "?"
"""What is shown in the place of an answer that its rule leaves unread."""


@dataclass(frozen=True, slots=True)
class GroundTruth:
    """What an answer is compared with.

    Args:
        references: right answers: texts of an open question, letters of a lettered one, "yes" or "no".
        options: letter -> text in the order shown; empty for a question without options.
        labels: of the sample, e.g. {"dataset": "HME100k"}.
        details: what else a benchmark gives its own rule (the precision of a number, its unit).
    """

    references: tuple[str, ...]
    options: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a rule makes of an answer.

    Args:
        value: the score, in the range that the rule declares. None: the benchmark's scorer drops the unread
            answer, so that it enters no mean; a group that holds it is not all right.
        parsed: what the rule understood (normalised answer, letter), for reports.
        unread: the rule could not decide what the answer means. `value` is then what the benchmark's scorer
            counts, nearly always 0; the number of unread answers is shown beside the score.
        more: further columns that the rule fills, each in the declared range.
    """

    value: float | None
    parsed: str = ""
    unread: bool = False
    more: Mapping[str, float] = field(default_factory=dict)


UNREAD = Verdict(0.0, NOT_READ, unread=True)
"""The verdict of a rule that cannot decide what an answer means."""

RuleFunction = Callable[[str, GroundTruth], Verdict | float]


@dataclass(frozen=True, slots=True)
class Rule:
    """A scoring rule by name. Calling it scores one answer; see `rule` for how to write one.

    Args:
        name: as benchmark files write it; unique among the rules of its kind.
        function: the rule itself, pure: answer and ground truth -> `Verdict`, or the bare value.
        kind: what its questions ask for.
        column: the score column that the value fills.
        also: further columns that the rule fills in every verdict's `more`.
        low, high: the range of its values.
        guesses: an unread answer is replaced by a random option, as the official scorer does.
    """

    name: str
    function: RuleFunction
    kind: Kind = "open"
    column: str = "accuracy"
    low: float = 0.0
    high: float = 1.0
    guesses: bool = False
    also: tuple[str, ...] = ()

    def __reduce__(self) -> tuple[Callable[..., Rule], tuple[str, ...]]:
        """Sent to another process, a rule is its name and where it is defined."""
        function = self.function
        where = sys.modules.get(function.__module__)
        file = str(getattr(where, "__file__", None) or "")
        return _rule_again, (self.kind, self.name, function.__module__, file)

    @property
    def title(self) -> str:
        """The first line of the rule's docstring."""
        return (inspect.getdoc(self.function) or "").partition("\n")[0]

    def __call__(self, answer: str, truth: GroundTruth) -> Verdict:
        """The verdict on one answer.

        Raises:
            SampleError: the rule fails, or gives something else than numbers in its range.
        """
        try:
            found = self.function(answer, truth)
        except EvalsuiteError:
            raise
        except Exception as error:  # a plugin's rule: whatever it raises is this sample's failure
            raise SampleError(
                f"The rule {self.name!r} fails on this answer ({type(error).__name__}: {error})."
            ) from error
        verdict = found if isinstance(found, Verdict) else Verdict(self._number(found), answer)
        dropped = verdict.value is None and verdict.unread
        for value in (*(() if dropped else (verdict.value,)), *verdict.more.values()):
            self._check(self._number(value))
        if verdict.more.keys() != set(self.also):
            raise SampleError(
                f"The rule {self.name!r} fills the columns {sorted(verdict.more)} and declares "
                f"{sorted(self.also)}.",
                "Declare them: @rule(also=[…]).",
            )
        return verdict

    def _number(self, value: Any) -> float:
        try:
            return float(value)
        except (TypeError, ValueError):
            raise SampleError(
                f"The rule {self.name!r} gives {value!r:.80}, which is neither a number nor a Verdict."
            ) from None

    def _check(self, value: float) -> None:
        if math.isfinite(value) and self.low <= value <= self.high:
            return
        raise SampleError(
            f"The rule {self.name!r} gives {value}, outside its range [{self.low:g}, {self.high:g}].",
            "Correct the rule, or the range it declares.",
        )


def rule(
    name: str = "",
    *,
    kind: Kind = "open",
    column: str = "accuracy",
    low: float = 0.0,
    high: float = 1.0,
    guesses: bool = False,
    also: Sequence[str] = (),
) -> Callable[[RuleFunction], Rule]:
    """Makes a scoring rule of a function; its name, unless given, is the function's with `-` for `_`.

    Raises SpecError for an unknown kind or an empty range.

    >>> @rule()
    ... def same_length(answer, truth):
    ...     return any(len(answer) == len(reference) for reference in truth.references)
    >>> same_length("cat", GroundTruth(("dog",)))
    Verdict(value=1.0, parsed='cat', unread=False, more={})
    """
    if kind not in KINDS:
        raise SpecError(f"There is no kind of rule {kind!r}.", f"Choose from {', '.join(KINDS)}.")
    if not low < high:
        raise SpecError(f"The range [{low}, {high}] of a rule is empty.", "Give low < high.")

    def make(function: RuleFunction) -> Rule:
        own = name or str(getattr(function, "__name__", "rule")).strip("_").replace("_", "-")
        return Rule(own, function, kind, column, low, high, guesses, tuple(also))

    return make


def _rule_again(kind: Kind, name: str, module: str, file: str) -> Rule:
    from evalsuite.task.families import import_file
    from evalsuite.task.rules.finding import built_in

    try:
        found: Any = importlib.import_module(module)
    except ModuleNotFoundError:
        found = import_file(Path(file), f"the rule {name!r}")
    for one in (*built_in(), *vars(found).values()):
        if isinstance(one, Rule) and (one.kind, one.name) == (kind, name):
            return one
    raise SpecError(f"{file or module} has no rule {name!r} any more.", "Was it renamed?")
