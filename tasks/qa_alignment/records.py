"""A prompt with the questions that are asked about its images."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from evalsuite.errors import DataError


@dataclass(frozen=True, slots=True)
class AlignmentQuestion:
    """One question.

    Args:
        id: unique in the prompt.
        expected: the answer that counts.
        parents: ids of the questions that it depends on; "0" stands for none.
        labels: what the column `questions` can be broken down by.
        first: it is the first of the data.
    """

    id: str
    text: str
    expected: str = "yes"
    parents: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    first: bool = False


@dataclass(frozen=True, slots=True)
class QuestionedPrompt:
    """A prompt.

    Args:
        labels: for breakdowns and aggregations.
        wording: further fields of the judge's template.
    """

    id: str
    prompt: str
    questions: tuple[AlignmentQuestion, ...]
    labels: Mapping[str, str] = field(default_factory=dict)
    wording: Mapping[str, Any] = field(default_factory=dict)


def check_graph(questions: Iterable[AlignmentQuestion], where: str) -> None:
    """Raises DataError for two questions of one id, and for questions that depend on each other in a circle.

    A parent that is not there is the rule's affair: official scripts drop the prompt, or ignore it.
    """
    parents: dict[str, tuple[str, ...]] = {}
    for one in questions:
        if one.id in parents:
            raise DataError(f"{where}: the question {one.id} occurs twice.", "Correct the file of questions.")
        parents[one.id] = one.parents
    done: set[str] = set()
    for start in parents:
        path: list[tuple[str, int]] = [(start, 0)]
        open_: set[str] = {start}
        while path:
            name, place = path.pop()
            above = parents[name]
            if place == len(above):
                open_.discard(name)
                done.add(name)
                continue
            path.append((name, place + 1))
            parent = above[place]
            if parent in open_:
                raise DataError(
                    f"{where}: the questions {name} and {parent} depend on each other.",
                    "A question may depend on questions that do not depend on it.",
                )
            if parent in parents and parent not in done:
                open_.add(parent)
                path.append((parent, 0))
