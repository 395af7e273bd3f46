"""Which rule scores which answer: by what the question asks for, and by a label of the sample."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from evalsuite.errors import EvalsuiteError, SampleError, SpecError
from evalsuite.task.rules.finding import find_rule
from evalsuite.task.rules.types import KINDS, GroundTruth, Kind, Rule, Verdict

OTHERWISE = "*"
BY = "by"

ByLabel = str | Mapping[str, str]
"""A rule's name; or value of a label -> name, `*` for all others, `by` for which label (default: any)."""
RuleChoice = str | Mapping[str, str | Mapping[str, str]]
"""What stands under a name of `rules:`: `ByLabel`, or kind of question -> `ByLabel`."""


@dataclass(frozen=True)
class _Chosen:
    """The rules of one kind of question.

    Args:
        rules: value of a label -> rule; `*` stands for every other value.
        by: the label; empty: any label may hold the value.
    """

    rules: Mapping[str, Rule]
    by: str = ""

    def of(self, labels: Mapping[str, str]) -> Rule:
        if self.by and self.by not in labels:
            has = ", ".join(labels) or "none"
            raise SampleError(f"The rules depend on the label {self.by!r}, which this sample lacks: {has}.")
        values = {labels[self.by]} if self.by else set(labels.values())
        found = [one for value, one in self.rules.items() if value in values]
        if len({one.name for one in found}) > 1:
            raise SampleError(
                f"Several rules apply to this sample: {', '.join(one.name for one in found)}.",
                "Say with `by:` which label decides.",
            )
        if found:
            return found[0]
        if OTHERWISE in self.rules:
            return self.rules[OTHERWISE]
        raise SampleError(
            f"No rule is named for a sample with the labels {dict(labels)}.", "Add `*` for all others."
        )


class RuleSet:
    """The scoring rules that a benchmark's file names, found and checked.

    Args:
        where: the benchmark's name, for messages.
        choice: what its file says.
        kinds: the kinds of questions that the family asks; a bare name is looked up in this order.
        defaults: rules of the kinds for which the file names none.
        own, folder: where else rules are looked for; see `find_rule`.

    Raises:
        SpecError: an unknown rule, label choice or kind of question; rules that fill different columns.
    """

    def __init__(
        self,
        where: str,
        choice: RuleChoice,
        kinds: Sequence[Kind],
        *,
        defaults: Mapping[Kind, str] | None = None,
        own: Iterable[Rule] = (),
        folder: Path | None = None,
    ) -> None:
        self._where = where
        self._own = tuple(own)
        self._folder = folder
        self._chosen: dict[Kind, _Chosen] = {}
        apart = {} if isinstance(choice, str) else choice
        named = [kind for kind in KINDS if kind in apart]
        if named:
            for key in apart:
                if key not in kinds:
                    raise SpecError(
                        f"{where}: its family asks no {key!r} questions.",
                        f"It asks: {', '.join(kinds)}. Rules by label go below one of these.",
                    )
            for kind in named:
                self._add(apart[kind], (kind,))
        else:
            self._add(choice, kinds)
        for kind, name in (defaults or {}).items():
            if kind not in self._chosen:
                self._chosen[kind] = _Chosen({OTHERWISE: self._find(name, (kind,))})
        columns = sorted({one.column for one in self.rules})
        if len(columns) > 1:
            raise SpecError(
                f"{where}: its rules fill different columns ({', '.join(columns)}).",
                "Rules of one benchmark must measure one thing.",
            )

    @property
    def rules(self) -> tuple[Rule, ...]:
        """All rules that may be used, each once."""
        found = {
            (one.kind, one.name): one for chosen in self._chosen.values() for one in chosen.rules.values()
        }
        return tuple(found.values())

    @property
    def column(self) -> str:
        """The score column that the rules fill."""
        return self.rules[0].column

    @property
    def columns(self) -> tuple[str, ...]:
        """All score columns that the rules fill."""
        return tuple(dict.fromkeys(name for one in self.rules for name in (one.column, *one.also)))

    @property
    def guesses(self) -> bool:
        """Whether the official scorer replaces an unread answer by a random option."""
        return any(one.guesses for one in self.rules)

    def rule(self, kind: Kind, labels: Mapping[str, str]) -> Rule:
        """The rule for a sample. Raises SampleError where none, or several, are named for it."""
        chosen = self._chosen.get(kind)
        if chosen is None:
            raise SampleError(
                f"This is an {kind} question, and the rules are for {' and '.join(self._chosen)} questions.",
                f"Name a rule under {kind}: in the benchmark's file.",
            )
        return chosen.of(labels)

    def verdict(self, answer: str, truth: GroundTruth, kind: Kind) -> Verdict:
        """Scores one answer.

        Raises:
            EvalsuiteError: it cannot be scored; the sample is to be recorded as failed, with this reason.
        """
        return self.rule(kind, truth.labels)(answer, truth)

    def _add(self, choice: RuleChoice, kinds: Sequence[Kind]) -> None:
        given = {OTHERWISE: choice} if isinstance(choice, str) else choice
        names: dict[str, str] = {}
        for key, value in given.items():
            if not isinstance(value, str):
                raise SpecError(
                    f"{self._where}: {key!r} is not a kind of question ({', '.join(KINDS)}), and its rules "
                    "depend on labels.",
                    "Write a rule's name there.",
                )
            names[key] = value
        by = names.pop(BY, "")
        if not names:
            raise SpecError(f"{self._where}: no rule is named.", "Name one for `*`.")
        found = {value: self._find(name, kinds) for value, name in names.items()}
        for kind in dict.fromkeys(one.kind for one in found.values()):
            self._chosen[kind] = _Chosen({v: one for v, one in found.items() if one.kind == kind}, by)

    def _find(self, name: str, kinds: Sequence[Kind]) -> Rule:
        try:
            return find_rule(name, kinds, self._own, self._folder)
        except EvalsuiteError as error:
            raise SpecError(f"{self._where}: {error.what}", error.remedy) from error
