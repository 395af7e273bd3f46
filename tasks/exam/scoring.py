"""Rows of an exam: lettered and open questions, and the official guess for an answer that cannot be read."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import replace

from evalsuite.task import Answered, Kind, RuleSet, SampleScore, rule_row
from evalsuite.task.readers import McqQuestion as Question

OFFICIAL_SEED = 42
"""Of MMMU's `main_parse_and_eval.py --subject ALL`, which guesses one undecided answer after the other,
subjects in alphabetical order: a guess depends on those before it."""


def score_rows(
    answered: Iterable[Answered], answer: Callable[[Answered], str], rules: RuleSet
) -> list[SampleScore]:
    """A row per question, in order.

    Args:
        answer: gives the postprocessed answer.
    """
    rows: list[SampleScore] = []
    guessed: list[tuple[str, int, list[str], tuple[str, ...]]] = []
    # Once through: answers are read from disk, and samples hold images.
    for place, one in enumerate(answered):
        question: Question = one.sample.record
        rows.append(row_under(one, answer, rules))
        if rows[place].unread and question.options and rules.guesses:
            subject = one.sample.labels.get("subject", "")
            guessed.append((subject, place, [*question.options], question.answers))
    guesses = random.Random(OFFICIAL_SEED)
    for _, place, letters, right in sorted(guessed):
        pick = guesses.choice(letters)
        values = {rules.column: float(pick in right)}
        rows[place] = replace(rows[place], values={**rows[place].values, **values}, parsed=pick)
    return rows


def row_under(one: Answered, answer: Callable[[Answered], str], rules: RuleSet) -> SampleScore:
    """The row of one question under these rules."""
    question: Question = one.sample.record
    kind: Kind = "letters" if question.options else "open"
    options = question.texts() if question.options else None
    return rule_row(one, rules, kind, lambda: answer(one), question.answers, options)
